//! What runs already, as the kernel's own list tells it: against what `/proc` tells of the same processes.

use crate::acts::{Running, in_thread};
use crate::recorder::load;
use collector_ds::kernel::{ExecRecord, Sensor, snapshot};
use event_model::Executable;
use nix::libc;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;

const RING_BYTES: u64 = 64 << 10;

fn of(processes: Vec<ExecRecord>, pid: u32) -> ExecRecord {
    let found = processes.into_iter().find(|record| record.process.pid == pid);
    found.unwrap_or_else(|| panic!("process {pid} is not listed"))
}

/// What only one of the two tells, taken out.
fn comparable(record: ExecRecord) -> ExecRecord {
    ExecRecord {
        arguments: vec![],
        arguments_truncated: false,
        executable: Executable { upper_layer: false, ..record.executable },
        ..record
    }
}

fn assert_listed_as_in_proc(sensor: &mut Sensor, pid: u32) {
    let listed = of(sensor.list_processes(), pid);
    let expected = of(snapshot(Path::new("/proc")).processes, pid);
    assert!(listed.arguments.is_empty() && listed.arguments_truncated, "{listed:?}");
    assert_eq!(comparable(listed), comparable(expected));
}

#[test]
fn the_kernel_lists_a_running_process_as_proc_tells_it() {
    let mut sensor = load(RING_BYTES);
    let plain = Running::sleep(|command| command.arg("1").current_dir("/usr"));
    let other_user = Running::sleep(|command| command.uid(1000).gid(1001).current_dir("/"));
    for pid in [plain.pid(), other_user.pid(), std::process::id()] {
        assert_listed_as_in_proc(&mut sensor, pid);
    }
}

#[test]
fn each_process_of_proc_is_in_the_kernels_list_once() {
    let mut sensor = load(RING_BYTES);
    let process = Running::sleep(|command| command);
    let listed = sensor.list_processes();
    let times = listed.iter().filter(|record| record.process.pid == process.pid()).count();
    assert_eq!(times, 1);
    let mut keys: Vec<_> = listed.iter().map(|record| record.process).collect();
    keys.sort_unstable_by_key(|key| (key.pid, key.start_time));
    keys.dedup();
    assert_eq!(keys.len(), listed.len(), "a process is told twice");
}

#[test]
fn a_snapshot_has_arguments_from_proc_and_the_program_from_the_kernel() {
    let mut sensor = load(RING_BYTES);
    let process = Running::sleep(|command| command.arg("1").current_dir("/usr"));
    let told = of(sensor.snapshot(Path::new("/proc")).processes, process.pid());
    let expected = of(snapshot(Path::new("/proc")).processes, process.pid());
    assert_eq!(told.arguments, ["/bin/sleep", "600", "1"]);
    assert_eq!(told.arguments, expected.arguments);
    assert!(!told.arguments_truncated);
    assert_eq!(comparable(told), comparable(expected));
}

/// Takes CAP_SYS_PTRACE from the calling thread, for good.
fn give_up_ptrace() {
    const CAP_SYS_PTRACE: u32 = 19;
    // struct __user_cap_header_struct, version 3 of this thread; struct __user_cap_data_struct, low and high halves.
    let header: [u32; 2] = [0x2008_0522, 0];
    let mut sets = [0_u32; 6];
    // SAFETY: capget writes two structures of three words.
    let got = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
    assert_eq!(got, 0);
    sets[0] &= !(1 << CAP_SYS_PTRACE);
    sets[1] &= !(1 << CAP_SYS_PTRACE);
    // SAFETY: capset reads as much.
    let set = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) };
    assert_eq!(set, 0);
}

#[test]
fn a_program_that_proc_keeps_from_us_is_known() {
    let mut sensor = load(RING_BYTES);
    let process = Running::sleep(|command| command.uid(1000).gid(1001).current_dir("/usr"));
    let program = fs::canonicalize("/bin/sleep").unwrap();
    in_thread(|| {
        give_up_ptrace();
        let link = fs::read_link(format!("/proc/{}/exe", process.pid()));
        assert_eq!(link.unwrap_err().kind(), ErrorKind::PermissionDenied);
        let unreadable =
            |problems: &[String]| problems.iter().any(|one| one.contains("can't be read"));
        let from_proc = snapshot(Path::new("/proc"));
        assert!(unreadable(&from_proc.problems), "{:?}", from_proc.problems);
        assert_eq!(of(from_proc.processes, process.pid()).executable.path, "");

        let told = of(sensor.snapshot(Path::new("/proc")).processes, process.pid());
        assert_eq!(Path::new(&told.executable.path), program);
        assert_eq!(told.working_directory, "/usr");
        assert_eq!(told.arguments, ["/bin/sleep", "600"]);
    });
}
