//! What becomes of acts: that each is told with its outcome, those included that the kernel refuses somebody without privileges.

use crate::acts::{exit_now, in_fork};
use crate::recorder::{hook_of, outcomes_are_told, recorder};
use collector_ds::kernel::KernelRecord;
use event_model::{EventKind, FileAct, NetworkAct, SystemAct, SystemEvent};
use nix::libc;
use std::ffi::{CString, c_int};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const NOBODY: u64 = 65534;

/// Kinds that are not told before they are done, and so have their outcome, or have none: what is given to a ring.
const OF_ITSELF: [&str; 3] = ["kill", "io_uring_setup", "io_uring"];

/// The function of a call that some kernels (5.10) leave out of the description of themselves: nothing can be attached there.
const PERF_EVENT_OPEN: &[u8] = b"\0__x64_sys_perf_event_open\0";

fn is_described(name: &[u8]) -> bool {
    let types = fs::read("/sys/kernel/btf/vmlinux").unwrap();
    types.windows(name.len()).any(|bytes| bytes == name)
}

/// A folder of root's that others may look into, with a file in it.
fn roots_folder() -> (tempfile::TempDir, PathBuf) {
    recorder();
    let folder = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir()
        .expect("a folder can be made");
    let file = folder.path().join("file");
    fs::write(&file, "content").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    (folder, file)
}

fn c(path: &Path) -> CString {
    CString::new(path.to_str().unwrap()).unwrap()
}

/// Does something as nobody, in a process of its own.
fn as_nobody(act: impl FnOnce()) -> u32 {
    in_fork(|| {
        // SAFETY: plain numbers.
        unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
        act();
        exit_now(0);
    })
    .0
}

/// A system call of nobody's. Returns its process.
fn call_as_nobody(number: libc::c_long, arguments: [u64; 3]) -> u32 {
    let [first, second, third] = arguments;
    long_call_as_nobody(number, [first, second, third, 0, 0])
}

fn long_call_as_nobody(number: libc::c_long, arguments: [u64; 5]) -> u32 {
    let [first, second, third, fourth, fifth] = arguments;
    as_nobody(|| {
        // SAFETY: callers pass numbers, or addresses of memory that the child has a copy of.
        unsafe { libc::syscall(number, first, second, third, fourth, fifth, 0) };
    })
}

/// Nobody's act on a path of root's, which the call takes at first, is told with the error.
fn assert_refused(
    act: FileAct,
    path: &Path,
    error: c_int,
    number: libc::c_long,
    arguments: [u64; 2],
) {
    let text = c(path);
    let pid = call_as_nobody(number, [text.as_ptr() as u64, arguments[0], arguments[1]]);
    assert_told(pid, act, path, error);
}

fn assert_told(pid: u32, act: FileAct, path: &Path, error: c_int) {
    let what = format!("{} of {}", act.name(), path.display());
    let event = recorder()
        .file_act(pid, &what, |event| event.act == act && event.path == path.to_str().unwrap());
    let expected = u16::try_from(error).unwrap();
    assert_eq!(event.error, outcomes_are_told(act.name()).then_some(expected), "{event:?}");
}

#[test]
fn the_outcome_of_every_act_is_told_where_a_hook_can() {
    recorder();
    let acts = FileAct::ALL.into_iter().map(FileAct::name);
    for kind in acts.chain(SystemAct::ALL.iter().map(|act| act.name())) {
        let hook = hook_of(kind);
        // Without its better hook (before 5.13) chattr is one of all too many ioctls.
        let excepted = OF_ITSELF.contains(&kind)
            || hook.contains("file_ioctl")
            || (kind == "perf_event_open" && !is_described(PERF_EVENT_OPEN));
        assert!(excepted || outcomes_are_told(kind), "{kind}: {hook}");
    }
}

#[test]
fn acts_on_files_that_are_refused_are_told_with_the_error() {
    let (folder, file) = roots_folder();
    let other = folder.path().join("other");
    let to = c(&other);
    let (to, pipe) = (to.as_ptr() as u64, u64::from(libc::S_IFIFO));
    assert_refused(FileAct::Unlink, &file, libc::EACCES, libc::SYS_unlink, [0, 0]);
    assert_refused(FileAct::Rename, &file, libc::EACCES, libc::SYS_rename, [to, 0]);
    assert_refused(FileAct::Mkdir, &other, libc::EACCES, libc::SYS_mkdir, [0o700, 0]);
    assert_refused(FileAct::Mknod, &other, libc::EACCES, libc::SYS_mknod, [pipe | 0o600, 0]);
    assert_refused(FileAct::Chmod, &file, libc::EPERM, libc::SYS_chmod, [0o777, 0]);
    assert_refused(FileAct::Chown, &file, libc::EPERM, libc::SYS_chown, [NOBODY, 0]);
    assert_refused(FileAct::Utimes, &file, libc::EACCES, libc::SYS_utimes, [0, 0]);
    let text = c"/etc/passwd".as_ptr() as u64;
    let pid = call_as_nobody(libc::SYS_symlink, [text, to, 0]);
    assert_told(pid, FileAct::Symlink, &other, libc::EACCES);
}

#[test]
fn a_mount_that_is_refused_is_told_with_the_error() {
    let (folder, _) = roots_folder();
    let at = c(folder.path());
    let (source, kind) = (c"none".as_ptr() as u64, c"tmpfs".as_ptr() as u64);
    let pid = call_as_nobody(libc::SYS_mount, [source, at.as_ptr() as u64, kind]);
    assert_told(pid, FileAct::Mount, folder.path(), libc::EPERM);
}

#[test]
fn an_open_that_is_refused_is_told_with_the_error() {
    let (_folder, file) = roots_folder();
    assert_refused(FileAct::Open, &file, libc::EACCES, libc::SYS_open, [0, 0]);
}

/// A call of nobody's, by its number, is told with what it returned.
fn assert_system_refused(act: SystemAct, error: c_int, number: libc::c_long, arguments: [u64; 3]) {
    assert_refusal_is_told(call_as_nobody(number, arguments), act, error);
}

/// What a process did is told with the error. Returns the event.
fn assert_refusal_is_told(pid: u32, act: SystemAct, error: c_int) -> SystemEvent {
    let refused = |result: i64| result == -i64::from(error);
    let event = recorder().system_act(pid, act.name(), |event| {
        // To become nobody is an act itself.
        event.act == act && event.result.is_some_and(refused)
    });
    assert!(event.result.is_some_and(refused), "{event:?}");
    event
}

#[test]
fn who_may_not_reach_into_another_process_is_told_with_it() {
    recorder();
    if !outcomes_are_told("pidfd_getfd") {
        println!("this kernel tells permitted acts alone");
        return;
    }
    let own = std::process::id();
    let word = 7_u32;
    let part = libc::iovec { iov_base: (&raw const word).cast_mut().cast(), iov_len: 4 };
    let part = (&raw const part) as u64;
    let arguments = [own.into(), part, 1, part, 1];
    let calls = [
        (SystemAct::ProcessVmReadv, libc::SYS_process_vm_readv),
        (SystemAct::ProcessVmWritev, libc::SYS_process_vm_writev),
    ];
    for (act, number) in calls {
        let pid = long_call_as_nobody(number, arguments);
        let event = assert_refusal_is_told(pid, act, libc::EPERM);
        assert_eq!(event.target.expect("it has a target").key.pid, own);
    }
    // SAFETY: plain numbers.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, own, 0) };
    let arguments = [u64::try_from(descriptor).unwrap(), 0, 0];
    let pid = call_as_nobody(libc::SYS_pidfd_getfd, arguments);
    let event = assert_refusal_is_told(pid, SystemAct::PidfdGetfd, libc::EPERM);
    assert_eq!(event.target.expect("it has a target").key.pid, own);
    assert_eq!(event.argument("pid"), Some(&*own.to_string()));
    // SAFETY: it was opened above, and is nobody else's.
    unsafe { libc::close(i32::try_from(descriptor).unwrap()) };
}

#[test]
fn acts_on_the_system_that_are_refused_are_told_with_the_error() {
    recorder();
    if !outcomes_are_told("setuid") {
        println!("this kernel tells permitted acts alone");
        return;
    }
    let root = c"/".as_ptr() as u64;
    assert_system_refused(SystemAct::Setuid, libc::EPERM, libc::SYS_setuid, [0, 0, 0]);
    assert_system_refused(SystemAct::Setgid, libc::EPERM, libc::SYS_setresgid, [1, 2, 3]);
    assert_system_refused(SystemAct::Chroot, libc::EPERM, libc::SYS_chroot, [root, 0, 0]);
    assert_system_refused(SystemAct::PivotRoot, libc::EPERM, libc::SYS_pivot_root, [root, root, 0]);
    let new_network = u64::try_from(libc::CLONE_NEWNET).unwrap();
    assert_system_refused(SystemAct::Unshare, libc::EPERM, libc::SYS_unshare, [new_network, 0, 0]);
    let tracer = u64::from(std::process::id());
    assert_system_refused(SystemAct::Ptrace, libc::EPERM, libc::SYS_ptrace, [0x4206, tracer, 0]);
    // struct __user_cap_header_struct of this thread, and the two halves of three sets.
    let (header, sets): ([u32; 2], [u32; 6]) = ([0x2008_0522, 0], [1, 1, 0, 0, 0, 0]);
    let arguments = [header.as_ptr() as u64, sets.as_ptr() as u64, 0];
    assert_system_refused(SystemAct::Capset, libc::EPERM, libc::SYS_capset, arguments);
}

#[test]
fn a_raw_socket_that_is_refused_is_told_with_the_error() {
    recorder();
    let pid = as_nobody(|| {
        // SAFETY: plain numbers.
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP) };
    });
    let error = recorder().act_of(pid, "a raw socket", |record| match &record.event {
        EventKind::Network(event) if event.act == NetworkAct::Socket => Some(event.error),
        _ => None,
    });
    assert_eq!(error, Some(libc::EPERM.try_into().unwrap()));
}

#[test]
fn each_act_of_a_call_has_the_outcome_of_the_call() {
    recorder();
    let memory = 3 * 4096;
    let (pid, _) = in_fork(|| {
        // SAFETY: the kernel chooses where; what is changed is ours. The middle page is another area.
        unsafe {
            let (write, none) = (libc::PROT_READ | libc::PROT_WRITE, std::ptr::null_mut());
            let area =
                libc::mmap(none, memory, write, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
            libc::mprotect(area.byte_add(4096), 4096, libc::PROT_READ);
            libc::mprotect(area, memory, libc::PROT_READ | libc::PROT_EXEC);
        }
        exit_now(0);
    });
    let event = recorder().system_act(pid, "mprotect", |event| event.act == SystemAct::Mprotect);
    assert_eq!(event.result, outcomes_are_told("mprotect").then_some(0));
    let told = recorder().all(|record| match record {
        KernelRecord::Act(act) if act.process.pid == pid => match &act.event {
            EventKind::System(event) if event.act == SystemAct::Mprotect => Some(event.result),
            _ => None,
        },
        _ => None,
    });
    assert!(told.iter().all(|result| *result == event.result), "{told:?}");
}
