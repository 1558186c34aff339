//! Cgroups that come and go, and the programs in them.

use crate::acts::{TRUE, exit_now, in_fork, run};
use crate::recorder::recorder;
use collector_ds::kernel::{CgroupKey, CgroupRecord, KernelRecord, snapshot};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A hierarchy that is mounted here: its root, and the start of its line in `/proc/self/cgroup`.
struct Hierarchy {
    root: &'static str,
    line: &'static str,
    /// Whether a process in it is attributed to it.
    tells_container: bool,
}

const HIERARCHIES: [Hierarchy; 4] = [
    Hierarchy { root: "/sys/fs/cgroup", line: "0::", tells_container: true },
    Hierarchy { root: "/sys/fs/cgroup/unified", line: "0::", tells_container: true },
    Hierarchy { root: "/sys/fs/cgroup/memory", line: ":memory:", tells_container: true },
    Hierarchy { root: "/sys/fs/cgroup/freezer", line: ":freezer:", tells_container: false },
];

impl Hierarchy {
    fn is_mounted(&self) -> bool {
        Path::new(self.root).join("cgroup.procs").exists()
    }

    /// Its id, from the number that begins its line.
    fn id(&self) -> u32 {
        let memberships = fs::read_to_string("/proc/self/cgroup").expect("the kernel has cgroups");
        let line = memberships.lines().find(|line| line.contains(self.line));
        let number = line.and_then(|line| line.split(':').next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no line with {} in {memberships}", self.line))
    }
}

/// A cgroup that exists until it is dropped.
struct Made {
    directory: PathBuf,
    path: String,
    key: CgroupKey,
}

impl Made {
    fn on(hierarchy: &Hierarchy, name: &str) -> Self {
        let path = format!("/capture-{}-{name}", std::process::id());
        let directory = PathBuf::from(format!("{}{path}", hierarchy.root));
        fs::create_dir(&directory).expect("root may make cgroups");
        let id = fs::metadata(&directory).expect("it was just made").ino();
        Self { directory, path, key: CgroupKey { hierarchy: hierarchy.id(), id } }
    }

    /// Runs a program that enters the cgroup first. On cgroup v2 it leaves those of the controllers of v1 before, where
    /// there are any: they would tell its container.
    fn run(&self) -> u32 {
        let mut enter = vec![self.directory.join("cgroup.procs")];
        if self.key.hierarchy == 0 {
            enter.splice(0..0, roots_of_controllers());
        }
        let mut command = Command::new(TRUE);
        // SAFETY: the child writes a byte to each file; glibc keeps the allocator usable across fork.
        unsafe { command.pre_exec(move || enter.iter().try_for_each(|file| fs::write(file, "0"))) };
        run(&mut command)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.directory);
    }
}

/// What a process writes to, to be at the roots of the controllers that tell containers.
fn roots_of_controllers() -> Vec<PathBuf> {
    let roots = ["memory", "pids"].map(|name| format!("/sys/fs/cgroup/{name}/cgroup.procs"));
    roots.into_iter().map(PathBuf::from).filter(|file| file.exists()).collect()
}

fn mounted() -> Vec<&'static Hierarchy> {
    static ALL: [Hierarchy; 4] = HIERARCHIES;
    let mounted: Vec<_> = ALL.iter().filter(|hierarchy| hierarchy.is_mounted()).collect();
    assert!(!mounted.is_empty(), "no cgroup hierarchy is mounted below /sys/fs/cgroup");
    mounted
}

fn made(record: &KernelRecord) -> Option<&CgroupRecord> {
    match record {
        KernelRecord::CgroupMade(cgroup) => Some(cgroup),
        _ => None,
    }
}

fn removed(record: &KernelRecord) -> Option<&CgroupRecord> {
    match record {
        KernelRecord::CgroupRemoved(cgroup) => Some(cgroup),
        _ => None,
    }
}

#[test]
fn a_cgroup_is_told_when_it_is_made_and_when_it_is_removed() {
    let recorder = recorder();
    for hierarchy in mounted() {
        let cgroup = Made::on(hierarchy, "life");
        let (key, path) = (cgroup.key, cgroup.path.clone());
        let told = |record: &CgroupRecord| (record.cgroup == key).then(|| record.path.clone());
        let what = format!("{path} on {}", hierarchy.root);
        let made_path =
            recorder.expect(&format!("{what} made"), |record| made(record).and_then(told));
        assert_eq!(made_path, path);
        drop(cgroup);
        let removed_path =
            recorder.expect(&format!("{what} removed"), |record| removed(record).and_then(told));
        assert_eq!(removed_path, path);
    }
}

#[test]
fn a_program_is_told_with_the_cgroup_it_runs_in() {
    let recorder = recorder();
    for hierarchy in mounted() {
        let cgroup = Made::on(hierarchy, "exec");
        let exec = recorder.exec_of(cgroup.run());
        if hierarchy.tells_container {
            assert_eq!(exec.cgroup, cgroup.key, "on {}", hierarchy.root);
        } else {
            assert_ne!(exec.cgroup.hierarchy, cgroup.key.hierarchy, "on {}", hierarchy.root);
        }
    }
}

#[test]
fn a_process_that_is_moved_is_told_where_it_forks_and_where_it_ends() {
    let recorder = recorder();
    let hierarchies = mounted().into_iter().filter(|hierarchy| hierarchy.tells_container);
    for hierarchy in hierarchies {
        let cgroup = Made::on(hierarchy, "moved");
        let mut enter = roots_of_controllers();
        enter.push(cgroup.directory.join("cgroup.procs"));
        let (creator, status) = in_fork(|| {
            let entered = enter.iter().try_for_each(|file| fs::write(file, "0"));
            let (_, child) = in_fork(|| exit_now(0));
            exit_now(i32::from(entered.is_err() || !child.success()))
        });
        assert!(status.success(), "{status}");
        let fork = recorder.expect("the fork of the moved process", |record| match record {
            KernelRecord::Fork(fork) if fork.creator.pid == creator => Some(*fork),
            _ => None,
        });
        let what = format!("on {}", hierarchy.root);
        assert_eq!((fork.creator_cgroup, fork.cgroup), (cgroup.key, cgroup.key), "{what}");
        assert_eq!(recorder.exit_of(creator).cgroup, cgroup.key, "{what}");
        assert_ne!(recorder.fork_of(creator).cgroup, cgroup.key, "{what}");
    }
}

#[test]
fn on_a_hybrid_host_a_process_is_told_by_its_controller_wherever_it_is_in_v2() {
    let recorder = recorder();
    let (unified, controllers): (Vec<_>, Vec<_>) =
        mounted().into_iter().filter(|one| one.tells_container).partition(|one| one.line == "0::");
    for (v2, controller) in unified.iter().zip(controllers) {
        let of_runtime = Made::on(v2, "runtime");
        let of_container = Made::on(controller, "container");
        let enter = [&of_runtime, &of_container].map(|made| made.directory.join("cgroup.procs"));
        let mut command = Command::new(TRUE);
        // SAFETY: the child writes a byte to two files; glibc keeps the allocator usable across fork.
        unsafe { command.pre_exec(move || enter.iter().try_for_each(|file| fs::write(file, "0"))) };
        assert_eq!(recorder.exec_of(run(&mut command)).cgroup, of_container.key);
    }
}

#[test]
fn a_cgroup_that_was_there_before_is_in_the_snapshot() {
    for hierarchy in mounted() {
        let cgroup = Made::on(hierarchy, "before");
        fs::create_dir(cgroup.directory.join("below")).unwrap();
        let below = fs::metadata(cgroup.directory.join("below")).unwrap().ino();
        let snapshot = snapshot(Path::new("/proc"));
        fs::remove_dir(cgroup.directory.join("below")).unwrap();
        for (id, path) in
            [(cgroup.key.id, cgroup.path.clone()), (below, format!("{}/below", cgroup.path))]
        {
            let key = CgroupKey { id, ..cgroup.key };
            let found = snapshot.cgroups.iter().find(|record| record.cgroup == key);
            assert_eq!(
                found.map(|record| record.path.clone()),
                Some(path),
                "on {}",
                hierarchy.root
            );
        }
    }
}
