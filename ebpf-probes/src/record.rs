use crate::RecordKind;
use event_model::{Credentials, EventKind, Executable, ExitStatus, ProcessKey};

/// A moment on the clock that the kernel stamps records with: nanoseconds of CLOCK_BOOTTIME.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootTime(pub u64);

/// Which cgroup: ids are unique within a hierarchy only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CgroupKey {
    /// The hierarchy's id as in `/proc/PID/cgroup`: 0 is cgroup v2.
    pub hierarchy: u32,
    /// The cgroup's id: the inode number of its directory.
    pub id: u64,
}

/// One record from the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Each variant is named by the type that it holds.
pub enum KernelRecord {
    Exec(Box<ExecRecord>),
    Fork(ForkRecord),
    Exit(ExitRecord),
    CgroupMade(CgroupRecord),
    CgroupRemoved(CgroupRecord),
    Act(Box<ActRecord>),
    Outcome(OutcomeRecord),
}

impl KernelRecord {
    /// The record's kind.
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Exec(_) => RecordKind::Exec,
            Self::Fork(_) => RecordKind::Fork,
            Self::Exit(_) => RecordKind::Exit,
            Self::CgroupMade(_) => RecordKind::CgroupMade,
            Self::CgroupRemoved(_) => RecordKind::CgroupRemoved,
            Self::Act(act) => act.kind(),
            Self::Outcome(_) => RecordKind::Outcome,
        }
    }

    /// When the kernel made the record.
    pub fn time(&self) -> BootTime {
        match self {
            Self::Exec(record) => record.time,
            Self::Fork(record) => record.time,
            Self::Exit(record) => record.time,
            Self::CgroupMade(record) | Self::CgroupRemoved(record) => record.time,
            Self::Act(record) => record.time,
            Self::Outcome(record) => record.time,
        }
    }
}

/// A process began another program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRecord {
    /// When.
    pub time: BootTime,
    /// Which process.
    pub process: ProcessKey,
    /// Its parent (`real_parent`). None where the kernel itself is the parent.
    pub parent: Option<ProcessKey>,
    /// The kernel's name for the task, at most 15 bytes.
    pub name: String,
    /// The program. A path of more than 4 KiB or 160 steps up to the root begins with `.../`
    /// instead of `/`, for its upper part is not known.
    pub executable: Executable,
    /// The program's file does not lie below the root directory of the process: it is
    /// anonymous, or on a mount that is not attached where the process could reach it.
    pub outside_root: bool,
    /// The command line, `argv[0]` included, up to 32 KiB.
    pub arguments: Vec<String>,
    /// Bytes of the whole command line, each argument with its NUL.
    pub arguments_length: u32,
    /// [`Self::arguments`] is not all of it.
    pub arguments_truncated: bool,
    /// The environment, variables as `NAME=value` with a NUL between them, up to 4 KiB; empty unless the programs were told to read it.
    pub environment: Box<str>,
    /// Working directory, in the same form as the program's path.
    pub working_directory: String,
    /// Identity, after what a set-user-id bit or file capabilities changed.
    pub credentials: Credentials,
    /// Controlling terminal, such as `pts0`.
    pub terminal: Option<String>,
    /// Process id in the innermost pid namespace.
    pub namespace_pid: u32,
    /// Id of the process group in that namespace; 0 where it has none there.
    pub process_group: u32,
    /// The cgroup that tells the container.
    pub cgroup: CgroupKey,
}

/// A process was made. It runs the same program as its creator. Threads are not reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForkRecord {
    /// When.
    pub time: BootTime,
    /// Who called fork, vfork or clone.
    pub creator: ProcessKey,
    /// The parent of the child: after CLONE_PARENT (container runtimes use it) the creator's parent, else the creator.
    pub parent: ProcessKey,
    /// The new process.
    pub child: ProcessKey,
    /// The cgroup of the creator, which may have been moved since it began its program.
    pub creator_cgroup: CgroupKey,
    /// The cgroup of the child: with CLONE_INTO_CGROUP not the creator's.
    pub cgroup: CgroupKey,
    /// Process id of the child in its innermost pid namespace.
    pub namespace_pid: u32,
}

/// The last thread of a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitRecord {
    /// When.
    pub time: BootTime,
    /// Which process.
    pub process: ProcessKey,
    /// The cgroup that it ended in.
    pub cgroup: CgroupKey,
    /// What the parent is told.
    pub status: ExitStatus,
}

/// A process acted on a file, a socket, or the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRecord {
    /// When.
    pub time: BootTime,
    /// Which process.
    pub process: ProcessKey,
    /// Which of its threads, in the host's pid namespace.
    pub thread: u32,
    /// The cgroup that tells the container.
    pub cgroup: CgroupKey,
    /// As whom it acted.
    pub identity: Identity,
    /// The system call by its number, where it is known. From 512 on: a 32-bit call.
    pub call: Option<u32>,
    /// An [`OutcomeRecord`] of the same thread and call is to tell the outcome.
    pub outcome_follows: bool,
    /// Of an act on a file: its path inside its file system, whatever is mounted where. None where it is not known.
    pub file_system_path: Option<String>,
    /// What it did. Never an exec, fork or exit.
    pub event: EventKind,
}

/// As whom somebody acts: ids of the host's user namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective group id.
    pub egid: u32,
}

/// A system call returned that did acts: all those of its thread that wait for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeRecord {
    /// When.
    pub time: BootTime,
    /// Which thread, in the host's pid namespace.
    pub thread: u32,
    /// The call by its number.
    pub call: u32,
    /// What it returned: an error number where it is negative.
    pub result: i64,
}

impl OutcomeRecord {
    /// 0, or the error number.
    pub fn error(&self) -> u16 {
        error_of(self.result)
    }
}

/// 0, or the error number of a result.
pub(crate) fn error_of(result: i64) -> u16 {
    match result {
        -4095..=-1 => u16::try_from(-result).unwrap_or(u16::MAX),
        _ => 0,
    }
}

impl ActRecord {
    /// Puts in what the act's call returned.
    pub fn complete(&mut self, outcome: &OutcomeRecord) {
        self.outcome_follows = false;
        match &mut self.event {
            EventKind::File(event) => event.error = Some(outcome.error()),
            EventKind::Network(event) => event.error = Some(outcome.error()),
            EventKind::System(event) => event.result = Some(outcome.result),
            _ => {}
        }
    }

    fn kind(&self) -> RecordKind {
        match &self.event {
            EventKind::File(event) => RecordKind::File(event.act),
            EventKind::Network(event) => RecordKind::Network(event.act),
            EventKind::Dns(_) => RecordKind::Dns,
            EventKind::System(event) => RecordKind::System(event.act),
            EventKind::Exec => RecordKind::Exec,
            EventKind::Fork { .. } => RecordKind::Fork,
            EventKind::Exit(_) => RecordKind::Exit,
        }
    }
}

/// A cgroup was made or removed. On cgroup v1 each hierarchy has its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgroupRecord {
    /// When.
    pub time: BootTime,
    /// Which cgroup.
    pub cgroup: CgroupKey,
    /// Its path below the hierarchy's root, at most 1023 bytes.
    pub path: String,
}

/// `/proc/PID/stat` counts in clock ticks of 10 ms on all machines of ours (USER_HZ is 100).
const NANOSECONDS_A_TICK: u64 = 10_000_000;

/// The key of the process `pid` that began at `start_time` nanoseconds of CLOCK_BOOTTIME,
/// which is cut to whole clock ticks so that the kernel and `/proc` give the same key.
pub const fn process_key(pid: u32, start_time: u64) -> ProcessKey {
    ProcessKey { pid, start_time: start_time - start_time % NANOSECONDS_A_TICK }
}
