//! Paths that are rewritten while a call on files reads them, whole ones and those relative to a descriptor.

use crate::races::{files, flip, inode, judge, last_letter, race};
use event_model::FileAct;
use nix::libc;
use nix::sys::stat::{Mode, SFlag, mknod};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

/// What arguments are made of.
pub struct Given {
    pub directory: u64,
    /// The text that is rewritten: it ends with `a` or `b`.
    pub path: u64,
    /// The path of `fixed`.
    pub fixed: u64,
    pub value: u64,
    /// Two times, in seconds of which the value stands.
    pub times: [libc::timespec; 2],
}

impl Given {
    pub fn times(&self) -> u64 {
        self.times.as_ptr() as u64
    }

    pub fn call(&self, number: libc::c_long, arguments: fn(&Self) -> [u64; 5]) -> i64 {
        let [first, second, third, fourth, fifth] = arguments(self);
        // SAFETY: the texts, and all else that the rows below give, live until the call returns.
        unsafe { libc::syscall(number, first, second, third, fourth, fifth) }
    }
}

/// Whether the text is a whole path, or a name in the descriptor's directory, which is the working directory too.
#[derive(Clone, Copy)]
pub enum Text {
    Whole,
    Name,
}
use Text::{Name, Whole};

pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new(names: &[&str]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for name in names {
            make(&folder.0.path().join(name));
        }
        folder
    }

    /// Races with a call. `act` does it and says for which of `a` and `b` it was.
    pub fn race(&self, text: Text, act: impl Fn(&Path, &mut Given) -> u8) -> (u32, Vec<u8>) {
        let folder = self.0.path();
        let text = match text {
            Whole => format!("{}/a", folder.display()),
            Name => "a".to_owned(),
        };
        let fixed = std::ffi::CString::new(format!("{}/fixed", folder.display())).unwrap();
        let directory = File::open(folder).unwrap();
        let no_time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        race(
            &flip(text.as_bytes()),
            || nix::unistd::fchdir(&directory).is_ok(),
            |shared| {
                let mut given = Given {
                    directory: directory.as_raw_fd().try_into().unwrap(),
                    path: shared.address(),
                    fixed: fixed.as_ptr() as u64,
                    value: 0,
                    times: [no_time; 2],
                };
                Some(act(folder, &mut given))
            },
        )
        .unwrap()
    }

    pub fn judge(&self, name: &str, act: FileAct, (pid, done): &(u32, Vec<u8>), is_other: bool) {
        let told = files(*pid, |event| {
            let is_it = event.act == act && Path::new(&event.path).starts_with(self.0.path());
            let path = if is_other { event.other_path.as_deref() } else { Some(&*event.path) };
            is_it.then(|| last_letter(path))
        });
        judge(name, *b"ab", &told, done);
        if act == FileAct::Open {
            assert!(told.iter().all(|told| !told.callers_word), "{name}");
        }
    }
}

/// Not by opening it: that would be told.
fn make(path: &Path) {
    mknod(path, SFlag::S_IFREG, Mode::S_IRWXU, 0).unwrap();
}

/// Which of the two is there.
fn there(folder: &Path) -> u8 {
    if fs::symlink_metadata(folder.join("a")).is_ok() { b'a' } else { b'b' }
}

fn gone(folder: &Path) -> u8 {
    if there(folder) == b'a' { b'b' } else { b'a' }
}

fn at(folder: &Path, letter: u8) -> std::path::PathBuf {
    folder.join(char::from(letter).to_string())
}

fn remove(path: &Path) {
    if fs::symlink_metadata(path).unwrap().is_dir() {
        fs::remove_dir(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

fn remove_again(folder: &Path, letter: u8) {
    remove(&at(folder, letter));
}

fn remove_fixed(folder: &Path, _: u8) {
    remove(&folder.join("fixed"));
}

/// A call that makes or removes a name.
struct Named {
    name: &'static str,
    act: FileAct,
    call: libc::c_long,
    arguments: fn(&Given) -> [u64; 5],
    text: Text,
    /// The record tells of it as the second path.
    is_other: bool,
    /// What is there before.
    before: &'static [&'static str],
    /// For which of the two it was done.
    which: fn(&Path) -> u8,
    /// By acts of other kinds.
    undo: fn(&Path, u8),
}

/// Makes a name that was not there.
const MAKES: Named = Named {
    name: "mkdir",
    act: FileAct::Mkdir,
    call: libc::SYS_mkdirat,
    arguments: |given| [given.directory, given.path, 0o700, 0, 0],
    text: Whole,
    is_other: false,
    before: &[],
    which: there,
    undo: remove_again,
};

/// Removes a name that was there.
const REMOVES: Named = Named {
    name: "unlink",
    act: FileAct::Unlink,
    call: libc::SYS_unlinkat,
    arguments: |given| [given.directory, given.path, 0, 0, 0],
    before: &["a", "b"],
    which: gone,
    undo: |folder, letter| make(&at(folder, letter)),
    ..MAKES
};

const RENAMES: Named = Named {
    name: "rename from",
    act: FileAct::Rename,
    call: libc::SYS_renameat2,
    arguments: |given| [given.directory, given.path, given.directory, given.fixed, 0],
    undo: |folder, letter| {
        // By a link, which is no rename.
        fs::hard_link(folder.join("fixed"), at(folder, letter)).unwrap();
        remove_fixed(folder, letter);
    },
    ..REMOVES
};

const LINKS: Named = Named {
    name: "link to",
    act: FileAct::Link,
    call: libc::SYS_linkat,
    arguments: |given| [given.directory, given.fixed, given.directory, given.path, 0],
    is_other: true,
    before: &["fixed"],
    ..MAKES
};

/// `struct open_how`: O_CREAT and O_WRONLY, the mode, nothing special.
static HOW: [u64; 3] = [0o101, 0o600, 0];

const OPENS: Named = Named {
    name: "openat2",
    act: FileAct::Open,
    call: libc::SYS_openat2,
    arguments: |given| [given.directory, given.path, HOW.as_ptr() as u64, 24, 0],
    ..MAKES
};

fn race_for_names(rows: &[Named]) {
    for row in rows {
        let folder = Folder::new(row.before);
        if row.act == FileAct::Rmdir {
            for name in ["a", "b"] {
                fs::create_dir(folder.0.path().join(name)).unwrap();
            }
        }
        let raced = folder.race(row.text, |folder, given| {
            let result = given.call(row.call, row.arguments);
            assert!(result >= 0, "{}: {}", row.name, std::io::Error::last_os_error());
            if row.act == FileAct::Open {
                nix::unistd::close(i32::try_from(result).unwrap()).unwrap();
            }
            let done = (row.which)(folder);
            (row.undo)(folder, done);
            done
        });
        folder.judge(row.name, row.act, &raced, row.is_other);
    }
}

#[test]
fn the_name_that_is_made_is_told_or_told_as_the_callers() {
    race_for_names(&[
        MAKES,
        Named { name: "mkdirat", text: Name, ..MAKES },
        Named {
            name: "mknod",
            act: FileAct::Mknod,
            call: libc::SYS_mknodat,
            arguments: |given| [given.directory, given.path, 0o010_600, 0, 0],
            ..MAKES
        },
        Named {
            name: "symlink",
            act: FileAct::Symlink,
            call: libc::SYS_symlinkat,
            arguments: |given| [given.fixed, given.directory, given.path, 0, 0],
            ..MAKES
        },
        LINKS,
        Named { name: "linkat to", text: Name, ..LINKS },
    ]);
}

#[test]
fn the_file_that_is_made_by_opening_it_is_told() {
    race_for_names(&[
        OPENS,
        Named { name: "openat2 of a name", text: Name, ..OPENS },
        #[cfg(target_arch = "x86_64")]
        Named {
            name: "creat",
            call: libc::SYS_creat,
            arguments: |given| [given.path, 0o600, 0, 0, 0],
            ..OPENS
        },
    ]);
}

#[test]
fn the_name_that_is_removed_or_renamed_is_told_or_told_as_the_callers() {
    race_for_names(&[
        Named { name: "unlinkat", text: Name, ..REMOVES },
        Named {
            name: "rmdir",
            act: FileAct::Rmdir,
            arguments: |given| [given.directory, given.path, 0x200, 0, 0], // AT_REMOVEDIR
            before: &[],
            undo: |folder, letter| fs::create_dir(at(folder, letter)).unwrap(),
            ..REMOVES
        },
        Named { name: "renameat from", text: Name, ..RENAMES },
        Named {
            name: "rename to",
            arguments: |given| [given.directory, given.fixed, given.directory, given.path, 0],
            is_other: true,
            before: &["fixed"],
            which: there,
            undo: |folder, letter| {
                fs::hard_link(at(folder, letter), folder.join("fixed")).unwrap();
                remove_again(folder, letter);
            },
            ..RENAMES
        },
    ]);
}

#[test]
fn what_a_link_leads_to_is_told_or_told_as_the_callers() {
    race_for_names(&[
        Named {
            name: "link from",
            arguments: |given| [given.directory, given.path, given.directory, given.fixed, 0],
            is_other: false,
            before: &["a", "b"],
            which: |folder| {
                let is_a = inode(folder.join("fixed")) == inode(folder.join("a"));
                if is_a { b'a' } else { b'b' }
            },
            undo: remove_fixed,
            ..LINKS
        },
        Named {
            name: "symlink with the text",
            act: FileAct::Symlink,
            call: libc::SYS_symlinkat,
            arguments: |given| [given.path, given.directory, given.fixed, 0, 0],
            which: |folder| last_letter(fs::read_link(folder.join("fixed")).unwrap().to_str()),
            is_other: true,
            undo: remove_fixed,
            ..MAKES
        },
    ]);
}
