//! Places of mounts that are rewritten while the call reads them, and a text that is emptied.

use crate::files::enter_private_mounts;
use crate::races::{Flip, Told, files, flip, inode, judge, last_letter, race, two_directories};
use event_model::FileAct;
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

/// A folder with `a`, `b` and `shown`, which can be bound to either.
struct Binding {
    folder: tempfile::TempDir,
    shown: u64,
}

impl Binding {
    fn new() -> Self {
        let folder = two_directories();
        fs::create_dir(folder.path().join("shown")).unwrap();
        let shown = inode(folder.path().join("shown"));
        Self { folder, shown }
    }

    fn text(&self) -> String {
        format!("{}/a", self.folder.path().display())
    }

    fn path(&self, letter: u8) -> std::path::PathBuf {
        self.folder.path().join(char::from(letter).to_string())
    }

    fn is_at(&self, letter: u8) -> bool {
        inode(self.path(letter)) == self.shown
    }

    fn bind(&self, letter: u8) {
        let shown = self.folder.path().join("shown");
        mount(Some(&shown), &self.path(letter), None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .unwrap();
    }

    fn told(&self, pid: u32, act: FileAct) -> Vec<Told> {
        files(pid, |event| {
            let is_it = event.act == act && Path::new(&event.path).starts_with(self.folder.path());
            is_it.then(|| last_letter(Some(&event.path)))
        })
    }
}

/// The text is there, and is empty when the call has ended: then the directory was not what was acted on.
#[test]
fn a_text_that_is_emptied_does_not_make_its_directory_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let directory = File::open(folder.path()).unwrap();
    let make = || {
        // Not by opening it: that would be told.
        let kind = nix::sys::stat::SFlag::S_IFREG;
        let made =
            nix::sys::stat::mknod(&folder.path().join("a"), kind, nix::sys::stat::Mode::S_IRWXU, 0);
        made.is_ok()
    };
    let emptied = Flip { bytes: b"a", place: 0, values: [b'a', 0] };
    let (pid, done) = race(&emptied, make, |shared| {
        // SAFETY: a descriptor that is open, and a text that lives.
        let result = unsafe { libc::unlinkat(directory.as_raw_fd(), shared.pointer(), 0) };
        (result == 0).then(|| {
            assert!(make());
            b'a'
        })
    })
    .unwrap();
    let told = files(pid, |event| {
        let is_it =
            event.act == FileAct::Unlink && Path::new(&event.path).starts_with(folder.path());
        is_it.then(|| if Path::new(&event.path) == folder.path() { 0 } else { b'a' })
    });
    judge("unlinkat", *b"aa", &told, &done);
}

fn private_mounts() -> bool {
    enter_private_mounts();
    true
}

#[test]
fn where_something_is_mounted_is_told_or_the_path_is_told_as_the_callers() {
    let binding = Binding::new();
    let shown =
        std::ffi::CString::new(format!("{}/shown", binding.folder.path().display())).unwrap();
    let (pid, done) = race(&flip(binding.text().as_bytes()), private_mounts, |shared| {
        let nothing = std::ptr::null();
        // SAFETY: the texts live.
        let result = unsafe {
            libc::mount(shown.as_ptr(), shared.pointer(), nothing, libc::MS_BIND, nothing.cast())
        };
        assert_eq!(result, 0);
        let at = if binding.is_at(b'a') { b'a' } else { b'b' };
        umount2(&binding.path(at), MntFlags::MNT_DETACH).unwrap();
        Some(at)
    })
    .unwrap();
    judge("mount", *b"ab", &binding.told(pid, FileAct::Mount), &done);
}

#[test]
fn what_is_unmounted_is_told_or_the_path_is_told_as_the_callers() {
    let binding = Binding::new();
    let prepare = || {
        enter_private_mounts();
        binding.bind(b'a');
        binding.bind(b'b');
        true
    };
    let (pid, done) = race(&flip(binding.text().as_bytes()), prepare, |shared| {
        // SAFETY: the text lives.
        assert_eq!(unsafe { libc::umount2(shared.pointer(), libc::MNT_DETACH) }, 0);
        let from = if binding.is_at(b'a') { b'b' } else { b'a' };
        binding.bind(from);
        Some(from)
    })
    .unwrap();
    judge("umount", *b"ab", &binding.told(pid, FileAct::Umount), &done);
}

#[test]
fn where_a_mount_is_moved_is_told_or_the_path_is_told_as_the_callers() {
    let binding = Binding::new();
    let shown =
        std::ffi::CString::new(format!("{}/shown", binding.folder.path().display())).unwrap();
    let (pid, done) = race(&flip(binding.text().as_bytes()), private_mounts, |shared| {
        let (clone, from_itself) = (1, 4); // OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH
        // SAFETY: the texts live; the descriptor is the kernel's.
        unsafe {
            let tree = libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, shown.as_ptr(), clone);
            let tree = OwnedFd::from_raw_fd(i32::try_from(tree).unwrap());
            let moved = libc::syscall(
                libc::SYS_move_mount,
                tree.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_FDCWD,
                shared.pointer(),
                from_itself,
            );
            assert_eq!(moved, 0, "{}", std::io::Error::last_os_error());
        }
        let at = if binding.is_at(b'a') { b'a' } else { b'b' };
        umount2(&binding.path(at), MntFlags::MNT_DETACH).unwrap();
        Some(at)
    })
    .unwrap();
    judge("move_mount", *b"ab", &binding.told(pid, FileAct::MoveMount), &done);
}
