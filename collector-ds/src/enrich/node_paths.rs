//! The files of containers by the paths that they have on the node.

use crate::kernel::Mount;
use event_model::{EventKind, FileEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A node has some hundred mounts. More than this are not looked at, nor more than a few of one file system.
const MAXIMUM_MOUNTS: usize = 50_000;
const MAXIMUM_OF_A_DEVICE: usize = 16;

/// Mounts come and go with containers: the list is read again this often at most, and where a device is not known yet.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// So often at most even then: reading takes some 10 µs a mount.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The mounts of process 1, by the device of their file systems.
pub struct NodePaths {
    mountinfo: PathBuf,
    by_device: BTreeMap<u32, Vec<Shown>>,
    /// Looked for since the list was read, and not there.
    missing: BTreeSet<u32>,
    read_at: Option<Instant>,
}

/// Which part of a file system is shown where.
struct Shown {
    root: PathBuf,
    point: PathBuf,
}

impl NodePaths {
    /// The mounts of the node whose `/proc` is at `proc_root`. They are read when they are first asked for.
    pub fn new(proc_root: &Path) -> Self {
        Self {
            mountinfo: proc_root.join("1/mountinfo"),
            by_device: BTreeMap::new(),
            missing: BTreeSet::new(),
            read_at: None,
        }
    }

    /// Adds to an act on a file the path that the node has for it, where that is another.
    pub fn complete(&mut self, kind: &mut EventKind, in_file_system: Option<&str>, now: Instant) {
        if let EventKind::File(event) = kind
            && let Some(path) = in_file_system
        {
            event.host_path = self.of(event, path, now);
        }
    }

    fn of(&mut self, event: &FileEvent, in_file_system: &str, now: Instant) -> Option<String> {
        let path = self.find(event.device, Path::new(in_file_system), now)?;
        let path = path.to_str()?;
        (path != event.path).then(|| path.to_owned())
    }

    /// The path on the node of a file, told by its device and its path inside the file system.
    pub fn find(&mut self, device: u32, in_file_system: &Path, now: Instant) -> Option<PathBuf> {
        let age = self.read_at.map(|at| now.saturating_duration_since(at));
        let unknown = !self.by_device.contains_key(&device) && !self.missing.contains(&device);
        let bound = if unknown { SHORTEST_PAUSE } else { READ_AGAIN_AFTER };
        if age.is_none_or(|age| age >= bound) {
            self.read(now);
        }
        let Some(shown) = self.by_device.get(&device) else {
            if self.missing.len() < MAXIMUM_MOUNTS {
                self.missing.insert(device);
            }
            return None;
        };
        shown.iter().find_map(|one| one.path_of(in_file_system))
    }

    /// Reads the mounts anew. Where they cannot be read none is known.
    fn read(&mut self, now: Instant) {
        self.read_at = Some(now);
        self.missing.clear();
        self.by_device.clear();
        let text = fs::read(&self.mountinfo).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        for mount in text.lines().take(MAXIMUM_MOUNTS).filter_map(Mount::parse) {
            let shown = self.by_device.entry(mount.device).or_default();
            if shown.len() < MAXIMUM_OF_A_DEVICE {
                shown.push(Shown { root: mount.root_directory(), point: mount.point });
            }
        }
        // What shows more of a file system first.
        for shown in self.by_device.values_mut() {
            shown.sort_by_key(|one| one.root.as_os_str().len());
        }
    }
}

impl Shown {
    fn path_of(&self, in_file_system: &Path) -> Option<PathBuf> {
        let below = in_file_system.strip_prefix(&self.root).ok()?;
        // join would add a slash to the path of a mount that is itself the file.
        Some(if below.as_os_str().is_empty() { self.point.clone() } else { self.point.join(below) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:45 / /run/containerd/io.containerd.runtime.v2.task/k8s.io/abc/rootfs rw - overlay overlay rw
41 22 254:0 /srv/data /mnt/da\\040ta rw - ext4 /dev/vda rw
42 22 0:50 /sub /mnt/part rw - tmpfs tmpfs rw
";

    fn of_mounts(text: &str) -> (tempfile::TempDir, NodePaths) {
        let proc_root = tempfile::tempdir().expect("a directory");
        fs::create_dir(proc_root.path().join("1")).expect("a process");
        fs::write(proc_root.path().join("1/mountinfo"), text).expect("its mounts");
        let paths = NodePaths::new(proc_root.path());
        (proc_root, paths)
    }

    const DISK: u32 = 254 << 20;

    #[test]
    fn a_file_of_a_container_has_its_place_on_the_node() {
        let (_proc, mut paths) = of_mounts(MOUNTS);
        let mut host_path = |device, path: &str, in_file_system: &str| {
            let event = FileEvent { path: path.to_owned(), device, ..FileEvent::default() };
            paths.of(&event, in_file_system, Instant::now())
        };
        let rootfs = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/abc/rootfs";
        assert_eq!(
            host_path(45, "/etc/passwd", "/etc/passwd"),
            Some(format!("{rootfs}/etc/passwd"))
        );
        assert_eq!(host_path(DISK, "/data/a", "/srv/data/a").as_deref(), Some("/srv/data/a"));
        assert_eq!(host_path(50, "/a", "/sub/a").as_deref(), Some("/mnt/part/a"));
        assert_eq!(host_path(50, "/a", "/sub").as_deref(), Some("/mnt/part"));
        assert_eq!(host_path(50, "/a", "/elsewhere/a"), None);
        assert_eq!(host_path(DISK, "/srv/data/a", "/srv/data/a"), None);
        assert_eq!(host_path(99, "/a", "/a"), None);
    }

    #[test]
    fn a_mount_that_came_later_is_found_and_one_that_is_gone_is_forgotten() {
        let (proc_root, mut paths) = of_mounts("");
        let begin = Instant::now();
        assert_eq!(paths.find(45, Path::new("/a"), begin), None);
        fs::write(proc_root.path().join("1/mountinfo"), MOUNTS).expect("its mounts");
        assert_eq!(paths.find(45, Path::new("/a"), begin + SHORTEST_PAUSE), None);
        let found = paths.find(45, Path::new("/a"), begin + READ_AGAIN_AFTER);
        assert!(found.expect("it is mounted").ends_with("rootfs/a"));
        fs::write(proc_root.path().join("1/mountinfo"), "").expect("its mounts");
        assert_eq!(paths.find(45, Path::new("/a"), begin + 2 * READ_AGAIN_AFTER), None);
    }

    #[test]
    fn a_device_that_was_never_asked_for_is_looked_for_at_once() {
        let (proc_root, mut paths) = of_mounts("");
        let begin = Instant::now();
        assert_eq!(paths.find(45, Path::new("/a"), begin), None);
        fs::write(proc_root.path().join("1/mountinfo"), MOUNTS).expect("its mounts");
        let found = paths.find(50, Path::new("/sub/a"), begin + SHORTEST_PAUSE);
        assert_eq!(found.as_deref(), Some(Path::new("/mnt/part/a")));
    }
}
