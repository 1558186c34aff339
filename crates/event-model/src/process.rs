use crate::{ContainerId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which process, within one boot of one host: stable across restarts of the sensor
/// and immune to the reuse of process ids.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ProcessKey {
    /// Thread-group id in the host's pid namespace.
    pub pid: u32,
    /// When the thread group began: nanoseconds of CLOCK_BOOTTIME, from
    /// `task_struct.group_leader.start_boottime`, truncated to clock ticks of 10 ms
    /// so that the kernel's record and `/proc/PID/stat` give the same key.
    pub start_time: u64,
}

impl fmt::Display for ProcessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.pid, self.start_time)
    }
}

/// A process as it was at some moment: the same process runs another program after each exec.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ProcessRef {
    /// Which process.
    #[serde(flatten)]
    pub key: ProcessKey,
    /// How many execs the sensor had seen of it: 0 is the program it began with.
    pub generation: u32,
}

/// A program file, as the kernel executed it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executable {
    /// Absolute path in the process's own mount namespace, from the kernel's dentries.
    /// A memfd shows as `memfd:NAME`. Begins with `.../` where it was too long to know its upper part.
    pub path: String,
    /// The name given to execve: for a script, the script (`path` is then its interpreter). Empty for a program that ran
    /// before the sensor.
    pub invoked_as: String,
    /// Inode number.
    pub inode: u64,
    /// Device number as the kernel holds it (`super_block.s_dev`).
    pub device: u32,
    /// File mode, set-user-id and set-group-id bits included.
    pub mode: u32,
    /// Owner of the file.
    pub owner: u32,
    /// Last change of the inode, wall clock.
    pub changed_at: Timestamp,
    /// Last change of the contents, wall clock.
    pub modified_at: Timestamp,
    /// Lies on the upper layer of an overlay: written since the container started, or changed (its owner or mode too).
    /// Not known, and false, of a program that ran before the sensor.
    pub upper_layer: bool,
    /// Lives in anonymous memory (memfd_create), not in a file system that a path reaches.
    pub memfd: bool,
    /// Had no name any more when it was executed.
    pub unlinked: bool,
}

/// Whom a process acts for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Real user id, in the host's user namespace.
    pub uid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective group id.
    pub egid: u32,
    /// Audit login uid: who logged in, whatever su and sudo did since. None where nobody did.
    pub login_uid: Option<u32>,
    /// Effective capabilities, a bit each (bit 21 is CAP_SYS_ADMIN).
    pub capabilities_effective: u64,
    /// Permitted capabilities.
    pub capabilities_permitted: u64,
}

/// A process from one exec to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Which process, and which of its programs.
    #[serde(flatten)]
    pub reference: ProcessRef,
    /// The process that made it, as it was then. None at the root, or where it ended before the sensor began.
    pub parent: Option<ProcessRef>,
    /// The kernel's name for the task (`task_struct.comm`), at most 15 bytes.
    pub name: String,
    /// The program.
    pub executable: Executable,
    /// The command line, `argv[0]` included, up to 32 KiB. Bytes that are not UTF-8 become U+FFFD.
    pub arguments: Vec<String>,
    /// The command line was longer than the sensor reads.
    pub arguments_truncated: bool,
    /// Working directory at the exec.
    pub working_directory: String,
    /// Identity at the exec.
    pub credentials: Credentials,
    /// Name of the user in the host's passwd file, for processes outside containers.
    pub user_name: Option<String>,
    /// Process id in its innermost pid namespace.
    pub namespace_pid: u32,
    /// Id of its process group in that namespace when it began its program; 0 where it is not known. Known on its node alone, to rules.
    #[serde(skip)]
    pub process_group: u32,
    /// Controlling terminal, such as `pts0`. None without one.
    pub terminal: Option<String>,
    /// The container that it began this program in. None for a process of the host.
    pub container: Option<ContainerId>,
    /// When this program began, wall clock.
    pub started_at: Timestamp,
}

impl Process {
    /// The arguments joined by single spaces, as rules and people read them.
    pub fn command_line(&self) -> String {
        self.arguments.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_flat_in_json() {
        let process = Process {
            reference: ProcessRef { key: ProcessKey { pid: 7, start_time: 9 }, generation: 1 },
            ..Process::default()
        };
        let json = serde_json::to_value(&process).unwrap();
        assert_eq!(json["pid"], 7);
        assert_eq!(json["generation"], 1);
        assert_eq!(serde_json::from_value::<Process>(json).unwrap(), process);
    }
}
