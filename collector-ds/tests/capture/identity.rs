//! Who runs a program: against what `/proc` tells of the same process.

use crate::acts::{Running, TRUE, copy_of_true, exit_now, in_fork, in_thread, run};
use crate::recorder::recorder;
use collector_ds::kernel::{ExecRecord, Identity, snapshot};
use event_model::{EventKind, Executable};
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

const NOBODY: u32 = 65534;

/// What `/proc` tells of a process.
fn from_proc(pid: u32) -> ExecRecord {
    let snapshot = snapshot(Path::new("/proc"));
    let found = snapshot.processes.into_iter().find(|record| record.process.pid == pid);
    found.unwrap_or_else(|| panic!("process {pid} is not in /proc"))
}

/// What the kernel's record tells and `/proc` can't, taken out.
fn without_kernel_knowledge(exec: ExecRecord, like: &ExecRecord) -> ExecRecord {
    ExecRecord {
        environment: Box::default(),
        time: like.time,
        executable: Executable {
            invoked_as: String::new(),
            upper_layer: false,
            ..exec.executable.clone()
        },
        ..exec
    }
}

fn assert_same_as_proc(process: &Running) {
    let exec = recorder().exec_of(process.pid());
    let expected = from_proc(process.pid());
    assert!(exec.time >= expected.time, "it began before its process");
    assert_eq!(without_kernel_knowledge(exec, &expected), expected);
}

#[test]
fn an_exec_tells_what_proc_tells() {
    recorder();
    let process = Running::sleep(|command| command.args(["600", "1"]).current_dir("/usr"));
    assert_same_as_proc(&process);
    let exec = recorder().exec_of(process.pid());
    assert_eq!(exec.arguments, ["/bin/sleep", "600", "600", "1"]);
    assert_eq!(exec.executable.invoked_as, "/bin/sleep");
    assert_eq!(exec.name, "sleep");
    assert_eq!(exec.working_directory, "/usr");
    assert_eq!(exec.parent, Some(recorder().own_key()));
    assert_eq!(exec.terminal, None);
}

#[test]
fn a_process_without_privileges_tells_what_proc_tells() {
    recorder();
    let process = Running::sleep(|command| command.uid(NOBODY).gid(NOBODY - 1).current_dir("/"));
    assert_same_as_proc(&process);
    let credentials = recorder().exec_of(process.pid()).credentials;
    assert_eq!((credentials.uid, credentials.euid), (NOBODY, NOBODY));
    assert_eq!((credentials.gid, credentials.egid), (NOBODY - 1, NOBODY - 1));
    assert_eq!(credentials.capabilities_effective, 0);
}

#[test]
fn a_name_that_is_no_text_hides_nothing_else_from_the_snapshot() {
    let folder = open_to_all();
    let script = folder.path().join(OsStr::from_bytes(b"na\xffme"));
    fs::write(&script, "#!/bin/sh\nread line\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&script);
    let command = command.stdin(Stdio::piped()).uid(NOBODY).gid(NOBODY).current_dir("/");
    let process = Running(command.spawn().expect("a script can be run"));
    let found = from_proc(process.pid());
    assert_eq!(found.name, "na\u{fffd}me");
    assert_eq!((found.credentials.uid, found.credentials.gid), (NOBODY, NOBODY));
    assert_ne!(found.namespace_pid, 0);
}

/// A folder that other users may enter.
fn open_to_all() -> tempfile::TempDir {
    let mode = fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().permissions(mode).tempdir().expect("a folder can be made")
}

#[test]
fn a_set_user_id_program_shows_who_called_it_and_whom_it_acts_for() {
    let recorder = recorder();
    let folder = open_to_all();
    let program = copy_of_true(&folder.path().join("setuid"), 0o4755);
    let exec = recorder.exec_of(run(Command::new(program).uid(NOBODY).gid(NOBODY)));
    assert_eq!((exec.credentials.uid, exec.credentials.euid), (NOBODY, 0));
    assert_eq!((exec.credentials.gid, exec.credentials.egid), (NOBODY, NOBODY));
    assert_eq!(exec.executable.mode & 0o7777, 0o4755);
    assert_eq!(exec.executable.owner, 0);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap();
    let bounding = u64::from_str_radix(bounding, 16).unwrap();
    assert_eq!(exec.credentials.capabilities_effective, bounding);
    assert_eq!(exec.credentials.capabilities_permitted, bounding);
}

#[test]
fn who_logged_in_stays_known() {
    recorder();
    let log_in = || fs::write("/proc/self/loginuid", "1234");
    let process = Running::sleep(|command| {
        // SAFETY: the child writes a few bytes to a file; glibc keeps the allocator usable across fork.
        unsafe { command.pre_exec(log_in) }
    });
    assert_same_as_proc(&process);
    assert_eq!(recorder().exec_of(process.pid()).credentials.login_uid, Some(1234));
}

#[test]
fn a_process_in_its_own_pid_namespace_shows_both_ids() {
    let recorder = recorder();
    let exec = recorder.exec_of(in_thread(|| {
        unshare(CloneFlags::CLONE_NEWPID).unwrap();
        run(&mut Command::new(TRUE))
    }));
    assert_eq!(exec.namespace_pid, 1);
    assert_eq!(recorder.fork_of(exec.process.pid).namespace_pid, 1);
    assert_ne!(exec.process.pid, 1);
}

/// A new pseudo-terminal: its master, and the number of its slave.
fn open_terminal() -> (File, u32) {
    let master = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/ptmx")
        .expect("this system has pseudo-terminals");
    let (mut number, unlocked) = (0_u32, 0_i32);
    // SAFETY: both requests take a pointer to one int, which lives until they return.
    let results = unsafe {
        [
            libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, &raw mut number),
            libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked),
        ]
    };
    assert_eq!(results, [0, 0], "{}", io::Error::last_os_error());
    (master, number)
}

#[test]
fn a_process_at_a_terminal_shows_it() {
    recorder();
    let (_master, number) = open_terminal();
    let path = format!("/dev/pts/{number}");
    let slave = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let slave_number = slave.as_raw_fd();
    let take_terminal = move || {
        nix::unistd::setsid()?;
        // SAFETY: TIOCSCTTY takes a plain number.
        match unsafe { libc::ioctl(slave_number, libc::TIOCSCTTY, 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    let process = Running::sleep(|command| {
        // SAFETY: the child makes two system calls.
        unsafe { command.pre_exec(take_terminal) }
    });
    assert_same_as_proc(&process);
    let terminal = recorder().exec_of(process.pid()).terminal;
    assert_eq!(terminal, Some(format!("pts{number}")));
}

#[test]
fn an_act_tells_as_whom_it_was_done_whoever_began_the_program() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let path = folder.path().join("made");
    recorder();
    let (pid, _) = in_fork(|| {
        // SAFETY: plain numbers; the child has one thread.
        unsafe {
            libc::syscall(libc::SYS_setresgid, 1001, 1002, 0);
            libc::syscall(libc::SYS_setresuid, 1003, NOBODY, 0);
        }
        exit_now(i32::from(fs::create_dir(&path).is_err()));
    });
    let path = path.to_str().unwrap();
    let identity = recorder().act_of(pid, "mkdir", |act| match &act.event {
        EventKind::File(event) if event.path == path => Some(act.identity),
        _ => None,
    });
    assert_eq!(identity, Identity { uid: 1003, euid: NOBODY, gid: 1001, egid: 1002 });
}

#[test]
fn a_process_tells_whether_it_leads_its_group() {
    let recorder = recorder();
    let leader = recorder.exec_of(run(Command::new(TRUE).process_group(0)));
    assert_eq!(leader.process_group, leader.namespace_pid);
    let member = recorder.exec_of(run(&mut Command::new(TRUE)));
    assert_eq!(member.process_group, nix::unistd::getpgrp().as_raw().cast_unsigned());
    assert_ne!(member.process_group, member.namespace_pid);
}
