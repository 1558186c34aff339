//! The sensor's own files: its program, its configuration, its rules, its socket, its state.

use crate::config::Config;
use crate::enrich::node_paths::NodePaths;
use crate::kernel::{FileFilter, Mount, WatchedPaths};
use alerting::RulePaths;
use event_model::{ContainerId, FileAct, FileEvent};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Files of `/proc/PID` and `/proc/PID/task/TID` by which a process is looked into or changed. What monitors read of every
/// process all the time (`stat`, `status`, `cmdline`, `smaps_rollup`) is not among them.
const MEMORY_FILES: [&str; 10] = [
    "auxv",
    "clear_refs",
    "environ",
    "maps",
    "mem",
    "numa_maps",
    "pagemap",
    "smaps",
    "stack",
    "syscall",
];

/// Where they lie.
#[derive(Debug, Default)]
pub struct OwnFiles {
    /// As the sensor's own mount namespace names them.
    here: Vec<Place>,
    /// As the node names them.
    on_node: Vec<Place>,
    /// Names that no other program's files bear.
    names: Vec<String>,
}

/// A file, or a directory with all that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: String,
    whole: bool,
    /// Of the file system that it lies on, as the kernel numbers it.
    device: Option<u32>,
}

impl Place {
    /// None for paths that are no text.
    fn new(path: &Path, whole: bool, device: Option<u32>) -> Option<Self> {
        Some(Self { path: path.to_str()?.trim_end_matches('/').to_owned(), whole, device })
    }

    fn holds(&self, path: &str) -> bool {
        match path.strip_prefix(&self.path) {
            Some("") => true,
            Some(rest) => self.whole && rest.starts_with('/'),
            None => false,
        }
    }

    fn is_below(&self, path: &str) -> bool {
        self.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    }

    fn is_reached(&self, act: FileAct, path: &str) -> bool {
        let hides_what_is_below =
            matches!(act, FileAct::Mount | FileAct::Umount | FileAct::MoveMount | FileAct::Rename);
        self.holds(path) || hides_what_is_below && self.is_below(path)
    }

    fn above(&self) -> impl Iterator<Item = &str> {
        let parents = Path::new(&self.path).ancestors().skip(1);
        parents.filter_map(Path::to_str).filter(|parent| *parent != "/" && !parent.is_empty())
    }
}

impl OwnFiles {
    /// What the configuration names. `config_file` is where it came from.
    pub fn find(config: &Config, config_file: Option<&Path>, proc_root: &Path) -> Self {
        let program = fs::read_link("/proc/self/exe").ok();
        let paths = named(config, config_file, program.as_deref());
        let mountinfo = fs::read("/proc/self/mountinfo").unwrap_or_default();
        let mounts = String::from_utf8_lossy(&mountinfo);
        let mut node_paths = NodePaths::new(proc_root);
        let mut files = Self::default();
        for (path, whole) in paths {
            let resolved = resolved(&path);
            for path in [&path, &resolved] {
                files.here.extend(Place::new(path, whole, None));
            }
            let on_node = on_node(&resolved, &mounts, &mut node_paths);
            let on_node = on_node.and_then(|(path, device)| Place::new(&path, whole, Some(device)));
            files.on_node.extend(on_node);
        }
        let singular = [program.as_deref(), config_file, Some(&config.publisher.socket)];
        let names = singular.into_iter().flatten().filter_map(Path::file_name);
        files.names.extend(names.filter_map(|name| Some(name.to_str()?.to_owned())));
        files
    }

    /// Patterns of them, and of the files of `/proc` that show the memory of a process of that number.
    pub fn watched(&self, pid: Option<u32>) -> WatchedPaths {
        let mut write: Vec<String> = self.names.iter().map(|name| format!("**/{name}")).collect();
        for place in self.here.iter().chain(&self.on_node) {
            write.push(place.path.clone());
            write.extend(place.whole.then(|| format!("{}/", place.path)));
            write.extend(place.above().map(str::to_owned));
        }
        let memory = pid.into_iter().flat_map(|pid| {
            MEMORY_FILES.iter().flat_map(move |name| {
                [format!("/proc/{pid}/{name}"), format!("/proc/{pid}/task/*/{name}")]
            })
        });
        let read: Vec<_> = memory.collect();
        write.extend(read.iter().cloned());
        let good = |patterns: Vec<String>| {
            patterns.into_iter().filter(|pattern| is_pattern(pattern)).collect()
        };
        WatchedPaths { read: good(read), write: good(write) }
    }

    /// Whether an act changes one of them, or what lies above. Whoever acts in a container names files by the container's own
    /// paths. In the sensor's (`is_at_home`) they are the sensor's; in others the node's path counts, or the same path on the
    /// same file system.
    pub fn are_changed_by(
        &self,
        file: &FileEvent,
        container: Option<&ContainerId>,
        is_at_home: bool,
    ) -> bool {
        if file.act == FileAct::Open && !file.opens_for_writing() {
            return false;
        }
        let other = file.other_path.as_deref().filter(|_| changes_its_other_path(file.act));
        let counts_by_its_path =
            |place: &&Place| container.is_none() || place.device == Some(file.device);
        let here = self.here.iter().filter(|_| is_at_home);
        let on_node = self.on_node.iter().filter(counts_by_its_path);
        here.chain(on_node).any(|place| {
            place.is_reached(file.act, &file.path)
                || other.is_some_and(|other| place.is_reached(file.act, other))
        }) || file
            .host_path
            .as_deref()
            .is_some_and(|path| self.on_node.iter().any(|place| place.is_reached(file.act, path)))
    }
}

/// The new name of a rename or link. What is mounted and what a symbolic link points to stay as they are.
const fn changes_its_other_path(act: FileAct) -> bool {
    matches!(act, FileAct::Rename | FileAct::Link | FileAct::MoveMount)
}

/// Whether a file that is opened shows or changes the memory of the process of that number.
pub fn show_memory(pid: u32, file: &FileEvent) -> bool {
    let below_process = || {
        let rest = file.path.strip_prefix("/proc/")?;
        let (process, rest) = rest.split_once('/')?;
        (process.parse() == Ok(pid)).then_some(rest)
    };
    let name = |rest: &str| match rest.strip_prefix("task/") {
        Some(thread) => thread.split_once('/').map(|(_, name)| name.to_owned()),
        None => Some(rest.to_owned()),
    };
    file.act == FileAct::Open
        && below_process().and_then(name).is_some_and(|name| MEMORY_FILES.contains(&name.as_str()))
}

/// Files and folders by the names that the configuration gives them; of folders, whether all in them counts. The socket's
/// folder is where other programs' files may lie too.
fn named(
    config: &Config,
    config_file: Option<&Path>,
    program: Option<&Path>,
) -> Vec<(PathBuf, bool)> {
    let mut named: Vec<_> =
        [program, config_file].into_iter().flatten().map(|path| (path.to_owned(), false)).collect();
    let RulePaths { rules, suppressions, threat_intelligence } = config.rule_paths();
    let watched = rules.into_iter().chain(suppressions).chain(threat_intelligence);
    named.extend(watched.map(|path| {
        let whole = path.is_dir();
        (path, whole)
    }));
    let socket = &config.publisher.socket;
    named.push((socket.clone(), false));
    named.extend(socket.parent().map(|folder| (folder.to_owned(), false)));
    let state = &config.audit.state_directory;
    named.extend((!state.as_os_str().is_empty()).then(|| (state.clone(), true)));
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let named = named.into_iter().map(|(path, whole)| (absolute(path), whole));
    named.filter(|(path, _)| path.parent().is_some()).collect()
}

/// Without links; of what is not there yet, the folder's path.
fn resolved(path: &Path) -> PathBuf {
    let by_its_folder = || {
        let folder = path.parent()?.canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(by_its_folder).unwrap_or_else(|| path.to_owned())
}

/// The path that the node has for a path of this process's mounts, and the device that it lies on.
fn on_node(path: &Path, mounts: &str, node_paths: &mut NodePaths) -> Option<(PathBuf, u32)> {
    let shown = mounts.lines().filter_map(Mount::parse).filter(|it| path.starts_with(&it.point));
    // Of two at one point the later hides the other.
    let mount = shown.max_by_key(|mount| mount.point.as_os_str().len())?;
    let below = path.strip_prefix(&mount.point).ok()?;
    let root = mount.root_directory();
    let inside = if below.as_os_str().is_empty() { root } else { root.join(below) };
    Some((node_paths.find(mount.device, &inside, Instant::now())?, mount.device))
}

/// What the kernel's filter takes: a path may be too deep, or have a star in it.
fn is_pattern(pattern: &str) -> bool {
    let alone = WatchedPaths { read: vec![], write: vec![pattern.to_owned()] };
    let taken = FileFilter::new(&alone, vec![]);
    if let Err(error) = &taken {
        tracing::warn!(%error, "a file of the sensor's own can't be watched");
    }
    taken.is_ok()
}

#[cfg(test)]
mod tests;
