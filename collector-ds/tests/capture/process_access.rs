//! What processes read, write and take of others: their memory and their descriptors.

use crate::acts::{Running, exit_now, in_fork};
use crate::loopback::raise_loopback;
use crate::processes::{act, assert_arguments, assert_result, child_of, paused_child};
use crate::races::{LONGEST, ROUNDS, Told, judge};
use crate::recorder::recorder;
use collector_ds::kernel::KernelRecord;
use event_model::{EventKind, SystemAct, SystemEvent};
use nix::libc;
use nix::unistd::Pid;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

/// process_vm_readv or process_vm_writev of one word that stands at the same address in both processes. Returns how many bytes.
fn transfer(number: libc::c_long, target: Pid, local: *const u32, remote: *const u32) -> i64 {
    let part =
        |address: *const u32| libc::iovec { iov_base: address.cast_mut().cast(), iov_len: 4 };
    let (local, remote) = (part(local), part(remote));
    // SAFETY: callers pass four bytes of memory that exists; the target is a copy of this process.
    unsafe {
        libc::syscall(
            number,
            target.as_raw(),
            &raw const local,
            1_u64,
            &raw const remote,
            1_u64,
            0_u64,
        )
    }
}

/// A descriptor of a process. Panics where there is none.
fn descriptor_of(process: Pid) -> OwnedFd {
    // SAFETY: plain numbers.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0) };
    let descriptor = RawFd::try_from(descriptor).unwrap();
    assert!(descriptor >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: it was just opened, and is nobody else's.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// Takes a descriptor of another process.
fn take(process: &impl AsRawFd, wanted: RawFd) -> RawFd {
    // SAFETY: plain numbers.
    let taken = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), wanted, 0) };
    RawFd::try_from(taken).unwrap()
}

/// All that a process did of one kind.
fn all(pid: u32, kind: SystemAct) -> Vec<SystemEvent> {
    recorder().all(|record| match record {
        KernelRecord::Act(act) if act.process.pid == pid => match &act.event {
            EventKind::System(event) if event.act == kind => Some(event.as_ref().clone()),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn writing_to_another_process_is_told_with_the_target() {
    static WORD: AtomicU32 = AtomicU32::new(7);
    let recorder = recorder();
    let (pid, _) = in_fork(|| {
        let (target, value) = (paused_child(), 8);
        let written =
            transfer(libc::SYS_process_vm_writev, target, &raw const value, WORD.as_ptr());
        exit_now(i32::from(written != 4));
    });
    assert_eq!(WORD.load(Ordering::Relaxed), 7, "only the target's copy was written");
    let event = act(recorder, pid, SystemAct::ProcessVmWritev);
    assert_result(&event, 4);
    let target = child_of(recorder, pid);
    assert_eq!(event.target.expect("it has a target").key, target);
    assert_arguments(&event, &[("pid", &target.pid.to_string()), ("riovcnt", "1")]);
}

#[test]
fn reading_another_process_is_told_with_the_target_and_reading_oneself_is_not() {
    static WORD: AtomicU32 = AtomicU32::new(7);
    let recorder = recorder();
    let (pid, status) = in_fork(|| {
        let target = paused_child();
        let read = AtomicU32::new(0);
        let number = libc::SYS_process_vm_readv;
        let own = transfer(number, nix::unistd::getpid(), read.as_ptr(), WORD.as_ptr());
        let others = transfer(number, target, read.as_ptr(), WORD.as_ptr());
        exit_now(i32::from([own, others, read.load(Ordering::Relaxed).into()] != [4, 4, 7]));
    });
    assert!(status.success(), "{status}");
    let event = act(recorder, pid, SystemAct::ProcessVmReadv);
    assert_result(&event, 4);
    let target = child_of(recorder, pid);
    assert_eq!(event.target.expect("it has a target").key, target);
    assert_arguments(&event, &[("pid", &target.pid.to_string()), ("riovcnt", "1")]);
    assert_eq!(all(pid, SystemAct::ProcessVmReadv), [event]);
}

#[test]
fn taking_a_descriptor_of_another_process_is_told_with_the_target() {
    let recorder = recorder();
    let target = Running::sleep(|command| command);
    let descriptor = descriptor_of(Pid::from_raw(target.pid().cast_signed()));
    let (pid, status) = in_fork(|| exit_now(take(&descriptor, 2)));
    let event = act(recorder, pid, SystemAct::PidfdGetfd);
    assert_result(&event, status.code().unwrap().into());
    assert_arguments(&event, &[("pid", &target.pid().to_string()), ("fd", "2")]);
    let expected = recorder.exec_of(target.pid()).process;
    assert_eq!(event.target.expect("it has a target").key, expected);
    assert_eq!(event.argument("source"), None, "nobody shares the descriptor: {event:?}");
}

#[test]
fn a_descriptor_that_stands_for_no_process_is_told_without_a_target_or_not_at_all() {
    let recorder = recorder();
    let file = File::open("/dev/null").unwrap();
    let (pid, _) = in_fork(|| {
        // SAFETY: plain numbers.
        let events = unsafe { libc::eventfd(7, 0) };
        exit_now(i32::from(take(&file, 2) >= 0 || take(&events, 2) >= 0));
    });
    recorder.exit_of(pid);
    for event in all(pid, SystemAct::PidfdGetfd) {
        assert_eq!((event.target, event.argument("pid")), (None, None), "{event:?}");
    }
}

#[test]
fn a_socket_of_another_process_on_standard_input_is_told_as_taken_and_as_duplicated() {
    raise_loopback();
    let recorder = recorder();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (owner, socket) = (descriptor_of(nix::unistd::getpid()), stream.as_raw_fd());
    let (pid, status) = in_fork(|| {
        // SAFETY: plain numbers.
        unsafe { libc::close(0) };
        exit_now(take(&owner, socket));
    });
    assert_eq!(status.code(), Some(0), "the lowest free descriptor");
    let taken = act(recorder, pid, SystemAct::PidfdGetfd);
    assert_arguments(&taken, &[("fd", &socket.to_string())]);
    assert_eq!(taken.target.expect("it has a target").key, recorder.own_key());
    let duplicate = act(recorder, pid, SystemAct::Dup);
    let far = listener.local_addr().unwrap().to_string();
    assert_arguments(&duplicate, &[("newfd", "0"), ("remote", &far)]);
}

/// The descriptor that pidfd_getfd is given stands now for this process, now for that one: threads share descriptors.
#[test]
fn the_process_of_a_descriptor_is_told_or_told_as_the_callers() {
    recorder();
    let files = ["/proc/version", "/proc/uptime"];
    let targets =
        files.map(|path| Running::sleep(|command| command.stdin(File::open(path).unwrap())));
    let [a, b] =
        targets.each_ref().map(|one| descriptor_of(Pid::from_raw(one.pid().cast_signed())));
    let flipping = a.try_clone().unwrap();
    let inode_of_a = fs::metadata(files[0]).unwrap().ino();
    let over = AtomicBool::new(false);
    let (thread, done) = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for one in [&b, &a] {
                    // SAFETY: both descriptors are open, and stay so.
                    unsafe { libc::dup2(one.as_raw_fd(), flipping.as_raw_fd()) };
                }
            }
        });
        let acting = scope.spawn(|| {
            let begin = Instant::now();
            let mut done = vec![];
            while done.len() < ROUNDS && begin.elapsed() < LONGEST {
                // SAFETY: it was just made, and is nobody else's.
                let taken = unsafe { File::from_raw_fd(take(&flipping, 0)) };
                let is_a = taken.metadata().unwrap().ino() == inode_of_a;
                done.push(if is_a { b'a' } else { b'b' });
            }
            (nix::unistd::gettid().as_raw().cast_unsigned(), done)
        });
        let acted = acting.join();
        over.store(true, Ordering::Relaxed);
        acted.unwrap()
    });
    let told: Vec<_> = recorder().all(|record| match record {
        KernelRecord::Act(act) if act.thread == thread => match &act.event {
            EventKind::System(event) if event.act == SystemAct::PidfdGetfd => {
                let is = |one: &Running| event.target.is_some_and(|told| told.key.pid == one.pid());
                let what = if is(&targets[0]) { b'a' } else { b'b' };
                Some(Told { what, callers_word: event.argument("source").is_some() })
            }
            _ => None,
        },
        _ => None,
    });
    judge("pidfd_getfd", *b"ab", &told, &done);
}
