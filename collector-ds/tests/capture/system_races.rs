//! Texts that are rewritten while a call of the system reads them: what is told as the kernel's word is what the kernel did.

use crate::acts::in_thread;
use crate::files::enter_private_mounts;
use crate::races::{
    Flip, LONGEST, ROUNDS, Told, flip, inode, judge, last_letter, race, system, two_directories,
};
use crate::recorder::recorder;
use collector_ds::kernel::KernelRecord;
use event_model::{EventKind, SystemAct};
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

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
