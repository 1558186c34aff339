//! A descriptor stands now for this file, now for that one, while a call on it runs: threads share descriptors.

use crate::races::{LONGEST, ROUNDS, Told, judge};
use crate::recorder::recorder;
use collector_ds::kernel::KernelRecord;
use event_model::{EventKind, FileAct, PathSource};
use nix::libc;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// Changes something of the file that the descriptor stands for: `set`s the value that `now` then finds there.
struct Changed {
    act: FileAct,
    set: fn(RawFd, u32) -> i32,
    now: fn(&fs::Metadata) -> u64,
}

const CHANGES: [Changed; 4] = [
    Changed {
        act: FileAct::Truncate,
        // SAFETY: plain numbers.
        set: |file, value| unsafe { libc::ftruncate(file, value.into()) },
        now: MetadataExt::size,
    },
    Changed {
        act: FileAct::Chmod,
        // SAFETY: plain numbers.
        set: |file, value| unsafe { libc::fchmod(file, value) },
        now: |file| u64::from(file.mode() & 0o777),
    },
    Changed {
        act: FileAct::Chown,
        // SAFETY: plain numbers.
        set: |file, value| unsafe { libc::fchown(file, value, u32::MAX) },
        now: |file| file.uid().into(),
    },
    Changed {
        act: FileAct::Utimes,
        set: |file, value| {
            let times = [libc::timespec { tv_sec: value.into(), tv_nsec: 0 }; 2];
            // SAFETY: the times live until the call returns.
            unsafe { libc::futimens(file, times.as_ptr()) }
        },
        now: |file| file.mtime().try_into().unwrap(),
    },
];

/// The thread that acted, and for each act the file.
fn race(row: &Changed, [a, b]: [&File; 2]) -> (u32, Vec<u8>) {
    let flipping = a.try_clone().unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for one in [b, a] {
                    // SAFETY: both descriptors are open, and stay so.
                    unsafe { libc::dup2(one.as_raw_fd(), flipping.as_raw_fd()) };
                }
            }
        });
        let acting = scope.spawn(|| {
            let begin = Instant::now();
            let mut done = vec![];
            while done.len() < ROUNDS && begin.elapsed() < LONGEST {
                let held = [a, b].map(|file| (row.now)(&file.metadata().unwrap()));
                // One that neither has.
                let value = (1..4).find(|value| !held.contains(&u64::from(*value))).unwrap();
                assert_eq!((row.set)(flipping.as_raw_fd(), value), 0);
                let is_a = (row.now)(&a.metadata().unwrap()) == u64::from(value);
                done.push(if is_a { b'a' } else { b'b' });
            }
            (nix::unistd::gettid().as_raw().cast_unsigned(), done)
        });
        let acted = acting.join();
        over.store(true, Ordering::Relaxed);
        acted.unwrap()
    })
}

#[test]
fn the_file_of_a_descriptor_is_told_or_told_as_the_callers() {
    recorder();
    for row in CHANGES {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| File::create(folder.path().join(name)).unwrap());
        let (thread, done) = race(&row, [&a, &b]);
        let told: Vec<_> = recorder().all(|record| match record {
            KernelRecord::Act(act) if act.thread == thread => match &act.event {
                EventKind::File(event)
                    if event.act == row.act
                        && Path::new(&event.path).starts_with(folder.path()) =>
                {
                    let what = event.path.bytes().last().unwrap_or(0);
                    let callers_word = event.path_source == PathSource::Caller;
                    Some(Told { what, callers_word })
                }
                _ => None,
            },
            _ => None,
        });
        judge(&format!("{} by a descriptor", row.act.name()), *b"ab", &told, &done);
    }
}
