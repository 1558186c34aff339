//! Acts on files by way of an io_uring raise the events of the calls.

use crate::recorder::recorder;
use event_model::{FileAct, FileEvent};
use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use io_uring::{IoUring, opcode};
use nix::libc;
use std::ffi::CString;
use std::fs;
use std::path::Path;

fn c(path: &Path) -> CString {
    CString::new(path.to_str().unwrap()).unwrap()
}

/// None where the kernel has no io_uring for us.
fn ring() -> Option<IoUring> {
    match IoUring::new(4) {
        Ok(ring) => Some(ring),
        Err(error) => {
            let known = [libc::ENOSYS, libc::EPERM];
            assert!(known.contains(&error.raw_os_error().unwrap_or(0)), "{error}");
            println!("this kernel lets nobody make an io_uring: {error}");
            None
        }
    }
}

/// Gives the ring one request, and waits for its end. None where the kernel does not know the operation.
fn run(ring: &mut IoUring, entry: &Entry) -> Option<i32> {
    // SAFETY: the callers keep the paths until this returns, when the request has ended.
    unsafe { ring.submission().push(entry).unwrap() };
    ring.submit_and_wait(1).unwrap();
    let result = ring.completion().next().unwrap().result();
    if result == -libc::EINVAL {
        println!("this kernel's io_uring does not know the operation");
        return None;
    }
    assert!(result >= 0, "{}", std::io::Error::from_raw_os_error(-result));
    Some(result)
}

fn told(act: FileAct, path: &Path) -> FileEvent {
    let what = format!("{} of {} by io_uring", act.name(), path.display());
    recorder().file_act(std::process::id(), &what, |event| {
        event.act == act && event.path == path.to_str().unwrap()
    })
}

const HERE: Fd = Fd(libc::AT_FDCWD);

/// A folder with a file that no open has been told of.
fn folder_with_file() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    nix::sys::stat::mknod(&file, nix::sys::stat::SFlag::S_IFREG, nix::sys::stat::Mode::S_IRWXU, 0)
        .unwrap();
    recorder();
    (folder, file)
}

#[test]
fn a_file_that_is_opened_and_read_is_told_with_the_kernels_path() {
    let (folder, file) = folder_with_file();
    let Some(mut ring) = ring() else { return };
    // By a link: the path that is told is the file's.
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let path = c(&link);
    let entry = opcode::OpenAt::new(HERE, path.as_ptr()).flags(libc::O_RDONLY).build();
    let Some(descriptor) = run(&mut ring, &entry) else { return };
    let mut buffer = [0; 8];
    let read = opcode::Read::new(Fd(descriptor), buffer.as_mut_ptr(), 8).build();
    run(&mut ring, &read);
    let event = told(FileAct::Open, &file);
    assert!(event.opens_for_reading() && !event.opens_for_writing());
    assert_eq!(event.inode, std::os::unix::fs::MetadataExt::ino(&fs::metadata(&file).unwrap()));
    nix::unistd::close(descriptor).unwrap();
}

#[test]
fn a_file_that_is_opened_without_a_word_of_its_success_is_told() {
    let (_folder, file) = folder_with_file();
    let Some(mut ring) = ring() else { return };
    if !ring.params().is_feature_skip_cqe_on_success() {
        println!("this kernel's io_uring tells every success");
        return;
    }
    let path = c(&file);
    let entry = opcode::OpenAt::new(HERE, path.as_ptr()).flags(libc::O_WRONLY).build();
    // SAFETY: the path lives; the kernel has copied it when this returns.
    unsafe { ring.submission().push(&entry.flags(Flags::SKIP_SUCCESS)).unwrap() };
    ring.submit().unwrap();
    assert!(told(FileAct::Open, &file).opens_for_writing());
}

#[test]
fn a_file_that_is_renamed_linked_and_removed_is_told() {
    let (folder, file) = folder_with_file();
    let Some(mut ring) = ring() else { return };
    let [renamed, linked, symbolic] =
        ["renamed", "linked", "symbolic"].map(|name| folder.path().join(name));
    let (from, to) = (c(&file), c(&renamed));
    let rename = opcode::RenameAt::new(HERE, from.as_ptr(), HERE, to.as_ptr()).build();
    if run(&mut ring, &rename).is_none() {
        return;
    }
    assert_eq!(told(FileAct::Rename, &file).other_path.as_deref(), renamed.to_str());
    let name = c(&linked);
    let link = opcode::LinkAt::new(HERE, to.as_ptr(), HERE, name.as_ptr()).build();
    if run(&mut ring, &link).is_some() {
        assert_eq!(told(FileAct::Link, &renamed).other_path.as_deref(), linked.to_str());
    }
    let name = c(&symbolic);
    let link = opcode::SymlinkAt::new(HERE, c"/etc/shadow".as_ptr(), name.as_ptr()).build();
    if run(&mut ring, &link).is_some() {
        assert_eq!(told(FileAct::Symlink, &symbolic).other_path.as_deref(), Some("/etc/shadow"));
    }
    run(&mut ring, &opcode::UnlinkAt::new(HERE, to.as_ptr()).build()).unwrap();
    told(FileAct::Unlink, &renamed);
}

#[test]
fn a_directory_that_is_made_and_removed_is_told() {
    let (folder, _) = folder_with_file();
    let Some(mut ring) = ring() else { return };
    let path = folder.path().join("made");
    let name = c(&path);
    if run(&mut ring, &opcode::MkDirAt::new(HERE, name.as_ptr()).mode(0o700).build()).is_none() {
        return;
    }
    assert_eq!(told(FileAct::Mkdir, &path).mode & 0o777, 0o700);
    let remove = opcode::UnlinkAt::new(HERE, name.as_ptr()).flags(libc::AT_REMOVEDIR).build();
    run(&mut ring, &remove).unwrap();
    told(FileAct::Rmdir, &path);
}
