//! Processes that are made.

use crate::acts::{Running, exit_now, in_fork, in_thread};
use crate::recorder::recorder;
use collector_ds::kernel::KernelRecord;
use nix::libc;
use nix::unistd::gettid;

#[test]
fn a_fork_without_an_exec_is_told() {
    let recorder = recorder();
    let (pid, _) = in_fork(|| exit_now(0));
    let fork = recorder.fork_of(pid);
    assert_eq!(fork.creator, recorder.own_key());
    assert_eq!(fork.parent, fork.creator);
    assert_eq!(fork.namespace_pid, pid);
    let execs = recorder.all(|record| match record {
        KernelRecord::Exec(exec) if exec.process == fork.child => Some(()),
        _ => None,
    });
    assert!(execs.is_empty(), "nothing was executed");
}

#[test]
fn fork_exec_and_exit_of_a_process_come_in_order_under_one_key() {
    let recorder = recorder();
    let process = Running::sleep(|command| command);
    let pid = process.pid();
    let fork = recorder.fork_of(pid);
    let exec = recorder.exec_of(pid);
    drop(process);
    let exit = recorder.exit_of(pid);
    assert_eq!(fork.child, exec.process);
    assert_eq!(exec.process, exit.process);
    assert!(fork.time < exec.time && exec.time < exit.time);
    assert_eq!(fork.cgroup, exec.cgroup);
}

#[test]
fn a_process_made_for_its_creators_parent_tells_both() {
    let recorder = recorder();
    let (creator, _) = in_fork(|| {
        // SAFETY: like fork, with the child on a copy of our stack. The child only ends.
        let child = unsafe {
            let flags = libc::CLONE_PARENT | libc::SIGCHLD;
            libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0)
        };
        exit_now(i32::from(child < 0))
    });
    let creator = recorder.fork_of(creator).child;
    let fork = recorder.expect("a fork by our child", |record| match record {
        KernelRecord::Fork(fork) if fork.creator == creator => Some(*fork),
        _ => None,
    });
    assert_eq!(fork.parent, recorder.own_key());
    let child = nix::unistd::Pid::from_raw(fork.child.pid.cast_signed());
    assert!(crate::acts::wait_for(child).success());
}

#[test]
fn a_thread_is_no_process() {
    let recorder = recorder();
    let thread = in_thread(|| gettid().as_raw().cast_unsigned());
    let of_thread = recorder.all(|record| match record {
        KernelRecord::Fork(fork) if fork.child.pid == thread => Some(format!("{fork:?}")),
        KernelRecord::Exit(exit) if exit.process.pid == thread => Some(format!("{exit:?}")),
        _ => None,
    });
    assert_eq!(of_thread, [""; 0]);
}
