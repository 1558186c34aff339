//! Races for what a call reads: the child that acts shares a text with this program, a thread of which rewrites it.

use crate::acts::{exit_now, wait_for};
use crate::recorder::recorder;
use collector_ds::kernel::KernelRecord;
use event_model::{EventKind, FileEvent, NetworkEvent, PathSource, SystemEvent};
use nix::libc;
use nix::unistd::{ForkResult, Pid, fork};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub const ROUNDS: usize = 10_000;

/// An emulated machine does fewer.
pub const LONGEST: Duration = Duration::from_secs(5);

const TEXT_BYTES: usize = 512;

/// A value stays for so many turns: for as long as a part of a call takes, now a short one, now a long one.
const HOLDS: [u32; 8] = [0, 0, 0, 20, 60, 150, 400, 1000];

/// What the child shares with this program.
#[repr(C)]
pub struct Shared {
    text: [AtomicU8; TEXT_BYTES],
    /// Which of the two was acted on, for each act that succeeded.
    done: [AtomicU8; ROUNDS],
    count: AtomicUsize,
}

impl Shared {
    fn new() -> &'static Self {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: new memory of that size, which nobody unmaps; zeros are atomics.
        unsafe {
            let memory =
                libc::mmap(std::ptr::null_mut(), size_of::<Self>(), protection, flags, -1, 0);
            assert_ne!(memory, libc::MAP_FAILED);
            &*memory.cast()
        }
    }

    fn write(&self, bytes: &[u8]) {
        for (place, byte) in self.text.iter().zip(bytes) {
            place.store(*byte, Ordering::Relaxed);
        }
    }

    pub fn pointer(&self) -> *const libc::c_char {
        self.text.as_ptr().cast()
    }

    pub fn address(&self) -> u64 {
        self.text.as_ptr() as u64
    }

    fn done(&self) -> Vec<u8> {
        let count = self.count.load(Ordering::Relaxed);
        self.done[..count].iter().map(|done| done.load(Ordering::Relaxed)).collect()
    }
}

/// Memory where one byte flips.
pub struct Flip<'text> {
    pub bytes: &'text [u8],
    pub place: usize,
    pub values: [u8; 2],
}

/// A text that ends with `a` or `b`.
pub fn flip(text: &[u8]) -> Flip<'_> {
    Flip { bytes: text, place: text.len() - 1, values: *b"ab" }
}

/// Calls `once` in a child over and over while the byte flips. It says for which of the two values the act was done, if it
/// was. None where the child could not begin (`prepare` said no).
pub fn race(
    flip: &Flip<'_>,
    prepare: impl FnOnce() -> bool,
    once: impl Fn(&Shared) -> Option<u8>,
) -> Option<(u32, Vec<u8>)> {
    recorder();
    let shared = Shared::new();
    shared.write(flip.bytes);
    assert_eq!(flip.bytes[flip.place], flip.values[0]);
    // SAFETY: as in `acts::in_fork`.
    let child = match unsafe { fork() }.expect("a process can be made") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            if !prepare() {
                exit_now(7);
            }
            let begin = Instant::now();
            for _ in 0..ROUNDS {
                if let Some(done) = once(shared) {
                    let place = shared.count.fetch_add(1, Ordering::Relaxed);
                    shared.done[place].store(done, Ordering::Relaxed);
                }
                if begin.elapsed() > LONGEST {
                    break;
                }
            }
            exit_now(0)
        }
    };
    let status = flip_until_its_end(shared, flip, child);
    if status == Some(7) {
        return None;
    }
    assert_eq!(status, Some(0));
    Some((crate::acts::pid_number(child), shared.done()))
}

fn flip_until_its_end(shared: &Shared, flip: &Flip<'_>, child: Pid) -> Option<i32> {
    let over = AtomicBool::new(false);
    let place = &shared.text[flip.place];
    thread::scope(|scope| {
        scope.spawn(|| {
            for hold in HOLDS.into_iter().cycle() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                for value in [flip.values[1], flip.values[0]] {
                    place.store(value, Ordering::Relaxed);
                    (0..hold).for_each(|_| std::hint::spin_loop());
                }
            }
        });
        let status = wait_for(child);
        over.store(true, Ordering::Relaxed);
        status.code()
    })
}

/// What was told of a race: an act that succeeded, or may have.
pub struct Told {
    /// Which of the two values; 0 for neither.
    pub what: u8,
    pub callers_word: bool,
}

pub fn last_letter(text: Option<&str>) -> u8 {
    text.and_then(|text| text.bytes().last()).unwrap_or(0)
}

pub fn system(pid: u32, pick: impl Fn(&SystemEvent) -> Option<u8>) -> Vec<Told> {
    recorder().all(|record| match record {
        KernelRecord::Act(act) if act.process.pid == pid => match &act.event {
            EventKind::System(event) if event.result.is_none_or(|result| result >= 0) => {
                let callers_word = event.argument("source").is_some();
                Some(Told { what: pick(event)?, callers_word })
            }
            _ => None,
        },
        _ => None,
    })
}

pub fn files(pid: u32, pick: impl Fn(&FileEvent) -> Option<u8>) -> Vec<Told> {
    recorder().all(|record| match record {
        KernelRecord::Act(act) if act.process.pid == pid => match &act.event {
            EventKind::File(event) if event.error.unwrap_or(0) == 0 => {
                let callers_word = event.path_source == PathSource::Caller;
                Some(Told { what: pick(event)?, callers_word })
            }
            _ => None,
        },
        _ => None,
    })
}

/// Each act is told once, and rightly where the kernel speaks.
pub fn judge(what: &str, values: [u8; 2], told: &[Told], done: &[u8]) {
    let wrong: Vec<_> = told.iter().zip(done).filter(|(told, done)| told.what != **done).collect();
    let kernels = told.iter().filter(|told| !told.callers_word).count();
    println!(
        "race {what}: {} acts, {kernels} told as the kernel's word; {} told wrongly, all as the caller's word",
        done.len(),
        wrong.len()
    );
    assert_eq!(told.len(), done.len(), "{what}");
    let first = wrong.iter().find(|(told, _)| !told.callers_word);
    let first = first.map(|(told, done)| (char::from(told.what), char::from(**done)));
    assert_eq!(first, None, "{what}: told, done");
    for value in values {
        assert!(done.contains(&value), "{what}: the text did not flip");
    }
}

/// A folder with the directories `a` and `b`.
pub fn two_directories() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    folder
}

pub fn inode(path: impl AsRef<Path>) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.ino())
}

/// The acts of a process on the network, all of which are told as the kernel's word.
pub fn networks(pid: u32, pick: impl Fn(&NetworkEvent) -> Option<u8>) -> Vec<Told> {
    recorder().all(|record| match record {
        KernelRecord::Act(act) if act.process.pid == pid => match &act.event {
            EventKind::Network(event) if event.error.unwrap_or(0) == 0 => {
                Some(Told { what: pick(event)?, callers_word: false })
            }
            _ => None,
        },
        _ => None,
    })
}
