//! A second thread rewrites a path while the kernel uses it: what is told as the kernel's word is what the kernel did.

use crate::filtered::Filtered;
use event_model::{FileAct, FileEvent, PathSource};
use nix::libc;
use std::fs::{self, File};
use std::os::fd::FromRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 10_000;

/// An emulated machine does fewer.
const LONGEST: Duration = Duration::from_secs(15);

/// Between two looks at what was told: all of it fits into the ring.
const ROUNDS_A_LOOK: usize = 500;

/// A path in memory whose last letter another thread changes between `a` and `b` all the time.
struct Flipping<'path>(&'path [AtomicU8]);

impl Flipping<'_> {
    fn as_ptr(&self) -> *const libc::c_char {
        self.0.as_ptr().cast()
    }
}

/// The files `a` and `b` of a folder, and what became of racing for them.
struct Race {
    folder: tempfile::TempDir,
    filtered: Filtered,
    /// What really happened, in order: the files.
    done: Vec<PathBuf>,
    told: Vec<FileEvent>,
}

impl Race {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            File::create(folder.path().join(name)).unwrap();
        }
        let below = folder.path().join("");
        let filtered = Filtered::new(&[&below], &[&below]);
        Self { folder, filtered, done: vec![], told: vec![] }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Does the act over and over while the path flips. It returns the file that it really acted on.
    fn run(&mut self, act: FileAct, once: impl Fn(&Path, &Flipping<'_>) -> Option<PathBuf>) {
        let text = format!("{}\0", self.path("a").display());
        let bytes: Vec<_> = text.bytes().map(AtomicU8::new).collect();
        let last = bytes.len() - 2;
        let over = AtomicBool::new(false);
        let begin = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    bytes[last].store(b'b', Ordering::Relaxed);
                    bytes[last].store(b'a', Ordering::Relaxed);
                }
            });
            let mut round = 0;
            while round < ROUNDS && begin.elapsed() < LONGEST {
                for _ in 0..ROUNDS_A_LOOK {
                    self.done.extend(once(self.folder.path(), &Flipping(&bytes)));
                }
                round += ROUNDS_A_LOOK;
                self.look(act);
            }
            over.store(true, Ordering::Relaxed);
        });
        assert_eq!(self.filtered.drops(act), 0);
        self.judge(act);
    }

    fn look(&mut self, act: FileAct) {
        let events = self.filtered.events();
        self.told.extend(
            events.into_iter().filter(|event| event.act == act && event.error.unwrap_or(0) == 0),
        );
    }

    fn judge(&self, act: FileAct) {
        assert_eq!(self.told.len(), self.done.len());
        let kernels =
            self.told.iter().filter(|event| event.path_source == PathSource::Kernel).count();
        let wrong: Vec<_> = self
            .told
            .iter()
            .zip(&self.done)
            .filter(|(event, done)| Path::new(&event.path) != *done)
            .map(|(event, _)| event.path_source)
            .collect();
        println!(
            "race {}: {} acts, {kernels} told as the kernel's word; {} told of the wrong file, all as the caller's word",
            act.name(),
            self.done.len(),
            wrong.len()
        );
        assert!(!wrong.contains(&PathSource::Kernel));
        let both =
            ["a", "b"].map(|name| self.done.iter().filter(|path| path.ends_with(name)).count());
        assert!(both[0] > 0 && both[1] > 0, "the path did not flip: {both:?}");
    }
}

/// Of `a` and `b`, the one that is not there.
fn missing(folder: &Path) -> Option<PathBuf> {
    ["a", "b"].map(|name| folder.join(name)).into_iter().find(|path| !path.exists())
}

#[test]
fn the_file_that_was_opened_is_told_whatever_becomes_of_the_path() {
    let mut race = Race::new();
    let inode_of_a = fs::metadata(race.path("a")).unwrap().ino();
    race.run(FileAct::Open, |folder, path| {
        // SAFETY: the text lives, and ends with a NUL that nobody changes.
        let descriptor = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY) };
        assert!(descriptor >= 0);
        // SAFETY: it was just opened, and is nobody else's.
        let file = unsafe { File::from_raw_fd(descriptor) };
        let is_a = file.metadata().unwrap().ino() == inode_of_a;
        Some(folder.join(if is_a { "a" } else { "b" }))
    });
    assert!(race.told.iter().all(|event| event.path_source == PathSource::Kernel));
}

#[test]
fn the_file_that_was_removed_is_told_or_the_path_is_told_as_the_callers() {
    Race::new().run(FileAct::Unlink, |folder, path| {
        // SAFETY: as in the former test.
        assert_eq!(unsafe { libc::unlink(path.as_ptr()) }, 0);
        let removed = missing(folder);
        // Not by opening it: that would be told.
        nix::sys::stat::mknod(
            removed.as_deref().unwrap(),
            nix::sys::stat::SFlag::S_IFREG,
            nix::sys::stat::Mode::S_IRWXU,
            0,
        )
        .unwrap();
        removed
    });
}

#[test]
fn the_file_that_was_renamed_is_told_or_the_path_is_told_as_the_callers() {
    let mut race = Race::new();
    let target = race.path("target");
    let text = std::ffi::CString::new(target.to_str().unwrap()).unwrap();
    race.run(FileAct::Rename, |folder, path| {
        // SAFETY: as in the former tests.
        assert_eq!(unsafe { libc::rename(path.as_ptr(), text.as_ptr()) }, 0);
        let renamed = missing(folder);
        // Back by a link, which is no rename.
        fs::hard_link(&target, renamed.as_deref().unwrap()).unwrap();
        fs::remove_file(&target).unwrap();
        renamed
    });
}
