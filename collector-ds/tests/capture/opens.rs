//! Files that are opened.

use crate::recorder::{hook_of, outcomes_are_told, recorder};
use ebpf_probes::KernelRecord;
use event_model::{EventKind, FileAct, PathSource};
use nix::libc;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

#[test]
fn a_file_that_is_made_is_told_with_its_path_and_its_flags() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made");
    let file = File::create(&path).unwrap();
    let event = recorder.file_act(std::process::id(), "making a file", |event| {
        event.act == FileAct::Open && event.path == path.to_str().unwrap()
    });
    assert!(event.created, "{event:?}");
    assert_eq!(event.flag_symbols(), "O_WRONLY|O_CREAT|O_TRUNC|O_LARGEFILE");
    assert_eq!(event.inode, file.metadata().unwrap().ino());
    assert_eq!(event.path_source, PathSource::Kernel);
    assert_eq!(event.mode, file.metadata().unwrap().mode());
    assert_eq!(event.error, outcomes_are_told("open").then_some(0));
}

#[test]
fn a_file_opened_through_a_link_is_told_by_its_own_path() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "content").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    OpenOptions::new().append(true).open(&link).unwrap();
    let event = recorder.file_act(std::process::id(), "appending to a file", |event| {
        event.act == FileAct::Open && event.flags & 0o2000 != 0
    });
    assert_eq!(event.path, target.to_str().unwrap());
    assert!(!event.created && event.opens_for_writing());
}

#[test]
fn what_is_thrown_away_is_told_of_no_one() {
    let recorder = recorder();
    for device in ["/dev/null", "/dev/zero"] {
        OpenOptions::new().write(true).open(device).unwrap();
    }
    let opens = |path: &str| {
        recorder.file_act(std::process::id(), "opening /dev/zero", |event| {
            event.act == FileAct::Open && event.path == path
        })
    };
    assert!(opens("/dev/zero").opens_for_writing());
    let thrown_away = recorder.all(|record| match record {
        KernelRecord::Act(act) => match &act.event {
            EventKind::File(event) => (event.path == "/dev/null").then(|| event.clone()),
            _ => None,
        },
        _ => None,
    });
    assert!(thrown_away.is_empty(), "{:?}", thrown_away.first());
}

/// `struct file_handle` with room for any handle.
#[repr(C)]
struct Handle {
    bytes: u32,
    kind: i32,
    opaque: [u8; 128],
}

#[test]
fn a_file_opened_by_its_handle_is_told_by_its_path() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handled");
    fs::write(&path, "content").unwrap();
    let text = CString::new(path.to_str().unwrap()).unwrap();
    let mut handle = Handle { bytes: 128, kind: 0, opaque: [0; 128] };
    let mut mount = 0_i32;
    let directory = File::open(folder.path()).unwrap();
    // SAFETY: the text, the handle and the number live until the calls return, and the handle is as large as it says.
    let opened = unsafe {
        let (at, handle) = (libc::AT_FDCWD, &raw mut handle);
        let named = libc::syscall(
            libc::SYS_name_to_handle_at,
            at,
            text.as_ptr(),
            handle,
            &raw mut mount,
            0,
        );
        assert_eq!(named, 0, "{}", std::io::Error::last_os_error());
        libc::syscall(libc::SYS_open_by_handle_at, directory.as_raw_fd(), handle, libc::O_RDWR)
    };
    if opened < 0 {
        println!("this machine opens no handles: {}", std::io::Error::last_os_error());
        return;
    }
    let event = recorder.file_act(std::process::id(), "opening a handle", |event| {
        event.path == path.to_str().unwrap() && event.flags & 3 == 2
    });
    assert_eq!(event.error, outcomes_are_told("open").then_some(0));
}

#[test]
fn a_file_that_a_watcher_is_handed_is_told() {
    let recorder = recorder();
    if !hook_of("open").contains("dentry_open") && !hook_of("open").contains("file_open") {
        println!("the end of system calls does not show what a watcher is handed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handed");
    fs::write(&path, "content").unwrap();
    let text = CString::new(path.to_str().unwrap()).unwrap();
    let mut event = [0_u8; 64];
    // SAFETY: the text and the buffer live until the calls return.
    let read = unsafe {
        let watcher =
            libc::fanotify_init(libc::FAN_CLASS_NOTIF, u32::try_from(libc::O_RDWR).unwrap());
        if watcher < 0 {
            println!("this kernel has no watchers: {}", std::io::Error::last_os_error());
            return;
        }
        let mark = libc::FAN_MARK_ADD;
        let marked =
            libc::fanotify_mark(watcher, mark, libc::FAN_OPEN, libc::AT_FDCWD, text.as_ptr());
        assert_eq!(marked, 0, "{}", std::io::Error::last_os_error());
        File::open(&path).unwrap();
        libc::read(watcher, event.as_mut_ptr().cast(), event.len())
    };
    assert!(read > 0, "{}", std::io::Error::last_os_error());
    recorder.file_act(std::process::id(), "a file that is handed over", |event| {
        event.path == path.to_str().unwrap() && event.flags & 3 == 2
    });
}
