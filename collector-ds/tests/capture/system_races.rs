//! Texts that are rewritten while a call of the system reads them: what is told as the kernel's word is what the kernel did.
//!
//! The child that acts shares the text with this program, a thread of which rewrites it.

use crate::acts::{exit_now, in_thread, wait_for};
use crate::files::enter_private_mounts;
use crate::io_uring::{OneRing, Submission};
use crate::recorder::recorder;
use collector_ds::kernel::KernelRecord;
use event_model::{EventKind, FileAct, FileEvent, PathSource, SystemAct, SystemEvent};
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{ForkResult, Pid, fork};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 10_000;

/// An emulated machine does fewer.
const LONGEST: Duration = Duration::from_secs(15);

const TEXT_BYTES: usize = 512;

/// A value stays for so many turns: for as long as a part of a call takes, now a short one, now a long one.
const HOLDS: [u32; 8] = [0, 0, 0, 20, 60, 150, 400, 1000];

/// What the child shares with this program.
#[repr(C)]
struct Shared {
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

    fn pointer(&self) -> *const libc::c_char {
        self.text.as_ptr().cast()
    }

    fn address(&self) -> u64 {
        self.text.as_ptr() as u64
    }

    fn done(&self) -> Vec<u8> {
        let count = self.count.load(Ordering::Relaxed);
        self.done[..count].iter().map(|done| done.load(Ordering::Relaxed)).collect()
    }
}

/// Memory where one byte flips.
struct Flip<'text> {
    bytes: &'text [u8],
    place: usize,
    values: [u8; 2],
}

/// A text that ends with `a` or `b`.
fn flip(text: &[u8]) -> Flip<'_> {
    Flip { bytes: text, place: text.len() - 1, values: *b"ab" }
}

/// Calls `once` in a child over and over while the byte flips. It says for which of the two values the act was done, if it
/// was. None where the child could not begin (`prepare` said no).
fn race(
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
struct Told {
    /// Which of the two values; 0 for neither.
    what: u8,
    callers_word: bool,
}

fn last_letter(text: Option<&str>) -> u8 {
    text.and_then(|text| text.bytes().last()).unwrap_or(0)
}

fn system(pid: u32, pick: impl Fn(&SystemEvent) -> Option<u8>) -> Vec<Told> {
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

fn files(pid: u32, pick: impl Fn(&FileEvent) -> Option<u8>) -> Vec<Told> {
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
fn judge(what: &str, values: [u8; 2], told: &[Told], done: &[u8]) {
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
fn two_directories() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    folder
}

fn inode(path: impl AsRef<Path>) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.ino())
}

#[test]
fn the_name_that_a_process_gives_itself_is_told_as_it_is() {
    let (pid, done) = race(
        &flip(b"flipping-a"),
        || true,
        |shared| {
            let mut name = [0_u8; 16];
            // SAFETY: both are memory that lives; the kernel takes and gives at most 16 bytes.
            unsafe {
                libc::prctl(libc::PR_SET_NAME, shared.pointer());
                libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr());
            }
            Some(name[9])
        },
    )
    .unwrap();
    let told = system(pid, |event| {
        (event.act == SystemAct::Prctl).then(|| last_letter(event.argument("name")))
    });
    judge("prctl", *b"ab", &told, &done);
    assert!(told.iter().all(|told| !told.callers_word));
}

#[test]
fn the_name_of_a_file_in_memory_is_told_as_it_is() {
    let (pid, done) = race(
        &flip(b"flipping-a"),
        || true,
        |shared| {
            // SAFETY: the text lives, and ends with a NUL that nobody changes.
            let descriptor = unsafe { libc::memfd_create(shared.pointer(), 0) };
            assert!(descriptor >= 0);
            let shown = fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap();
            // SAFETY: it was just made, and is nobody else's.
            drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
            // /memfd:flipping-a (deleted)
            Some(shown.to_str().unwrap().as_bytes()["/memfd:flipping-".len()])
        },
    )
    .unwrap();
    let told = system(pid, |event| {
        (event.act == SystemAct::MemfdCreate).then(|| last_letter(event.argument("name")))
    });
    judge("memfd_create", *b"ab", &told, &done);
    assert!(told.iter().all(|told| !told.callers_word));
}

#[test]
fn the_root_that_a_process_takes_is_told_as_it_is() {
    let folder = two_directories();
    let (top, here) = (File::open("/").unwrap(), File::open(folder.path()).unwrap());
    let inode_of_a = inode(folder.path().join("a"));
    let (pid, done) = race(
        &flip(b"a"),
        || true,
        |shared| {
            // SAFETY: descriptors that are open, and texts that live.
            unsafe {
                assert_eq!(libc::fchdir(here.as_raw_fd()), 0);
                assert_eq!(libc::chroot(shared.pointer()), 0);
            }
            let is_a = inode("/") == inode_of_a;
            // Out again: the working directory lies outside. Told as `/`.
            // SAFETY: as before.
            unsafe {
                assert_eq!(libc::fchdir(top.as_raw_fd()), 0);
                assert_eq!(libc::chroot(c".".as_ptr()), 0);
            }
            Some(if is_a { b'a' } else { b'b' })
        },
    )
    .unwrap();
    let told = system(pid, |event| {
        let is_into_it = event.act == SystemAct::Chroot && event.argument("path") != Some("/");
        is_into_it.then(|| last_letter(event.argument("path")))
    });
    judge("chroot", *b"ab", &told, &done);
    assert!(told.iter().all(|told| !told.callers_word));
}

/// A child may exchange roots where the root is not the one of the boot.
#[test]
fn the_root_that_is_exchanged_is_told_or_the_text_is_told_as_the_callers() {
    let folder = two_directories();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    File::create(a.join("in-a")).unwrap();
    let top = File::open("/").unwrap();
    let raced = race(
        &flip(format!("{}/a", folder.path().display()).as_bytes()),
        || {
            enter_private_mounts();
            for path in [&a, &b] {
                mount(Some(path), path, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
            }
            // Of the new namespace, not of the old one.
            nix::unistd::chdir("/").unwrap();
            let old = File::open("/").unwrap();
            // SAFETY: both are open; the second stays so.
            unsafe { libc::dup2(old.as_raw_fd(), top.as_raw_fd()) };
            let exchanged = nix::unistd::pivot_root(&a, &a).is_ok();
            exchanged && back(&top, &a)
        },
        |shared| {
            // SAFETY: the text lives.
            let result =
                unsafe { libc::syscall(libc::SYS_pivot_root, shared.pointer(), shared.pointer()) };
            // The two copies may differ: then the one is not below the other.
            (result == 0).then(|| {
                let is_a = Path::new("/in-a").exists();
                assert!(back(&top, if is_a { &a } else { &b }));
                if is_a { b'a' } else { b'b' }
            })
        },
    );
    let Some((pid, done)) = raced else {
        println!("race pivot_root: the root of this machine can't be exchanged");
        return;
    };
    let told = system(pid, |event| {
        let new = event.argument("new_root")?;
        let is_into_it = event.act == SystemAct::PivotRoot && new.len() > 3;
        is_into_it.then(|| last_letter(Some(new)))
    });
    // The first was the trial.
    judge("pivot_root", *b"ab", &told[1..], &done);
}

/// Makes the old root, whose directory `top` is and which lies over the new one, the root again.
fn back(top: &File, place: &Path) -> bool {
    let place = std::ffi::CString::new(place.strip_prefix("/").unwrap().to_str().unwrap()).unwrap();
    // SAFETY: a descriptor that is open, and texts that live.
    unsafe {
        libc::fchdir(top.as_raw_fd()) == 0
            && libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), place.as_ptr()) == 0
            && libc::fchdir(top.as_raw_fd()) == 0
    }
}

/// `union bpf_attr` of BPF_PROG_LOAD, the name behind the rest.
fn program_load(instructions: &[u64; 2]) -> Vec<u8> {
    let mut attributes = vec![];
    attributes.extend(1_u32.to_ne_bytes()); // BPF_PROG_TYPE_SOCKET_FILTER
    attributes.extend(2_u32.to_ne_bytes());
    attributes.extend((instructions.as_ptr() as u64).to_ne_bytes());
    attributes.extend((c"GPL".as_ptr() as u64).to_ne_bytes());
    attributes.extend([0; 24]);
    attributes.extend(*b"flipping_a\0\0\0\0\0\0");
    attributes
}

#[test]
fn the_name_of_a_bpf_program_is_told_as_it_is() {
    // r0 = 0; exit
    let instructions: [u64; 2] = [0xb7, 0x95];
    let attributes = program_load(&instructions);
    let flip = Flip { bytes: &attributes, place: 48 + 9, values: *b"ab" };
    let size = attributes.len() as u64;
    let (pid, done) = race(
        &flip,
        || true,
        |shared| {
            let mut about = [0_u8; 128]; // struct bpf_prog_info
            // SAFETY: the memory of both commands lives; the kernel keeps to the sizes it is given.
            unsafe {
                let program = libc::syscall(libc::SYS_bpf, 5, shared.address(), size);
                if program < 0 {
                    return None;
                }
                let program = i32::try_from(program).unwrap();
                let mut query = [0_u64; 2]; // BPF_OBJ_GET_INFO_BY_FD: descriptor, length, address
                query[0] = program.cast_unsigned().into();
                query[0] |= 128 << 32;
                query[1] = about.as_mut_ptr() as u64;
                assert_eq!(libc::syscall(libc::SYS_bpf, 15, query.as_mut_ptr(), 16), 0);
                libc::close(program);
            }
            Some(about[64 + 9])
        },
    )
    .unwrap();
    let told = system(pid, |event| {
        let is_load = event.act == SystemAct::Bpf && event.argument("cmd") == Some("BPF_PROG_LOAD");
        is_load.then(|| last_letter(event.argument("name")))
    });
    judge("bpf", *b"ab", &told, &done);
    assert!(told.iter().all(|told| !told.callers_word));
}

/// Of the thread that calls. None where the kernel refuses it.
///
/// # Safety
///
/// `attributes` points to a whole `struct perf_event_attr`, which another thread may change.
unsafe fn open_event<T>(attributes: *const T) -> Option<OwnedFd> {
    // SAFETY: as the caller promises; the kernel only reads it.
    let event = unsafe { libc::syscall(libc::SYS_perf_event_open, attributes, 0, -1, -1, 0) };
    let event = i32::try_from(event).ok().filter(|event| *event >= 0)?;
    // SAFETY: it was just opened, and is nobody else's.
    Some(unsafe { OwnedFd::from_raw_fd(event) })
}

#[test]
fn a_performance_event_is_told_as_it_was_opened() {
    // struct perf_event_attr: PERF_TYPE_SOFTWARE, its size in the first version, PERF_COUNT_SW_CONTEXT_SWITCHES or
    // what there is none of.
    let mut attributes = [0_u8; 64];
    attributes[0] = 1;
    attributes[4] = 64;
    attributes[8] = 3;
    let flip = Flip { bytes: &attributes, place: 8, values: [3, 99] };
    // One stays open: with the first and the last of a machine the kernel rewrites its own code, which emulated ones do not bear
    // ten thousand times.
    // SAFETY: the attributes live.
    let _stays = unsafe { open_event(attributes.as_ptr()) };
    let (pid, done) = race(
        &flip,
        || true,
        |shared| {
            // SAFETY: the attributes live.
            let event = unsafe { open_event(shared.pointer()) };
            // There is no event 99: what was opened is event 3.
            event.map(|_| 3)
        },
    )
    .unwrap();
    if done.is_empty() {
        println!("race perf_event_open: this kernel opens no performance event");
        return;
    }
    let told = system(pid, |event| {
        (event.act == SystemAct::PerfEventOpen && event.argument("type").is_some())
            .then(|| if event.argument("config") == Some("0x3") { 3 } else { 99 })
    });
    // Where the outcome is not known the refused are told as well: none of them got as far as to have a type.
    judge("perf_event_open", [3, 3], &told, &done);
}

#[test]
fn the_name_of_a_module_to_remove_is_told_as_the_callers_where_the_call_fails() {
    let (pid, _) = race(
        &flip(b"no_such_module_a"),
        || true,
        |shared| {
            // SAFETY: the text lives.
            let result = unsafe { libc::syscall(libc::SYS_delete_module, shared.pointer(), 0) };
            (result == 0).then_some(0)
        },
    )
    .unwrap();
    let told: Vec<bool> = recorder().all(|record| match record {
        KernelRecord::Act(act) if act.process.pid == pid => match &act.event {
            EventKind::System(event) if event.act == SystemAct::ModuleUnload => {
                Some(event.argument("source").is_some() || event.argument("name").is_none())
            }
            _ => None,
        },
        _ => None,
    });
    println!("race delete_module: {} told", told.len());
    assert!(told.iter().all(|is_callers| *is_callers));
}

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

/// A namespace of its own, which lives as long as its file is open.
fn namespace(kind: CloneFlags, file: &str) -> File {
    in_thread(|| {
        unshare(kind).expect("root may make a namespace");
        File::open(format!("/proc/thread-self/ns/{file}")).unwrap()
    })
}

/// The descriptor that setns is given stands now for this namespace, now for that one: threads share descriptors.
#[test]
fn the_namespace_that_is_entered_is_told_or_told_as_the_callers() {
    recorder();
    let (uts, ipc) =
        (namespace(CloneFlags::CLONE_NEWUTS, "uts"), namespace(CloneFlags::CLONE_NEWIPC, "ipc"));
    let own_uts = File::open("/proc/self/ns/uts").unwrap();
    let own_ipc = File::open("/proc/self/ns/ipc").unwrap();
    let flipping = uts.try_clone().unwrap();
    let over = AtomicBool::new(false);
    let entered = || fs::metadata("/proc/thread-self/ns/uts").unwrap().ino();
    let inode_of_uts = uts.metadata().unwrap().ino();
    let (thread, done) = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for one in [&ipc, &uts] {
                    // SAFETY: both descriptors are open, and stay so.
                    unsafe { libc::dup2(one.as_raw_fd(), flipping.as_raw_fd()) };
                }
            }
        });
        let acting = scope.spawn(|| {
            let begin = Instant::now();
            let mut done = vec![];
            while done.len() < ROUNDS && begin.elapsed() < LONGEST {
                setns(&flipping, CloneFlags::empty()).unwrap();
                done.push(if entered() == inode_of_uts { b'u' } else { b'i' });
                setns(&own_uts, CloneFlags::CLONE_NEWUTS).unwrap();
                setns(&own_ipc, CloneFlags::CLONE_NEWIPC).unwrap();
            }
            (nix::unistd::gettid().as_raw().cast_unsigned(), done)
        });
        let acted = acting.join();
        over.store(true, Ordering::Relaxed);
        acted.unwrap()
    });
    let told: Vec<_> = recorder().all(|record| match record {
        KernelRecord::Act(act) if act.thread == thread => match &act.event {
            EventKind::System(event)
                if event.act == SystemAct::Setns && event.argument("flags") == Some("0") =>
            {
                let what = match event.argument("nstype") {
                    Some("CLONE_NEWUTS") => b'u',
                    Some("CLONE_NEWIPC") => b'i',
                    _ => 0,
                };
                Some(Told { what, callers_word: event.argument("source").is_some() })
            }
            _ => None,
        },
        _ => None,
    });
    judge("setns", *b"ui", &told, &done);
}
