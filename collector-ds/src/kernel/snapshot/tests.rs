//! The files of `/proc`, as they are and as they could be; and this very process.

use super::mountinfo::Mount;
use super::stat::Stat;
use super::status::Status;
use super::{snapshot, within};
use ebpf_probes::{ExecRecord, process_key};
use event_model::{Executable, ProcessKey};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Duration;

const STAT: &str = "812 (a) b (c)) S 1 812 812 34817 900 4194560 1 2 3 4 5 6 7 8 20 0 3 0 123456 9 9 18446744073709551615";

#[test]
fn a_name_with_parentheses_does_not_shift_the_fields() {
    let stat = Stat::parse(STAT).unwrap();
    assert_eq!(stat.name, "a) b (c)");
    assert_eq!(stat.parent, 1);
    assert_eq!(stat.key.pid, 812);
    assert_eq!(stat.key.start_time, 1_234_560_000_000);
    assert_eq!(stat.terminal().as_deref(), Some("pts1"));
    assert!(!stat.is_kernel_thread());
    assert!(!stat.has_ended());
}

#[test]
fn a_first_thread_that_ended_does_not_end_the_process() {
    let first_ended = STAT.replace(") S ", ") Z ");
    assert!(!Stat::parse(&first_ended).unwrap().has_ended());
    let all_ended = first_ended.replace(" 20 0 3 0 ", " 20 0 1 0 ");
    assert!(Stat::parse(&all_ended).unwrap().has_ended());
}

#[test]
fn a_status_file_tells_real_and_effective_ids() {
    let text = "Name:\tpasswd\nUid:\t1000\t0\t0\t0\nGid:\t100\t50\t50\t50\nNSpid:\t812\t44\t7\nNSpgid:\t800\t40\t0\n\
                CapPrm:\t000001ffffffffff\nCapEff:\t0000000000200000\n";
    let status = Status::parse(text);
    assert_eq!((status.credentials.uid, status.credentials.euid), (1000, 0));
    assert_eq!((status.credentials.gid, status.credentials.egid), (100, 50));
    assert_eq!(status.credentials.capabilities_permitted, 0x1ff_ffff_ffff);
    assert_eq!(status.credentials.capabilities_effective, 1 << 21);
    assert_eq!((status.namespace_pid, status.process_group), (7, 0));
}

#[test]
fn blanks_in_a_point_are_unescaped() {
    let line =
        r"36 35 98:0 /sub /mnt/a\040b\134c rw,noatime master:1 shared:2 - cgroup none rw,memory";
    let mount = Mount::parse(line).unwrap();
    assert_eq!(mount.root, "/sub");
    assert_eq!(mount.point, PathBuf::from(r"/mnt/a b\c"));
    assert!(mount.has_option("memory"));
    assert!(!mount.has_option("mem"));
}

proptest! {
    #[test]
    fn no_text_of_proc_ends_the_sensor(text in ".{0,200}") {
        let _ = Stat::parse(&text);
        let _ = Stat::parse(&format!("1 (x) {text}"));
        let _ = Status::parse(&text);
        let _ = Mount::parse(&text);
    }
}

#[test]
fn this_process_is_in_the_snapshot_as_it_knows_itself() {
    let snapshot = snapshot(Path::new("/proc"));
    let me = std::process::id();
    let found = snapshot.processes.iter().find(|record| record.process.pid == me).unwrap();
    assert_eq!(found.executable.path, std::env::current_exe().unwrap().to_str().unwrap());
    assert_eq!(found.arguments, std::env::args().collect::<Vec<_>>());
    assert_eq!(found.working_directory, std::env::current_dir().unwrap().to_str().unwrap());
    assert_eq!(found.credentials.uid, nix::unistd::getuid().as_raw());
    let parent = nix::unistd::getppid().as_raw().cast_unsigned();
    assert_eq!(found.parent.map(|key| key.pid), Some(parent));
    assert!(snapshot.processes.is_sorted_by_key(|record| record.process.start_time));
}

#[test]
fn a_process_that_is_stuck_holds_nobody_up() {
    let proc_root = tempfile::tempdir().unwrap();
    for pid in ["7", "8", "9"] {
        let directory = proc_root.path().join(pid);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("stat"), STAT.replacen("812", pid, 1)).unwrap();
    }
    block(&proc_root.path().join("8/cmdline"));
    let snapshot = within(proc_root.path(), vec![], Duration::from_millis(200));
    let mut found: Vec<_> = snapshot.processes.iter().map(|record| record.process.pid).collect();
    found.sort_unstable();
    assert_eq!(found, [7, 9]);
    assert_eq!(snapshot.unread, [8]);
    let problems = snapshot.problems.join("\n");
    assert!(problems.contains("they are stuck in the kernel (state D): 8. "), "{problems}");
}

/// Whoever opens it waits for a writer, who never comes.
fn block(file: &Path) {
    nix::unistd::mkfifo(file, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

fn listed(pid: u32) -> ExecRecord {
    ExecRecord {
        process: ProcessKey { pid, ..Stat::parse(STAT).unwrap().key },
        parent: Some(process_key(1, 0)),
        executable: Executable { path: format!("/bin/{pid}"), ..Executable::default() },
        ..ExecRecord::default()
    }
}

#[test]
fn what_the_kernel_lists_is_told_whatever_proc_says() {
    let proc_root = tempfile::tempdir().unwrap();
    for pid in ["7", "8", "9", "11"] {
        let directory = proc_root.path().join(pid);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("stat"), STAT.replacen("812", pid, 1)).unwrap();
    }
    std::fs::write(proc_root.path().join("7/cmdline"), "seven\0").unwrap();
    block(&proc_root.path().join("8/cmdline"));
    std::fs::write(proc_root.path().join("11/stat"), "gone").unwrap();
    // 8 is stuck, 9 is in /proc alone, 10 is hidden there, 11 has ended since.
    let kernel = [7, 8, 10, 11].map(listed).to_vec();
    let snapshot = within(proc_root.path(), kernel, Duration::from_millis(200));
    let found: Vec<_> = snapshot
        .processes
        .iter()
        .map(|process| (process.process.pid, process.executable.path.as_str()))
        .collect();
    assert_eq!(found, [(7, "/bin/7"), (8, "/bin/8"), (9, ""), (10, "/bin/10")]);
    assert_eq!(snapshot.processes[0].arguments, ["seven"]);
    assert_eq!(snapshot.processes[0].parent, Some(process_key(1, 0)));
    assert!(snapshot.unread.is_empty(), "{:?}", snapshot.unread);
}

#[test]
fn a_folder_that_is_no_proc_is_told() {
    let snapshot = snapshot(Path::new("/nowhere"));
    assert!(snapshot.processes.is_empty());
    assert!(snapshot.lacks_processes && snapshot.lacks_cgroups);
    let problems = snapshot.problems.join("\n");
    assert!(problems.contains("/nowhere can't be listed"), "{problems}");
    assert!(problems.contains("no cgroup hierarchy is mounted"), "{problems}");
}
