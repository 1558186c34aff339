//! Names and addresses that are rewritten while an io_uring reads them.

use crate::io_uring::{OneRing, Submission};
use crate::races::{files, flip, inode, judge, last_letter, race, system};
use event_model::{FileAct, SystemAct};
use nix::libc;
use nix::sys::stat::{Mode, SFlag};
use std::cell::OnceCell;
use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

#[test]
fn the_file_that_a_ring_opens_is_told_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        File::create(folder.path().join(name)).unwrap();
    }
    let inode_of_a = inode(folder.path().join("a"));
    let text = format!("{}/a", folder.path().display());
    let (pid, done) = {
        let ring = std::cell::OnceCell::new();
        let raced = race(
            &flip(text.as_bytes()),
            || OneRing::new().is_some_and(|one| ring.set(one).is_ok()),
            |shared| {
                let next = lowest_free_descriptor();
                ring.get().unwrap().run(Submission {
                    operation: 18, // IORING_OP_OPENAT
                    descriptor: libc::AT_FDCWD,
                    address: shared.address(),
                    ..Submission::default()
                });
                // SAFETY: the kernel put the file there, and it is nobody else's.
                let file = File::from(unsafe { OwnedFd::from_raw_fd(next) });
                let is_a = file.metadata().unwrap().ino() == inode_of_a;
                Some(if is_a { b'a' } else { b'b' })
            },
        );
        let Some(raced) = raced else {
            println!("race io_uring: this kernel refuses rings");
            return;
        };
        raced
    };
    let told = system(pid, |event| {
        (event.act == SystemAct::IoUring).then(|| last_letter(event.argument("name")))
    });
    judge("io_uring", *b"ab", &told, &done);
    assert!(told.iter().all(|told| !told.callers_word));
    let opened = files(pid, |event| {
        let is_it =
            event.act == FileAct::Open && event.path.starts_with(text.trim_end_matches('a'));
        is_it.then(|| last_letter(Some(&event.path)))
    });
    judge("open by a ring", *b"ab", &opened, &done);
}

fn lowest_free_descriptor() -> i32 {
    // SAFETY: the copy is closed at once, and nobody else opens files here.
    unsafe {
        let copy = libc::dup(0);
        libc::close(copy);
        copy
    }
}

/// Races with an operation on `a` or `b` of a folder that has both; `undo` puts back what it took away.
fn race_for_a_name(
    name: &str,
    act: FileAct,
    folder: &Path,
    submission: Submission,
    undo: fn(&Path),
) {
    for name in ["a", "b"] {
        make(&folder.join(name));
    }
    let text = format!("{}/a", folder.display());
    let ring = OnceCell::new();
    let raced = race(
        &flip(text.as_bytes()),
        || OneRing::new().is_some_and(|one| ring.set(one).is_ok()),
        |shared| {
            ring.get().unwrap().run(Submission { address: shared.address(), ..submission });
            let names = ["a", "b"].map(|name| folder.join(name));
            // None where the kernel does not know the operation.
            let gone = names.into_iter().find(|path| !path.exists())?;
            undo(&gone);
            Some(last_letter(gone.to_str()))
        },
    );
    let Some((pid, done)) = raced else {
        println!("race {name}: this kernel refuses rings");
        return;
    };
    if done.is_empty() {
        println!("race {name}: this kernel's io_uring does not know the operation");
        return;
    }
    let told = system(pid, |event| {
        (event.act == SystemAct::IoUring).then(|| last_letter(event.argument("name")))
    });
    judge(name, *b"ab", &told, &done);
    assert!(told.iter().all(|told| !told.callers_word), "{name}");
    let acts = files(pid, |event| {
        let is_it = event.act == act
            && Path::new(&event.path).starts_with(folder)
            && !event.path.ends_with("target");
        is_it.then(|| last_letter(Some(&event.path)))
    });
    judge(&format!("{} by a ring", act.name()), *b"ab", &acts, &done);
}

/// Not by opening it: that would be told.
fn make(path: &Path) {
    nix::sys::stat::mknod(path, SFlag::S_IFREG, Mode::S_IRWXU, 0).unwrap();
}

#[test]
fn the_file_that_a_ring_removes_is_told_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let submission =
        Submission { operation: 36, descriptor: libc::AT_FDCWD, ..Submission::default() }; // IORING_OP_UNLINKAT
    race_for_a_name("io_uring unlink", FileAct::Unlink, folder.path(), submission, make);
}

#[test]
fn the_file_that_a_ring_renames_is_told_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    let text = CString::new(target.to_str().unwrap()).unwrap();
    let submission = Submission {
        operation: 35, // IORING_OP_RENAMEAT
        descriptor: libc::AT_FDCWD,
        offset: text.as_ptr() as u64,
        length: libc::AT_FDCWD.cast_unsigned(),
        ..Submission::default()
    };
    race_for_a_name("io_uring rename", FileAct::Rename, folder.path(), submission, |gone| {
        let target = gone.with_file_name("target");
        // By a link, which is no rename.
        fs::hard_link(&target, gone).unwrap();
        fs::remove_file(&target).unwrap();
    });
}
