//! Cgroups that come and go, and the programs in them.

use crate::acts::{TRUE, run};
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

    /// Runs a program that enters the cgroup first.
    fn run(&self) -> u32 {
        let processes = self.directory.join("cgroup.procs");
        let mut command = Command::new(TRUE);
        // SAFETY: the child writes a byte to a file; glibc keeps the allocator usable across fork.
        unsafe { command.pre_exec(move || fs::write(&processes, "0")) };
        run(&mut command)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.directory);
    }
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
