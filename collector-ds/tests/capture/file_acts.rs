//! What is done to files, each act by each of its calls.
//!
//! Every test names its files in a folder of its own: records are found by their paths.

use crate::recorder::{hook_of, outcomes_are_told, recorder};
use event_model::{FileAct, FileEvent, PathSource};
use nix::libc;
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A path as the C library takes it.
fn c(path: &Path) -> CString {
    CString::new(path.to_str().unwrap()).unwrap()
}

/// The error of a call.
fn done(result: impl Into<i64>) -> io::Result<()> {
    if result.into() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether the acts are seen at the end of system calls alone, so that paths may be the caller's.
fn ends_are_seen(act: FileAct) -> bool {
    hook_of(act.name()).contains("sys_exit/")
}

/// The act of this process on a file.
fn told(act: FileAct, path: &Path) -> FileEvent {
    let event = told_with(act, path, |_| true);
    assert!(event.error.is_none_or(|error| error == 0), "{event:?}");
    event
}

fn told_with(act: FileAct, path: &Path, pick: impl Fn(&FileEvent) -> bool) -> FileEvent {
    let what = format!("{} of {}", act.name(), path.display());
    let event = recorder().file_act(std::process::id(), &what, |event| {
        event.act == act && event.path == path.to_str().unwrap() && pick(event)
    });
    if !ends_are_seen(act) {
        assert_eq!(event.path_source, PathSource::Kernel, "{event:?}");
    }
    assert_eq!(event.error.is_some(), outcomes_are_told(act.name()), "{event:?}");
    event
}

/// A folder with a file in it. The programs are attached when it returns.
fn folder_with_file() -> (tempfile::TempDir, PathBuf) {
    recorder();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "content").unwrap();
    (folder, file)
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

/// The kernel knows the file where it told the path; the text of a caller says nothing of it.
fn assert_is(event: &FileEvent, inode: u64) {
    let known = if event.path_source == PathSource::Kernel { inode } else { 0 };
    if event.inode != 0 || known != 0 {
        assert_eq!(event.inode, known, "{event:?}");
    }
}

#[test]
fn a_rename_is_told_with_both_names() {
    let (folder, file) = folder_with_file();
    let number = inode(&file);
    let mut from = file;
    let directory = File::open(folder.path()).unwrap();
    for (to, call) in [("by-rename", 0), ("by-renameat", 1), ("by-renameat2", 2)] {
        let target = folder.path().join(to);
        let name = CString::new(to).unwrap();
        let fd = directory.as_raw_fd();
        // SAFETY: the paths live until the calls return.
        done(unsafe {
            match call {
                0 => libc::rename(c(&from).as_ptr(), c(&target).as_ptr()),
                1 => libc::renameat(libc::AT_FDCWD, c(&from).as_ptr(), fd, name.as_ptr()),
                _ => libc::renameat2(libc::AT_FDCWD, c(&from).as_ptr(), fd, name.as_ptr(), 1),
            }
        })
        .unwrap();
        let event = told(FileAct::Rename, &from);
        assert_eq!(event.other_path.as_deref(), target.to_str());
        let flags = if call == 2 { "RENAME_NOREPLACE" } else { "0" };
        assert_eq!(event.flag_symbols(), flags);
        assert_is(&event, number);
        from = target;
    }
}

#[test]
fn a_hard_link_is_told_with_both_names() {
    let (folder, file) = folder_with_file();
    let linked = folder.path().join("linked");
    fs::hard_link(&file, &linked).unwrap();
    let event = told(FileAct::Link, &file);
    assert_eq!(event.other_path.as_deref(), linked.to_str());
    assert_is(&event, inode(&file));
}

#[test]
fn a_symbolic_link_is_told_with_its_text() {
    let (folder, _) = folder_with_file();
    let link = folder.path().join("symbolic");
    std::os::unix::fs::symlink("../etc/passwd", &link).unwrap();
    let event = told(FileAct::Symlink, &link);
    assert_eq!(event.other_path.as_deref(), Some("../etc/passwd"));
}

#[test]
fn what_is_removed_is_told_as_file_or_directory() {
    let (folder, file) = folder_with_file();
    let number = inode(&file);
    fs::remove_file(&file).unwrap();
    assert_is(&told(FileAct::Unlink, &file), number);
    let at = folder.path().join("at");
    fs::write(&at, "").unwrap();
    let directory = File::open(folder.path()).unwrap();
    // SAFETY: the name is a constant.
    done(unsafe { libc::unlinkat(directory.as_raw_fd(), c"at".as_ptr(), 0) }).unwrap();
    told(FileAct::Unlink, &at);
    for by_unlinkat in [false, true] {
        let made = folder.path().join(format!("directory-{by_unlinkat}"));
        fs::create_dir(&made).unwrap();
        let text = c(&made);
        // SAFETY: the text lives until the calls return.
        done(unsafe {
            if by_unlinkat {
                libc::unlinkat(libc::AT_FDCWD, text.as_ptr(), libc::AT_REMOVEDIR)
            } else {
                libc::rmdir(text.as_ptr())
            }
        })
        .unwrap();
        told(FileAct::Rmdir, &made);
        let event = told(FileAct::Mkdir, &made);
        assert_eq!(event.mode & 0o170_000, 0o040_000);
    }
}

#[test]
fn a_pipe_is_told_with_its_mode() {
    let (folder, _) = folder_with_file();
    let directory = File::open(folder.path()).unwrap();
    let pipe = folder.path().join("pipe");
    // SAFETY: the name is a constant.
    done(unsafe { libc::mknodat(directory.as_raw_fd(), c"pipe".as_ptr(), 0o010_600, 0) }).unwrap();
    let event = told(FileAct::Mknod, &pipe);
    assert_eq!(event.mode, 0o010_600);
    fs::remove_file(&pipe).unwrap();
    // SAFETY: the text lives until the call returns.
    done(unsafe { libc::mknod(c(&pipe).as_ptr(), 0o020_600, libc::makedev(1, 3)) }).unwrap();
    let event = told_with(FileAct::Mknod, &pipe, |event| event.mode == 0o020_600);
    assert_eq!(event.error, outcomes_are_told("mknod").then_some(0));
}

/// Does the same act once by the path and once by an open file, in a file for each.
fn by_path_and_by_descriptor(
    act: FileAct,
    by_path: impl Fn(*const libc::c_char) -> i32,
    by_descriptor: impl Fn(RawFd) -> i32,
    check: impl Fn(&FileEvent),
) {
    let (folder, first) = folder_with_file();
    done(by_path(c(&first).as_ptr())).unwrap();
    let event = told(act, &first);
    assert_is(&event, inode(&first));
    check(&event);
    let second = folder.path().join("second");
    let file = File::create(&second).unwrap();
    done(by_descriptor(file.as_raw_fd())).unwrap();
    let event = told(act, &second);
    assert_eq!(event.path_source, PathSource::Kernel);
    assert_is(&event, inode(&second));
    check(&event);
}

#[test]
fn a_truncated_file_is_told() {
    // SAFETY: the paths live until the calls return.
    let by_path = |path| unsafe { libc::truncate(path, 1) };
    // SAFETY: the descriptor is open.
    let by_descriptor = |file| unsafe { libc::ftruncate(file, 1) };
    by_path_and_by_descriptor(FileAct::Truncate, by_path, by_descriptor, |_| {});
}

#[test]
fn another_mode_is_told() {
    // SAFETY: the paths live until the calls return.
    let by_path = |path| unsafe { libc::chmod(path, 0o4711) };
    // SAFETY: the descriptor is open.
    let by_descriptor = |file| unsafe { libc::fchmod(file, 0o4711) };
    by_path_and_by_descriptor(FileAct::Chmod, by_path, by_descriptor, |event| {
        assert_eq!(event.mode & 0o7777, 0o4711);
    });
}

#[test]
fn another_owner_is_told_and_one_that_stays_is_not() {
    // SAFETY: the paths live until the calls return.
    let by_path = |path| unsafe { libc::chown(path, 1234, u32::MAX) };
    // SAFETY: the descriptor is open.
    let by_descriptor = |file| unsafe { libc::fchown(file, 1234, u32::MAX) };
    by_path_and_by_descriptor(FileAct::Chown, by_path, by_descriptor, |event| {
        assert_eq!((event.owner, event.group), (Some(1234), None));
    });
}

#[test]
fn other_times_are_told() {
    let times = [libc::timespec { tv_sec: 1, tv_nsec: 0 }; 2];
    // SAFETY: the paths and the times live until the calls return.
    let by_path = |path| unsafe { libc::utimensat(libc::AT_FDCWD, path, times.as_ptr(), 0) };
    // SAFETY: the descriptor is open, the times live until the call returns.
    let by_descriptor = |file| unsafe { libc::futimens(file, times.as_ptr()) };
    by_path_and_by_descriptor(FileAct::Utimes, by_path, by_descriptor, |_| {});
}

#[test]
fn an_extended_attribute_is_told_by_its_name() {
    let (name, value) = (c"trusted.mark", c"value");
    let value_at = value.as_ptr().cast();
    // SAFETY: the paths and constants live until the calls return.
    let by_path = |path| unsafe { libc::setxattr(path, name.as_ptr(), value_at, 5, 0) };
    // SAFETY: the descriptor is open.
    let by_descriptor = |file| unsafe { libc::fsetxattr(file, name.as_ptr(), value_at, 5, 0) };
    by_path_and_by_descriptor(FileAct::Setxattr, by_path, by_descriptor, |event| {
        assert_eq!(event.name.as_deref(), Some("trusted.mark"));
    });
}

#[test]
fn a_file_that_becomes_immutable_is_told() {
    const FS_IOC_SETFLAGS: libc::c_ulong = 0x4008_6602;
    let nodump: libc::c_int = 0x40;
    let (_folder, path) = folder_with_file();
    let file = File::open(&path).unwrap();
    // SAFETY: the kernel reads an int through the pointer.
    let set = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_SETFLAGS, &raw const nodump) };
    let refused = io::Error::last_os_error();
    if set < 0 && !ends_are_seen(FileAct::Chattr) {
        // tmpfs has inode flags since 6.6 only.
        println!("this file system has no inode flags: {refused}");
        return;
    }
    let event = told_with(FileAct::Chattr, &path, |_| true);
    assert_eq!(event.flag_symbols(), "FS_NODUMP_FL");
    if let (true, Some(error)) = (set < 0, event.error) {
        assert_eq!(i32::from(error), refused.raw_os_error().unwrap());
    }
    assert_is(&event, inode(&path));
}

#[test]
fn an_act_that_the_kernel_refused_is_told_with_the_error() {
    let (_folder, file) = folder_with_file();
    // SAFETY: the text lives until the call returns.
    let refused = unsafe { libc::rmdir(c(&file).as_ptr()) };
    assert_eq!(refused, -1);
    let event = told_with(FileAct::Rmdir, &file, |_| true);
    let error = outcomes_are_told("rmdir").then_some(libc::ENOTDIR.try_into().unwrap());
    assert_eq!(event.error, error);
}

#[test]
fn a_relative_name_is_told_by_its_whole_path() {
    let (folder, file) = folder_with_file();
    let path = folder.path().to_owned();
    crate::acts::in_thread(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).unwrap();
        nix::unistd::chdir(&path).unwrap();
        fs::remove_file("./file").unwrap();
    });
    told(FileAct::Unlink, &file);
}
