use super::mountinfo::Mount;
use super::read_text;
use crate::kernel::clock::boot_time_now;
use ebpf_probes::{CgroupKey, CgroupRecord};
use nix::errno::Errno;
use std::fs;
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

/// More cgroups than any node has: a bound on memory.
const MAXIMUM_CGROUPS: usize = 100_000;

/// A cgroup hierarchy that is mounted. Cgroup v2 is hierarchy 0.
#[derive(Debug)]
struct Hierarchy {
    id: u32,
    directory: PathBuf,
}

/// The mounted hierarchies.
#[derive(Debug, Default)]
pub struct Hierarchies(Vec<Hierarchy>);

impl Hierarchies {
    /// Looks through the eyes of process 1, whose mounts are the host's, else (where policy forbids that) through our own.
    pub fn find(proc_root: &Path) -> Self {
        Self::seen_by(&proc_root.join("1"))
            .or_else(|| Self::seen_by(&proc_root.join("self")))
            .unwrap_or_default()
    }

    /// None where the process does not let us see its files.
    fn seen_by(process: &Path) -> Option<Self> {
        let root = process.join("root");
        fs::read_dir(&root).ok()?;
        let mountinfo = read_text(&process.join("mountinfo")).ok()?;
        let memberships = read_text(&process.join("cgroup")).ok()?;
        Some(Self::from_files(&mountinfo, &memberships, &root))
    }

    /// Finds a mount for each line of a `/proc/PID/cgroup`.
    fn from_files(mountinfo: &str, memberships: &str, root: &Path) -> Self {
        let mounts: Vec<_> = mountinfo.lines().filter_map(Mount::parse).collect();
        let hierarchies = memberships.lines().filter_map(Membership::parse).filter_map(|line| {
            let mounted = mounts.iter().filter(|mount| line.is_mounted_as(mount));
            let mount = mounted.max_by_key(|mount| mount.root.len())?;
            let below_root = mount.point.strip_prefix("/").ok()?;
            Some(Hierarchy { id: line.hierarchy, directory: root.join(below_root) })
        });
        Self(hierarchies.collect())
    }

    /// The directory of the root of cgroup v2.
    pub fn unified(&self) -> Option<&Path> {
        self.0.iter().find(|one| one.id == 0).map(|one| one.directory.as_path())
    }

    /// The cgroup of that path below the root, in each hierarchy that has it.
    pub fn at(&self, path: &Path) -> Vec<CgroupKey> {
        let below_root = path.strip_prefix("/").unwrap_or(path);
        let key = |one: &Hierarchy| {
            let metadata = fs::metadata(one.directory.join(below_root)).ok()?;
            Some(CgroupKey { hierarchy: one.id, id: metadata.ino() })
        };
        self.0.iter().filter_map(key).collect()
    }

    /// All cgroups, parents first.
    pub fn walk(&self, problems: &mut Vec<String>) -> Vec<CgroupRecord> {
        let mut found = Vec::new();
        if self.0.is_empty() {
            problems.push(
                "no cgroup hierarchy is mounted where it can be seen: containers that ran before the sensor can't be recognised"
                    .to_owned(),
            );
        }
        for hierarchy in &self.0 {
            if let Err(error) = hierarchy.walk(&mut found) {
                let directory = hierarchy.directory.display();
                problems.push(format!("the cgroups of {directory} can't be listed: {error}"));
            }
        }
        if found.len() >= MAXIMUM_CGROUPS {
            problems.push(format!("only the first {MAXIMUM_CGROUPS} cgroups were listed"));
        }
        found
    }

    /// The cgroup that tells a process's container: chosen among the lines of its
    /// `/proc/PID/cgroup` as the kernel programs choose (`read_cgroup` in bpf/task.h).
    pub fn of_process(&self, memberships: &str) -> CgroupKey {
        let lines: Vec<_> = memberships.lines().filter_map(Membership::parse).collect();
        let unified = lines.iter().find(|line| line.is_unified());
        let below_root = |line: &&Membership<'_>| line.path != "/";
        let controlled = |controller| {
            lines.iter().find(|line| line.controllers.contains(&controller)).filter(below_root)
        };
        let chosen = controlled("memory").or_else(|| controlled("pids")).or(unified);
        chosen.map_or_else(CgroupKey::default, |line| self.key(line))
    }

    /// An id of 0, which no cgroup has, where the directory is not to be seen.
    fn key(&self, line: &Membership<'_>) -> CgroupKey {
        let hierarchy = self.0.iter().find(|hierarchy| hierarchy.id == line.hierarchy);
        let id = hierarchy
            .map(|hierarchy| hierarchy.directory.join(line.path.trim_start_matches('/')))
            .and_then(|directory| fs::metadata(directory).ok())
            .map_or(0, |metadata| metadata.ino());
        CgroupKey { hierarchy: line.hierarchy, id }
    }
}

impl Hierarchy {
    fn walk(&self, found: &mut Vec<CgroupRecord>) -> io::Result<()> {
        let time = boot_time_now();
        let mut record = |id: u64, path: String| {
            let cgroup = CgroupKey { hierarchy: self.id, id };
            found.push(CgroupRecord { time, cgroup, path });
            found.len() < MAXIMUM_CGROUPS
        };
        record(fs::metadata(&self.directory)?.ino(), "/".to_owned());
        let mut to_visit = vec![(self.directory.clone(), String::new())];
        while let Some((directory, path)) = to_visit.pop() {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if was_removed(&error) => continue,
                Err(error) => return Err(error),
            };
            for entry in entries.flatten() {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                let below = format!("{path}/{}", entry.file_name().to_string_lossy());
                // A directory's inode number is its cgroup's id.
                if !record(entry.ino(), below.clone()) {
                    return Ok(());
                }
                to_visit.push((entry.path(), below));
            }
        }
        Ok(())
    }
}

/// A cgroup that was removed meanwhile has nothing below it.
fn was_removed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENODEV as i32)
}

/// A line of `/proc/PID/cgroup`: `4:memory:/a/b`, `9:name=systemd:/`, or `0::/a/b` for cgroup v2.
#[derive(Debug, PartialEq, Eq)]
pub struct Membership<'line> {
    /// The hierarchy's id; 0 is cgroup v2.
    pub hierarchy: u32,
    /// The controllers of the hierarchy, none for cgroup v2.
    pub controllers: Vec<&'line str>,
    /// The cgroup's path below the hierarchy's root.
    pub path: &'line str,
}

impl<'line> Membership<'line> {
    /// None where the line is not such a line.
    pub fn parse(line: &'line str) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let hierarchy = fields.next()?.parse().ok()?;
        let controllers = fields.next()?.split(',').filter(|name| !name.is_empty()).collect();
        Some(Self { hierarchy, controllers, path: fields.next()? })
    }

    const fn is_unified(&self) -> bool {
        self.hierarchy == 0
    }

    /// Whether this is the whole hierarchy. From within a cgroup namespace its root shows as `/../..`, longer
    /// than the `/` of a mount that ends at the namespace.
    fn is_mounted_as(&self, mount: &Mount<'_>) -> bool {
        mount.root.split('/').all(|component| matches!(component, "" | ".."))
            && if self.is_unified() {
                mount.file_system == "cgroup2"
            } else {
                mount.file_system == "cgroup"
                    && self.controllers.iter().all(|controller| mount.has_option(controller))
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID_MOUNTS: &str = "\
30 23 0:26 / /sys/fs/cgroup rw shared:4 - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:5 - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 / /sys/fs/cgroup/systemd rw shared:6 - cgroup cgroup rw,xattr,name=systemd
33 30 0:29 /docker/1 /mnt/bound rw shared:7 - cgroup cgroup rw,memory
34 30 0:29 / /sys/fs/cgroup/memory rw shared:7 - cgroup cgroup rw,memory
35 30 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
";
    const HYBRID_MEMBERSHIPS: &str = "\
12:cpu,cpuacct:/
4:memory:/docker/1
2:pids:/docker/1
1:name=systemd:/user.slice
0::/
";

    fn hybrid() -> Hierarchies {
        Hierarchies::from_files(HYBRID_MOUNTS, HYBRID_MEMBERSHIPS, Path::new("/proc/1/root"))
    }

    #[test]
    fn each_hierarchy_is_found_by_its_controllers_where_its_root_is_mounted() {
        let found: Vec<_> = hybrid()
            .0
            .into_iter()
            .map(|hierarchy| (hierarchy.id, hierarchy.directory.display().to_string()))
            .collect();
        let expected = [(12, "cpu,cpuacct"), (4, "memory"), (1, "systemd"), (0, "unified")]
            .map(|(id, name)| (id, format!("/proc/1/root/sys/fs/cgroup/{name}")));
        assert_eq!(found, expected);
    }

    #[test]
    fn from_within_a_cgroup_namespace_the_hosts_mount_goes_before_our_own() {
        let mounts = "\
50 40 0:31 / /sys/fs/cgroup ro - cgroup2 cgroup rw
60 40 0:31 /../../.. /host/sys/fs/cgroup rw - cgroup2 cgroup2 rw
";
        let found = Hierarchies::from_files(mounts, "0::/\n", Path::new("/proc/self/root"));
        let directory = found.0[0].directory.display().to_string();
        assert_eq!(directory, "/proc/self/root/host/sys/fs/cgroup");
    }

    #[test]
    fn on_a_hybrid_host_the_memory_controller_tells_the_cgroup() {
        assert_eq!(hybrid().of_process(HYBRID_MEMBERSHIPS).hierarchy, 4);
        assert_eq!(hybrid().of_process("4:memory:/\n2:pids:/x\n0::/\n").hierarchy, 2);
        assert_eq!(hybrid().of_process("4:memory:/\n2:pids:/\n0::/\n").hierarchy, 0);
    }

    #[test]
    fn the_controllers_go_before_v2_where_a_runtime_leaves_its_containers_in_its_own_cgroup() {
        let of_container =
            "4:memory:/docker/1\n2:pids:/docker/1\n0::/system.slice/containerd.service\n";
        assert_eq!(hybrid().of_process(of_container).hierarchy, 4);
        assert_eq!(hybrid().of_process("4:memory:/\n2:pids:/\n0::/a.slice\n").hierarchy, 0);
        assert_eq!(hybrid().of_process("0::/system.slice\n").hierarchy, 0, "v2 alone");
    }

    #[test]
    fn a_process_that_tells_nothing_has_no_cgroup() {
        assert_eq!(hybrid().of_process(""), CgroupKey::default());
    }
}
