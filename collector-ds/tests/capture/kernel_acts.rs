//! Acts on the kernel: modules, BPF, other kernels, keys, performance events.

use crate::acts::{Running, exit_now, in_fork};
use crate::recorder::{outcomes_are_told, recorder};
use collector_ds::kernel::KernelRecord;
use event_model::{EventKind, SystemAct, SystemEvent};
use nix::libc;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;

/// The module that the test machines bring along.
const MODULE: &str = "/overlay.ko";

/// `-ENOSYS`: this kernel was built without the call.
const MISSING: i64 = -38;

fn act(pid: u32, act: SystemAct) -> SystemEvent {
    recorder().system_act(pid, act.name(), |event| event.act == act)
}

/// All that a process did, of one kind.
fn all(pid: u32, kind: SystemAct) -> Vec<SystemEvent> {
    recorder().all(|record| match record {
        KernelRecord::Act(act) if act.process.pid == pid => match &act.event {
            EventKind::System(event) if event.act == kind => Some(event.as_ref().clone()),
            _ => None,
        },
        _ => None,
    })
}

fn syscall(number: libc::c_long, arguments: [u64; 5]) -> i64 {
    let [first, second, third, fourth, fifth] = arguments;
    // SAFETY: callers pass numbers, or addresses of memory that lives until the call is over.
    unsafe { libc::syscall(number, first, second, third, fourth, fifth) }
}

fn call_in_fork(number: libc::c_long, arguments: [u64; 5]) -> u32 {
    in_fork(|| {
        syscall(number, arguments);
        exit_now(0);
    })
    .0
}

#[test]
fn a_module_is_told_when_it_comes_and_when_it_goes() {
    recorder();
    let Ok(file) = File::open(MODULE) else {
        println!("there is no {MODULE} to load: only failures are shown");
        return;
    };
    let (pid, _) = in_fork(|| {
        let descriptor = u64::try_from(file.as_raw_fd()).unwrap();
        syscall(libc::SYS_delete_module, [c"overlay".as_ptr() as u64, 0, 0, 0, 0]);
        let loaded = syscall(libc::SYS_finit_module, [descriptor, c"".as_ptr() as u64, 0, 0, 0]);
        exit_now(i32::from(loaded != 0));
    });
    let loaded = act(pid, SystemAct::ModuleLoad);
    assert_eq!(loaded.argument("name"), Some("overlay"), "{loaded:?}");
    assert_eq!(loaded.argument("path"), Some(MODULE));
    assert_eq!(loaded.argument("source"), None);
    let unloaded = act(pid, SystemAct::ModuleUnload);
    assert_eq!(unloaded.argument("name"), Some("overlay"), "{unloaded:?}");
}

#[test]
fn a_module_that_is_none_is_told_with_the_error_where_the_hook_knows() {
    recorder();
    let mut garbage = tempfile::NamedTempFile::new().unwrap();
    garbage.write_all(&[7; 4096]).unwrap();
    let descriptor = u64::try_from(garbage.as_file().as_raw_fd()).unwrap();
    let parameters = c"".as_ptr() as u64;
    let pid = call_in_fork(libc::SYS_finit_module, [descriptor, parameters, 2, 0, 0]);
    let told = all(pid, SystemAct::ModuleLoad);
    let [event] = told.as_slice() else {
        assert!(told.is_empty(), "{told:?}");
        println!("this kernel tells modules that are loaded, and no others");
        return;
    };
    assert!(event.result.is_some_and(|result| result < 0), "{event:?}");
    if event.result != Some(MISSING) {
        assert_eq!(event.argument("path"), garbage.path().to_str());
    }
    assert_eq!(event.argument("flags"), Some("MODULE_INIT_IGNORE_VERMAGIC"));
}

/// `union bpf_attr` of BPF_PROG_LOAD, as far as it is set.
#[repr(C)]
#[derive(Default)]
struct ProgramLoad {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log: [u32; 4],
    version_and_flags: [u32; 2],
    name: [u8; 16],
}

#[test]
fn a_bpf_program_is_told_by_its_type_and_name() {
    recorder();
    // r0 = 0; exit
    let instructions: [u64; 2] = [0xb7, 0x95];
    let mut load = ProgramLoad {
        kind: 1, // BPF_PROG_TYPE_SOCKET_FILTER
        instruction_count: 2,
        instructions: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        ..ProgramLoad::default()
    };
    load.name[..7].copy_from_slice(b"harmful");
    let size = u64::try_from(size_of::<ProgramLoad>()).unwrap();
    let address = std::ptr::from_ref(&load) as u64;
    let pid = call_in_fork(libc::SYS_bpf, [5, address, size, 0, 0]);
    let event = act(pid, SystemAct::Bpf);
    assert_eq!(event.argument("cmd"), Some("BPF_PROG_LOAD"), "{event:?}");
    assert_eq!(event.argument("prog_type"), Some("BPF_PROG_TYPE_SOCKET_FILTER"), "{event:?}");
    assert_eq!(event.argument("name"), Some("harmful"));
    assert_eq!(event.result.is_some_and(|result| result > 2), outcomes_are_told("bpf"));
    // This program is the sensor: its own loads go without saying.
    syscall(libc::SYS_bpf, [5, address, size, 0, 0]);
    assert_eq!(all(std::process::id(), SystemAct::Bpf), []);
}

#[test]
fn a_kernel_to_be_booted_is_told() {
    recorder();
    // More segments than there may be: nothing is loaded.
    let pid = call_in_fork(libc::SYS_kexec_load, [0, 999, 0, 0, 0]);
    let event = act(pid, SystemAct::KexecLoad);
    assert_eq!(event.argument("nr_segments"), Some("999"), "{event:?}");
    assert_eq!(event.argument("flags"), Some("0x0"));
    let refused = event.result.is_some_and(|result| result < 0);
    assert_eq!(refused, outcomes_are_told("kexec_load"), "{event:?}");
}

#[test]
fn a_kernel_file_to_be_booted_is_told_by_its_path() {
    recorder();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kernel");
    // The kernel reads none that is open for writing.
    std::fs::write(&path, [7; 4096]).unwrap();
    let garbage = File::open(&path).unwrap();
    let descriptor = u64::try_from(garbage.as_raw_fd()).unwrap();
    let without_initramfs = 4;
    let pid = call_in_fork(libc::SYS_kexec_file_load, [descriptor, 0, 0, 0, without_initramfs]);
    let event = act(pid, SystemAct::KexecLoad);
    assert_eq!(event.argument("path"), path.to_str(), "{event:?}");
    assert_eq!(event.argument("flags"), Some("0x4"));
    let refused = event.result.is_some_and(|result| result < 0);
    assert_eq!(refused, outcomes_are_told("kexec_load"), "{event:?}");
}

#[test]
fn what_is_done_with_keys_is_told_by_the_operation() {
    recorder();
    let session_keyring = (-3_i64).cast_unsigned();
    let pid = call_in_fork(libc::SYS_keyctl, [0, session_keyring, 0, 0, 0]);
    let event = act(pid, SystemAct::Keyctl);
    assert_eq!(event.argument("operation"), Some("KEYCTL_GET_KEYRING_ID"), "{event:?}");
    assert_eq!(event.argument("arg2"), Some("-3"));
}

#[test]
fn a_performance_event_is_told_with_its_type_and_its_target() {
    recorder();
    let target = Running::sleep(|command| command);
    let key = recorder().exec_of(target.pid()).process;
    // struct perf_event_attr: PERF_TYPE_SOFTWARE, its size in the first version, PERF_COUNT_SW_CONTEXT_SWITCHES.
    // (The kernel makes clocks events of other types.)
    let mut attributes = [0_u64; 8];
    attributes[0] = 1 | 64 << 32;
    attributes[1] = 3;
    let any_cpu = u64::MAX;
    let pid = call_in_fork(
        libc::SYS_perf_event_open,
        [attributes.as_ptr() as u64, u64::from(target.pid()), any_cpu, u64::MAX, 8],
    );
    let event = act(pid, SystemAct::PerfEventOpen);
    assert_eq!(event.argument("pid"), Some(target.pid().to_string().as_str()), "{event:?}");
    assert_eq!(
        (event.argument("cpu"), event.argument("flags")),
        (Some("-1"), Some("PERF_FLAG_FD_CLOEXEC"))
    );
    if event.result.is_some_and(|result| result < 0) {
        println!("this kernel opens no performance event: {event:?}");
        return;
    }
    assert_eq!(event.argument("type"), Some("PERF_TYPE_SOFTWARE"), "{event:?}");
    assert_eq!(event.target.expect("it has a target").key, key);
}

#[test]
fn the_module_of_the_test_machines_stays_loaded() {
    if Path::new(MODULE).exists() {
        let modules = std::fs::read_to_string("/proc/modules").unwrap();
        assert!(modules.contains("overlay"), "{modules}");
    }
}
