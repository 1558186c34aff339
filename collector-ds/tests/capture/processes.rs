//! What processes do to themselves and to others.

use crate::acts::{Running, exit_now, in_fork, pid_number, run};
use crate::loopback::raise_loopback;
use crate::recorder::{Recorder, outcomes_are_told, recorder};
use collector_ds::kernel::KernelRecord;
use event_model::{ProcessKey, SystemAct, SystemEvent};
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid, pause};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::AtomicU32;

/// The one act of a kind that a process did.
pub fn act(recorder: &Recorder, pid: u32, act: SystemAct) -> SystemEvent {
    recorder.system_act(pid, act.name(), |event| event.act == act)
}

/// What the call returned is told wherever the kernel lets us look at its end or return.
pub fn assert_result(event: &SystemEvent, expected: i64) {
    assert_eq!(event.result, outcomes_are_told(event.act.name()).then_some(expected), "{event:?}");
}

/// Arguments by name. Those that begin with `?` are told by hooks alone that see both before and after.
pub fn assert_arguments(event: &SystemEvent, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        let told = event.argument(name.trim_start_matches('?'));
        if told.is_none() && name.starts_with('?') {
            continue;
        }
        assert_eq!(told, Some(*value), "{name} in {event:?}");
    }
}

/// A system call in a forked child, by its number.
fn call_in_fork(number: libc::c_long, arguments: [u64; 5]) -> u32 {
    in_fork(|| {
        let [first, second, third, fourth, fifth] = arguments;
        // SAFETY: callers pass numbers, or addresses of memory that the child has a copy of.
        unsafe { libc::syscall(number, first, second, third, fourth, fifth) };
        exit_now(0);
    })
    .0
}

#[test]
fn a_process_that_takes_another_user_is_told_with_all_four_ids() {
    let recorder = recorder();
    let pid = call_in_fork(libc::SYS_setresuid, [1000, 1001, 1002, 0, 0]);
    let event = act(recorder, pid, SystemAct::Setuid);
    assert_result(&event, 0);
    assert_arguments(
        &event,
        &[
            ("uid", "1000"),
            ("euid", "1001"),
            ("suid", "1002"),
            ("fsuid", "1001"),
            ("?old_uid", "0"),
            ("?old_euid", "0"),
        ],
    );
}

#[test]
fn a_process_that_takes_another_group_is_told_with_all_four_ids() {
    let recorder = recorder();
    let pid = call_in_fork(libc::SYS_setregid, [77, 78, 0, 0, 0]);
    let event = act(recorder, pid, SystemAct::Setgid);
    assert_result(&event, 0);
    assert_arguments(
        &event,
        &[("gid", "77"), ("egid", "78"), ("sgid", "78"), ("?old_gid", "0"), ("?old_sgid", "0")],
    );
}

#[test]
fn capabilities_that_a_process_sets_are_told_by_their_names() {
    let recorder = recorder();
    // struct __user_cap_header_struct, version 3 of this thread; struct __user_cap_data_struct, low and high halves.
    let header: [u32; 2] = [0x2008_0522, 0];
    let sets: [u32; 6] = [1, 1 | 1 << 5, 0, 0, 0, 0];
    let pid =
        call_in_fork(libc::SYS_capset, [header.as_ptr() as u64, sets.as_ptr() as u64, 0, 0, 0]);
    let event = act(recorder, pid, SystemAct::Capset);
    assert_result(&event, 0);
    let expected =
        [("effective", "CAP_CHOWN"), ("permitted", "CAP_CHOWN|CAP_KILL"), ("inheritable", "0")];
    assert_arguments(&event, &expected);
}

#[test]
fn the_namespace_that_a_process_enters_is_told_by_type_and_number() {
    let recorder = recorder();
    let own = File::open("/proc/self/ns/uts").unwrap();
    let (pid, _) = in_fork(|| {
        unshare(CloneFlags::CLONE_NEWUTS).expect("we are root");
        setns(&own, CloneFlags::empty()).expect("it was ours before");
        exit_now(0);
    });
    let left = act(recorder, pid, SystemAct::Unshare);
    assert_result(&left, 0);
    assert_arguments(&left, &[("flags", "CLONE_NEWUTS")]);
    let entered = act(recorder, pid, SystemAct::Setns);
    assert_result(&entered, 0);
    let inode = own.metadata().unwrap().ino().to_string();
    let descriptor = own.as_raw_fd().to_string();
    assert_arguments(
        &entered,
        &[("nstype", "CLONE_NEWUTS"), ("uts", &inode), ("flags", "0"), ("fd", &descriptor)],
    );
    assert_eq!(entered.argument("net"), None, "{entered:?}");
}

#[test]
fn a_user_namespace_that_a_process_enters_is_told() {
    let recorder = recorder();
    let (outer, _) = in_fork(|| {
        // SAFETY: the child calls nothing that another thread of this program could hold.
        let forked = unsafe { fork() }.expect("a process can be made");
        // This process enters what its child, which waits, has made.
        let ForkResult::Parent { child } = forked else {
            unshare(CloneFlags::CLONE_NEWUSER).expect("we are root");
            loop {
                pause();
            }
        };
        let path = format!("/proc/{child}/ns/user");
        let ours = fs::metadata("/proc/self/ns/user").unwrap().ino();
        let namespace = loop {
            let file = File::open(&path).unwrap();
            if file.metadata().unwrap().ino() != ours {
                break file;
            }
        };
        setns(&namespace, CloneFlags::CLONE_NEWUSER).expect("it is below our own");
        // SAFETY: the child is ours, and not reaped yet.
        unsafe { libc::kill(child.as_raw(), libc::SIGKILL) };
        exit_now(0);
    });
    let event = act(recorder, outer, SystemAct::Setns);
    assert_result(&event, 0);
    assert_arguments(&event, &[("nstype", "CLONE_NEWUSER"), ("flags", "CLONE_NEWUSER")]);
    let inode: u64 = event.argument("user").expect("the namespace has a number").parse().unwrap();
    assert_ne!(inode, fs::metadata("/proc/self/ns/user").unwrap().ino());
}

#[test]
fn a_new_root_directory_is_told_by_its_path() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let (pid, _) = in_fork(|| {
        nix::unistd::chroot(folder.path()).expect("we are root");
        exit_now(0);
    });
    let event = act(recorder, pid, SystemAct::Chroot);
    assert_result(&event, 0);
    assert_arguments(&event, &[("path", folder.path().to_str().unwrap())]);
    assert_eq!(event.argument("source"), None, "the path is the kernel's: {event:?}");
}

#[test]
fn an_exchange_of_roots_is_told_with_both_paths() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let (new, old) = (folder.path().to_owned(), folder.path().join("old"));
    fs::create_dir(&old).unwrap();
    let (pid, _) = in_fork(|| {
        unshare(CloneFlags::CLONE_NEWNS).expect("we are root");
        let nothing = None::<&str>;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
        mount(Some(&new), &new, nothing, MsFlags::MS_BIND, nothing).unwrap();
        // The kernel refuses it where the root is the one of the boot; it is told all the same.
        let _ = nix::unistd::pivot_root(&new, &old);
        exit_now(0);
    });
    let event = act(recorder, pid, SystemAct::PivotRoot);
    let expected = [("new_root", new.to_str().unwrap()), ("put_old", old.to_str().unwrap())];
    assert_arguments(&event, &expected);
}

#[test]
fn who_is_traced_is_told_with_the_request() {
    let recorder = recorder();
    let target = Running::sleep(|command| command);
    let pid = call_in_fork(libc::SYS_ptrace, [0x4206, u64::from(target.pid()), 0, 0, 0]);
    let event = act(recorder, pid, SystemAct::Ptrace);
    assert_result(&event, 0);
    assert_arguments(
        &event,
        &[("request", "PTRACE_SEIZE"), ("pid", &target.pid().to_string()), ("addr", "0x0")],
    );
    let expected = recorder.exec_of(target.pid()).process;
    assert_eq!(event.target.expect("it has a target").key, expected);
}

#[test]
fn a_process_that_asks_to_be_traced_is_told_with_its_tracer() {
    let recorder = recorder();
    let pid = call_in_fork(libc::SYS_ptrace, [0, 0, 0, 0, 0]);
    let event = act(recorder, pid, SystemAct::Ptrace);
    assert_arguments(&event, &[("request", "PTRACE_TRACEME")]);
    assert_eq!(event.target.expect("it has a target").key.pid, std::process::id());
}

#[test]
fn changing_a_traced_process_is_told_and_reading_it_is_not() {
    static WORD: AtomicU32 = AtomicU32::new(7);
    let recorder = recorder();
    let address = std::ptr::from_ref(&WORD) as u64;
    let (pid, _) = in_fork(|| {
        let traced = paused_child();
        // SAFETY: plain numbers; the address is one of the traced process, which is a copy of this one.
        unsafe {
            libc::ptrace(libc::PTRACE_ATTACH, traced.as_raw(), 0, 0);
            libc::waitpid(traced.as_raw(), std::ptr::null_mut(), 0);
            libc::ptrace(libc::PTRACE_PEEKDATA, traced.as_raw(), address, 0);
            libc::ptrace(libc::PTRACE_POKEDATA, traced.as_raw(), address, 8);
            libc::kill(traced.as_raw(), libc::SIGKILL);
        }
        exit_now(0);
    });
    let event = recorder.system_act(pid, "PTRACE_POKEDATA", |event| {
        event.argument("request") == Some("PTRACE_POKEDATA")
    });
    assert_arguments(&event, &[("addr", &format!("{address:#x}"))]);
    let told = recorder.all(|record| requests_of(record, pid));
    assert_eq!(told, ["PTRACE_ATTACH", "PTRACE_POKEDATA"]);
}

fn requests_of(record: &KernelRecord, pid: u32) -> Option<String> {
    let KernelRecord::Act(act) = record else { return None };
    match &act.event {
        event_model::EventKind::System(event)
            if act.process.pid == pid && event.act == SystemAct::Ptrace =>
        {
            event.argument("request").map(str::to_owned)
        }
        _ => None,
    }
}

/// A child that does nothing until a signal ends it. It dies with its parent.
pub fn paused_child() -> Pid {
    let parent = getpid();
    // SAFETY: the child only waits.
    match unsafe { fork() }.expect("a process can be made") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            // SAFETY: plain numbers.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            // The parent may have died before it asked.
            if getppid() != parent {
                exit_now(0);
            }
            loop {
                pause();
            }
        }
    }
}

/// The first child of a process, as the kernel told of it.
pub fn child_of(recorder: &Recorder, pid: u32) -> ProcessKey {
    recorder.expect(&format!("a fork by {pid}"), |record| match record {
        KernelRecord::Fork(fork) if fork.creator.pid == pid => Some(fork.child),
        _ => None,
    })
}

#[test]
fn a_target_in_a_pid_namespace_is_found_by_the_number_that_it_has_there() {
    let recorder = recorder();
    let (outer, _) = in_fork(|| {
        unshare(CloneFlags::CLONE_NEWPID).expect("we are root");
        // SAFETY: the child calls nothing that another thread of this program could hold.
        let inner = unsafe { fork() }.expect("a process can be made");
        if let ForkResult::Parent { child } = inner {
            nix::sys::wait::waitpid(child, None).expect("it is our child");
            exit_now(0);
        }
        let target = paused_child();
        assert_eq!(target.as_raw(), 2, "it is the second process of the namespace");
        // SAFETY: plain numbers.
        unsafe { libc::ptrace(libc::PTRACE_SEIZE, target.as_raw(), 0, 0) };
        exit_now(0);
    });
    let inner = child_of(recorder, outer);
    let event = act(recorder, inner.pid, SystemAct::Ptrace);
    assert_arguments(&event, &[("request", "PTRACE_SEIZE"), ("pid", "2")]);
    assert_eq!(event.target.expect("it has a target").key, child_of(recorder, inner.pid));
}

#[test]
fn a_process_that_renames_or_hides_itself_is_told() {
    let recorder = recorder();
    let name = c"kworker/0:9";
    let (pid, _) = in_fork(|| {
        // SAFETY: plain numbers, and a text with its NUL.
        unsafe {
            libc::prctl(libc::PR_SET_NAME, name.as_ptr());
            libc::prctl(libc::PR_SET_DUMPABLE, 0);
            libc::prctl(libc::PR_SET_KEEPCAPS, 1);
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        }
        exit_now(0);
    });
    let of = |option: &str| {
        recorder.system_act(pid, option, |event| event.argument("option") == Some(option))
    };
    assert_arguments(&of("PR_SET_NAME"), &[("name", "kworker/0:9")]);
    assert_arguments(&of("PR_SET_DUMPABLE"), &[("arg2", "0")]);
    assert_arguments(&of("PR_SET_KEEPCAPS"), &[("arg2", "1")]);
    let told = recorder.all(|record| match record {
        KernelRecord::Act(act) if act.process.pid == pid => Some(act.event.name()),
        _ => None,
    });
    let options = told.iter().filter(|name| **name == "prctl").count();
    assert_eq!(options, 3, "what gives privileges up is not told: {told:?}");
}

#[test]
fn a_signal_that_ends_a_process_is_told_and_the_kernels_own_are_not() {
    let recorder = recorder();
    let mut target = Running::sleep(|command| command);
    let key = recorder.exec_of(target.pid()).process;
    let killer = call_in_fork(libc::SYS_kill, [u64::from(target.pid()), 15, 0, 0, 0]);
    let event = act(recorder, killer, SystemAct::Kill);
    assert_eq!(event.result, Some(0));
    assert_arguments(&event, &[("sig", "SIGTERM"), ("code", "SI_USER")]);
    assert_eq!(event.target.expect("it has a target").key, key);
    target.0.wait().unwrap();
    let ended = key.pid;
    let told = recorder.all(|record| match record {
        KernelRecord::Act(act) if act.process.pid == ended => Some(act.event.name()),
        _ => None,
    });
    assert!(!told.contains(&"kill"), "the kernel tells parents that a child ended: {told:?}");
}

#[test]
fn a_signal_that_changes_nothing_is_not_told() {
    let recorder = recorder();
    let target = Running::sleep(|command| command);
    let key = recorder.exec_of(target.pid()).process;
    let harmless = call_in_fork(libc::SYS_kill, [u64::from(key.pid), 0, 0, 0, 0]);
    let stopping = call_in_fork(libc::SYS_kill, [u64::from(key.pid), 19, 0, 0, 0]);
    assert_arguments(&act(recorder, stopping, SystemAct::Kill), &[("sig", "SIGSTOP")]);
    let told = recorder.all(|record| match record {
        KernelRecord::Act(act) if act.process.pid == harmless => Some(act.event.name()),
        _ => None,
    });
    assert!(!told.contains(&"kill"), "{told:?}");
}

/// What protects the sensor: whoever traces and kills a process like it is told with that process as the target.
#[test]
fn whoever_traces_and_kills_a_sensor_is_told() {
    let recorder = recorder();
    let sensor = Running::sleep(|command| command);
    let key = recorder.exec_of(sensor.pid()).process;
    let number = sensor.0.id().cast_signed();
    let (attacker, _) = in_fork(|| {
        // SAFETY: plain numbers.
        unsafe {
            libc::ptrace(libc::PTRACE_ATTACH, number, 0, 0);
            libc::kill(number, libc::SIGKILL);
        }
        exit_now(0);
    });
    for kind in [SystemAct::Ptrace, SystemAct::Kill] {
        let event = act(recorder, attacker, kind);
        assert_eq!(event.target.expect("it has a target").key, key, "{event:?}");
    }
}

#[test]
fn a_session_that_begins_is_told() {
    let recorder = recorder();
    let pid = call_in_fork(libc::SYS_setsid, [0; 5]);
    let event = act(recorder, pid, SystemAct::Setsid);
    assert_result(&event, i64::from(pid));
}

#[test]
fn a_connection_on_standard_input_is_told_with_its_far_end() {
    raise_loopback();
    let recorder = recorder();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let descriptor = stream.as_raw_fd();
    let (pid, _) = in_fork(|| {
        // SAFETY: plain numbers.
        unsafe { libc::dup2(descriptor, 0) };
        exit_now(0);
    });
    let event = act(recorder, pid, SystemAct::Dup);
    assert_result(&event, 0);
    assert_arguments(
        &event,
        &[
            ("oldfd", &descriptor.to_string()),
            ("newfd", "0"),
            ("family", "AF_INET"),
            ("remote", &listener.local_addr().unwrap().to_string()),
            ("local", &stream.local_addr().unwrap().to_string()),
        ],
    );
}

#[test]
fn a_socket_that_takes_a_free_standard_descriptor_is_told() {
    let recorder = recorder();
    let socket = UdpSocket::bind("[::]:0").unwrap();
    let descriptor = socket.as_raw_fd();
    for duplicate in [libc::SYS_dup, libc::SYS_fcntl] {
        let (pid, _) = in_fork(|| {
            // SAFETY: plain numbers. 0 is F_DUPFD.
            unsafe {
                libc::close(1);
                libc::syscall(duplicate, descriptor, 0, 1);
            }
            exit_now(0);
        });
        let event = act(recorder, pid, SystemAct::Dup);
        assert_arguments(&event, &[("newfd", "1"), ("family", "AF_INET6")]);
    }
}

#[test]
fn files_and_unix_sockets_as_standard_output_are_not_told() {
    let recorder = recorder();
    let (one, _other) = UnixStream::pair().unwrap();
    let file = File::open("/dev/null").unwrap();
    let (pid, _) = in_fork(|| {
        // SAFETY: plain numbers.
        unsafe {
            libc::dup2(one.as_raw_fd(), 1);
            libc::dup2(file.as_raw_fd(), 2);
        }
        exit_now(0);
    });
    recorder.exit_of(pid);
    let told = recorder.all(|record| match record {
        KernelRecord::Act(act) if act.process.pid == pid => Some(act.event.name()),
        _ => None,
    });
    assert!(!told.contains(&"dup"), "{told:?}");
    run(Command::new("/bin/true").arg("the descriptors of this process are as they were"));
}

#[test]
fn the_number_of_a_process_is_the_hosts() {
    assert_eq!(pid_number(nix::unistd::getpid()), recorder().own_key().pid);
}
