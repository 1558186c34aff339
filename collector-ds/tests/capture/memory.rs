//! Files in memory, and memory that becomes a program.

use crate::acts::{exit_now, in_fork};
use crate::recorder::{outcomes_are_told, recorder};
use event_model::{SystemAct, SystemEvent};
use nix::libc;

const PAGES: usize = 2 * 4096;

/// Maps fresh memory, or panics.
fn map(protection: i32, descriptor: i32) -> *mut libc::c_void {
    let anonymous = if descriptor < 0 { libc::MAP_ANONYMOUS } else { 0 };
    // SAFETY: the kernel chooses where; nothing that exists is touched.
    unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            PAGES,
            protection,
            libc::MAP_PRIVATE | anonymous,
            descriptor,
            0,
        )
    }
}

fn act(pid: u32, act: SystemAct) -> SystemEvent {
    recorder().system_act(pid, act.name(), |event| event.act == act)
}

#[test]
fn a_file_in_memory_is_told_by_its_name() {
    recorder();
    let (pid, _) = in_fork(|| {
        // SAFETY: a text with its NUL, and a number.
        unsafe {
            libc::memfd_create(c"payload".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING)
        };
        exit_now(0);
    });
    let event = act(pid, SystemAct::MemfdCreate);
    assert_eq!(event.argument("name"), Some("payload"), "{event:?}");
    assert_eq!(event.argument("flags"), Some("MFD_CLOEXEC|MFD_ALLOW_SEALING"));
    assert_eq!(event.argument("source"), None, "the name is the kernel's: {event:?}");
    assert_eq!(event.result.is_some_and(|result| result > 2), outcomes_are_told("memfd_create"));
}

#[test]
fn written_memory_that_becomes_executable_is_told() {
    recorder();
    let (pid, _) = in_fork(|| {
        let memory = map(libc::PROT_READ | libc::PROT_WRITE, -1);
        // SAFETY: the memory is ours, and as large as told.
        unsafe {
            memory.cast::<u8>().write(0xc3);
            libc::mprotect(memory, PAGES, libc::PROT_READ | libc::PROT_EXEC);
        }
        exit_now(0);
    });
    let event = act(pid, SystemAct::Mprotect);
    assert_eq!(event.argument("prot"), Some("PROT_READ|PROT_EXEC"), "{event:?}");
    assert_eq!(event.argument("length"), Some("8192"));
    assert!(event.argument("addr").is_some_and(|address| address.starts_with("0x7")), "{event:?}");
    let before = event.argument("old_prot");
    assert!(before.is_none_or(|before| before == "PROT_READ|PROT_WRITE"), "{event:?}");
    assert_eq!(event.result, outcomes_are_told("mprotect").then_some(0));
}

#[test]
fn memory_both_writable_and_executable_is_told() {
    recorder();
    let (pid, _) = in_fork(|| {
        map(libc::PROT_READ, -1);
        map(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC, -1);
        exit_now(0);
    });
    let event = act(pid, SystemAct::Mmap);
    assert_eq!(event.argument("prot"), Some("PROT_READ|PROT_WRITE|PROT_EXEC"), "{event:?}");
    assert_eq!(event.argument("flags"), Some("MAP_PRIVATE|MAP_ANONYMOUS"));
    assert_eq!((event.argument("length"), event.argument("path")), (Some("8192"), None));
}

#[test]
fn a_library_from_memory_is_told() {
    recorder();
    let (pid, _) = in_fork(|| {
        // SAFETY: a text with its NUL; the descriptor is the file that was just made.
        unsafe {
            let file = libc::memfd_create(c"library".as_ptr(), 0);
            libc::ftruncate(file, 8192);
            map(libc::PROT_READ | libc::PROT_EXEC, file);
        }
        exit_now(0);
    });
    let event = act(pid, SystemAct::Mmap);
    assert_eq!(event.argument("path"), Some("memfd:library"), "{event:?}");
    assert_eq!(event.argument("prot"), Some("PROT_READ|PROT_EXEC"));
}

#[test]
fn a_program_that_flips_its_memory_all_the_time_is_told_now_and_then() {
    const FLIPS: usize = 5_000;
    let recorder = recorder();
    let (pid, _) = in_fork(|| {
        let memory = map(libc::PROT_READ | libc::PROT_WRITE, -1);
        for _ in 0..FLIPS {
            // SAFETY: the memory is ours, and as large as told.
            unsafe {
                memory.cast::<u8>().write(0xc3);
                libc::mprotect(memory, PAGES, libc::PROT_READ | libc::PROT_EXEC);
                libc::mprotect(memory, PAGES, libc::PROT_READ | libc::PROT_WRITE);
            }
        }
        exit_now(0);
    });
    act(pid, SystemAct::Mprotect);
    let told = recorder.all(|record| match record {
        collector_ds::kernel::KernelRecord::Act(act) if act.process.pid == pid => Some(()),
        _ => None,
    });
    assert!(told.len() < FLIPS / 4, "{} records of {FLIPS} acts", told.len());
}

#[test]
fn a_handler_of_page_faults_is_told() {
    recorder();
    let (pid, _) = in_fork(|| {
        // SAFETY: a plain number. Kernels may lack it, or refuse it: that is told too.
        unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | 1) };
        exit_now(0);
    });
    let event = act(pid, SystemAct::Userfaultfd);
    assert_eq!(event.argument("flags"), Some("UFFD_USER_MODE_ONLY|O_CLOEXEC"), "{event:?}");
}
