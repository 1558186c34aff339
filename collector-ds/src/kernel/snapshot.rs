//! What stood before the first record: the cgroups, and the processes of `/proc` and of the kernel's own list.

mod cgroups;
mod mountinfo;
mod process;
mod readers;
mod stat;
mod status;
#[cfg(test)]
mod tests;

pub use cgroups::Membership;
pub use mountinfo::Mount;
pub use stat::Stat;
pub use status::Status;

use cgroups::Hierarchies;
use ebpf_probes::{CgroupKey, CgroupRecord, ExecRecord};
use event_model::ProcessKey;
use nix::sched::{CloneFlags, setns};
use readers::{Found, Readers};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What runs at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// All cgroups on all hierarchies, parents before their children.
    pub cgroups: Vec<CgroupRecord>,
    /// All processes but the kernel's own threads, in the order in which they began. What neither the kernel nor `/proc`
    /// tells is empty or false: the name that was executed ([`event_model::Executable::invoked_as`]); without the kernel's list, the layer of an overlay.
    pub processes: Vec<ExecRecord>,
    /// What could not be read, in words.
    pub problems: Vec<String>,
    /// There may be more cgroups than these.
    pub lacks_cgroups: bool,
    /// There may be more processes than these and the unread.
    pub lacks_processes: bool,
    /// The ids of processes that could not be read: stuck ones, and those that nobody came to.
    pub unread: Vec<u32>,
}

/// The key of this very process, with the process id that it has in the pid namespace that `/proc` shows.
pub fn stat_of_this_process() -> Option<ProcessKey> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    Stat::parse(&text).map(|stat| stat.key)
}

/// Reads what runs now from the `/proc` that is mounted at `proc_root`. That of the host shows
/// all of its processes; the host's cgroups are found through its process 1.
///
/// Blocks: about 60 µs for each process, and some seconds where processes are stuck in the kernel.
pub fn snapshot(proc_root: &Path) -> Snapshot {
    snapshot_with(proc_root, vec![])
}

/// The same. Of the processes that the kernel has listed, just before, `/proc` is asked for the arguments alone.
pub fn snapshot_with(proc_root: &Path, listed: Vec<ExecRecord>) -> Snapshot {
    within(proc_root, listed, PATIENCE)
}

/// How long one process may take to be read, on a node that is short of CPU.
const PATIENCE: Duration = Duration::from_secs(2);

fn within(proc_root: &Path, listed: Vec<ExecRecord>, patience: Duration) -> Snapshot {
    // Paths of cgroups are shown relative to the cgroup namespace of the reading thread. One of its own
    // enters the host's, which holds for no other but those that it starts.
    let proc_root = proc_root.to_owned();
    let reading = thread::Builder::new().name("snapshot".to_owned()).spawn(move || {
        let entered = enter_cgroup_namespace(&proc_root);
        let mut snapshot = read(&proc_root, listed, patience);
        if let Err(problem) = entered {
            snapshot.problems.push(problem);
        }
        snapshot
    });
    reading.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(|| Snapshot {
        problems: vec!["running processes can't be listed: the reading thread failed".to_owned()],
        lacks_cgroups: true,
        lacks_processes: true,
        ..Snapshot::default()
    })
}

/// Where the root of cgroup v2 is mounted, in the eyes of process 1 or in our own.
pub fn unified_root(proc_root: &Path) -> Option<PathBuf> {
    Hierarchies::find(proc_root).unified().map(Path::to_owned)
}

/// The cgroups of that path below the root, one for each hierarchy that has it. The host's are found as by [`snapshot`].
pub fn cgroups_at(proc_root: &Path, path: &Path) -> Vec<CgroupKey> {
    Hierarchies::find(proc_root).at(path)
}

/// The host's cgroup namespace as it shows in `/proc/PID/ns/cgroup`: `PROC_CGROUP_INIT_INO` in every kernel.
const HOST_CGROUP_NAMESPACE: &str = "cgroup:[4026531835]";

fn enter_cgroup_namespace(proc_root: &Path) -> Result<(), String> {
    let own = fs::read_link("/proc/thread-self/ns/cgroup");
    if own.is_ok_and(|own| own == Path::new(HOST_CGROUP_NAMESPACE)) {
        return Ok(());
    }
    let path = proc_root.join("1/ns/cgroup");
    let problem = |why: String| {
        format!(
            "the host's cgroup namespace ({}) can't be entered: {why}. Containers that ran before the sensor may not be \
             recognised. CAP_SYS_ADMIN and CAP_SYS_PTRACE are needed, and an AppArmor profile that allows ptrace",
            path.display()
        )
    };
    let namespace = File::open(&path).map_err(|error| problem(error.to_string()))?;
    setns(namespace, CloneFlags::CLONE_NEWCGROUP).map_err(|errno| problem(errno.to_string()))
}

/// A file of `/proc`. Names of processes, cgroups and mount points may be any bytes, and one of them must not hide the rest.
fn read_text(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

fn read(proc_root: &Path, listed: Vec<ExecRecord>, patience: Duration) -> Snapshot {
    let mut problems = vec![];
    let hierarchies = Hierarchies::find(proc_root);
    let cgroups = hierarchies.walk(&mut problems);
    let lacks_cgroups = !problems.is_empty();
    let pids = list(proc_root);
    let lacks_processes = pids.is_err();
    let pids = pids.unwrap_or_else(|error| {
        problems.push(format!("{} can't be listed: {error}", proc_root.display()));
        vec![]
    });
    let shown: HashSet<u32> = pids.iter().copied().collect();
    let listed: HashMap<_, _> =
        listed.into_iter().map(|process| (process.process, process)).collect();
    let listed = Arc::new(listed);
    let readers = Readers {
        proc_root: proc_root.to_owned(),
        hierarchies,
        listed: Arc::clone(&listed),
        pids,
        patience,
    };
    let mut unread = vec![];
    let mut found = readers.read(&mut unread, &mut problems);
    let stuck = |pid: &u32| unread.contains(pid);
    // What /proc shows and had nothing to tell of has ended meanwhile.
    let missed = listed.values().filter(|process| {
        let pid = process.process.pid;
        !shown.contains(&pid) || stuck(&pid)
    });
    found.extend(missed.map(|process| (process.clone(), 0)));
    unread.retain(|pid| !found.iter().any(|(process, _)| process.process.pid == *pid));
    let processes = with_parents(found);
    Snapshot { cgroups, processes, problems, lacks_cgroups, lacks_processes, unread }
}

/// The ids of all processes.
fn list(proc_root: &Path) -> io::Result<Vec<u32>> {
    let entries = fs::read_dir(proc_root)?.flatten();
    Ok(entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// Puts in the parents' keys where they lack, for which their start times are needed, and sorts by age.
fn with_parents(found: Vec<Found>) -> Vec<ExecRecord> {
    let keys: HashMap<_, _> =
        found.iter().map(|(record, _)| (record.process.pid, record.process)).collect();
    let mut processes: Vec<_> = found
        .into_iter()
        .map(|(record, parent)| {
            let parent = record.parent.or_else(|| keys.get(&parent).copied());
            ExecRecord { parent, ..record }
        })
        .collect();
    processes.sort_by_key(|record| (record.process.start_time, record.process.pid));
    processes
}
