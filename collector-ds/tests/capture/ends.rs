//! Processes that end: once each, with the status that their parent is told.

use crate::acts::{Running, TRUE, exit_now, exit_thread, in_fork};
use crate::recorder::recorder;
use collector_ds::kernel::{ExitRecord, KernelRecord};
use nix::unistd::{execv, gettid};
use std::hint;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// The one exit of a process.
fn only_exit_of(pid: u32) -> ExitRecord {
    let exits = recorder().all(|record| match record {
        KernelRecord::Exit(exit) if exit.process.pid == pid => Some(*exit),
        _ => None,
    });
    assert_eq!(exits.len(), 1, "process {pid} ended {} times: {exits:?}", exits.len());
    exits[0]
}

fn assert_told_as(exit: ExitRecord, status: ExitStatus) {
    assert_eq!(status.code().unwrap_or(0), i32::from(exit.status.code), "{status}");
    assert_eq!(status.signal().unwrap_or(0), i32::from(exit.status.signal), "{status}");
    assert_eq!(status.core_dumped(), exit.status.core_dumped, "{status}");
}

#[test]
fn an_exit_tells_its_code() {
    recorder();
    let (pid, status) = in_fork(|| exit_now(7));
    assert_told_as(only_exit_of(pid), status);
    assert_eq!(only_exit_of(pid).status.code, 7);
}

#[test]
fn a_process_that_was_killed_tells_the_signal() {
    let recorder = recorder();
    let mut process = Running::sleep(|command| command);
    recorder.exec_of(process.pid());
    process.0.kill().unwrap();
    let status = process.0.wait().unwrap();
    let exit = only_exit_of(process.pid());
    assert_told_as(exit, status);
    assert_eq!(exit.status.signal, 9);
}

#[test]
fn a_process_that_crashed_tells_the_signal() {
    recorder();
    let mut shell = Command::new("/bin/sh").args(["-c", "kill -SEGV $$"]).spawn().unwrap();
    let status = shell.wait().unwrap();
    let exit = only_exit_of(shell.id());
    assert_told_as(exit, status);
    assert_eq!(exit.status.signal, 11);
}

#[test]
fn a_process_whose_first_thread_ends_first_ends_once_with_what_its_parent_is_told() {
    recorder();
    let (pid, status) = in_fork(|| {
        thread::spawn(|| {
            thread::sleep(Duration::from_millis(100));
            exit_thread(5);
        });
        exit_thread(3);
    });
    assert_told_as(only_exit_of(pid), status);
}

#[test]
fn a_thread_that_executes_a_program_becomes_the_process() {
    let recorder = recorder();
    let (pid, status) = in_fork(|| {
        let execute = || {
            // Its own id is not the process's now, and will be.
            assert_ne!(gettid(), nix::unistd::getpid());
            let _ = execv(c"/bin/true", &[c"true"]);
        };
        let _ = thread::spawn(execute).join();
    });
    assert!(status.success(), "{status}");
    let exec = recorder.exec_of(pid);
    assert_eq!(exec.process, recorder.fork_of(pid).child);
    assert_eq!(exec.executable.invoked_as, TRUE);
    let exit = only_exit_of(pid);
    assert!(exit.time > exec.time, "the first thread's end is not the process's");
}

#[test]
fn a_process_whose_threads_end_at_the_same_moment_ends_once() {
    // So many that two threads do meet where the program looks whether any is left.
    const PROCESSES: usize = 400;
    const THREADS: usize = 2;
    recorder();
    let ended: Vec<_> = (0..PROCESSES)
        .map(|_| {
            in_fork(|| {
                static READY: AtomicUsize = AtomicUsize::new(0);
                let end_together = || {
                    READY.fetch_add(1, Ordering::SeqCst);
                    while READY.load(Ordering::SeqCst) < THREADS {
                        hint::spin_loop();
                    }
                    exit_thread(0)
                };
                for _ in 1..THREADS {
                    thread::spawn(end_together);
                }
                end_together();
            })
        })
        .collect();
    let exits = recorder().all(|record| match record {
        KernelRecord::Exit(exit) => Some(exit.process.pid),
        _ => None,
    });
    for (pid, status) in ended {
        assert!(status.success(), "{status}");
        assert_eq!(exits.iter().filter(|ended| **ended == pid).count(), 1, "process {pid}");
    }
}
