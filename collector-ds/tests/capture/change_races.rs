//! Paths, and names of attributes, that are rewritten while a call reads them that changes a file.

use crate::path_races::Text::{Name, Whole};
use crate::path_races::{Folder, Given, Text};
use crate::races::{files, flip, judge, last_letter, race};
use event_model::FileAct;
use nix::libc;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A call that changes something of a file.
struct Changed {
    name: &'static str,
    act: FileAct,
    call: libc::c_long,
    arguments: fn(&Given) -> [u64; 5],
    text: Text,
    now: fn(&Path) -> u64,
}

const MARK: &std::ffi::CStr = c"trusted.mark";

/// The first byte of an extended attribute, 0 where there is none.
fn attribute(path: &Path, name: &std::ffi::CStr) -> u64 {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    let mut value = 0_u8;
    // SAFETY: the texts live; the value has a byte.
    unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), (&raw mut value).cast(), 1) };
    value.into()
}

const CHANGES: [Changed; 6] = [
    Changed {
        name: "truncate",
        act: FileAct::Truncate,
        call: libc::SYS_truncate,
        arguments: |given| [given.path, given.value, 0, 0, 0],
        text: Whole,
        now: |path| fs::metadata(path).unwrap().len(),
    },
    Changed {
        name: "chmod",
        act: FileAct::Chmod,
        call: libc::SYS_fchmodat,
        arguments: |given| [given.directory, given.path, given.value, 0, 0],
        text: Whole,
        now: |path| u64::from(fs::metadata(path).unwrap().mode() & 0o777),
    },
    Changed {
        name: "fchmodat",
        act: FileAct::Chmod,
        call: libc::SYS_fchmodat,
        arguments: |given| [given.directory, given.path, given.value, 0, 0],
        text: Name,
        now: |path| u64::from(fs::metadata(path).unwrap().mode() & 0o777),
    },
    Changed {
        name: "chown",
        act: FileAct::Chown,
        call: libc::SYS_fchownat,
        arguments: |given| [given.directory, given.path, given.value, u64::MAX, 0],
        text: Whole,
        now: |path| fs::metadata(path).unwrap().uid().into(),
    },
    Changed {
        name: "utimes",
        act: FileAct::Utimes,
        call: libc::SYS_utimensat,
        arguments: |given| [given.directory, given.path, given.times(), 0, 0],
        text: Whole,
        now: |path| fs::metadata(path).unwrap().mtime().try_into().unwrap(),
    },
    Changed {
        name: "setxattr",
        act: FileAct::Setxattr,
        call: libc::SYS_setxattr,
        // The first byte of the time.
        arguments: |given| [given.path, MARK.as_ptr() as u64, given.times(), 1, 0],
        text: Whole,
        now: |path| attribute(path, MARK),
    },
];

#[test]
fn the_file_that_is_changed_is_told_or_told_as_the_callers() {
    for row in CHANGES {
        let folder = Folder::new(&["a", "b"]);
        let raced = folder.race(row.text, |folder, given| {
            let [a, b] = ["a", "b"].map(|name| folder.join(name));
            // One that neither has.
            let value =
                (1..4).find(|value| ![(row.now)(&a), (row.now)(&b)].contains(value)).unwrap();
            given.value = value;
            given.times = [libc::timespec { tv_sec: value.try_into().unwrap(), tv_nsec: 0 }; 2];
            let result = given.call(row.call, row.arguments);
            assert_eq!(result, 0, "{}: {}", row.name, std::io::Error::last_os_error());
            if (row.now)(&a) == value { b'a' } else { b'b' }
        });
        folder.judge(row.name, row.act, &raced, false);
    }
}

/// The name has no flag of its own: it is the caller's where the path is.
#[test]
fn the_extended_attribute_that_is_set_is_told_or_told_as_the_callers() {
    let folder = Folder::new(&["fixed"]);
    let path = folder.0.path().join("fixed");
    let text = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    let raced = race(
        &flip(b"trusted.a"),
        || true,
        |shared| {
            let names = [c"trusted.a", c"trusted.b"];
            // SAFETY: the texts live.
            unsafe {
                let value = c"1".as_ptr().cast();
                assert_eq!(libc::setxattr(text.as_ptr(), shared.pointer(), value, 1, 0), 0);
            }
            let is_a = attribute(&path, names[0]) != 0;
            // SAFETY: as before.
            unsafe { libc::removexattr(text.as_ptr(), names[usize::from(!is_a)].as_ptr()) };
            Some(if is_a { b'a' } else { b'b' })
        },
    );
    let (pid, done) = raced.unwrap();
    let told = files(pid, |event| {
        (event.act == FileAct::Setxattr).then(|| last_letter(event.name.as_deref()))
    });
    judge("setxattr with the name", *b"ab", &told, &done);
}
