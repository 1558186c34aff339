use crate::{
    ContainerId, DnsEvent, FileAct, FileEvent, NetworkAct, NetworkEvent, ProcessKey, ProcessRef,
    SystemAct, SystemEvent, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Something that happened, in tens of bytes: who did it is a reference to an entity. It was sent before, but for a process
/// that only ends: that one is known from the fork event that named it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When the kernel saw it.
    pub time: Timestamp,
    /// Who did it.
    pub process: ProcessRef,
    /// Where, by the process's cgroup at that moment: None on the host itself.
    pub container: Option<ContainerId>,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The process began another program: the entity that [`Event::process`] refers to.
    Exec,
    /// The process made a child, which runs the same program.
    Fork {
        /// The new process.
        child: ProcessKey,
    },
    /// The process (its last thread) ended.
    Exit(ExitStatus),
    /// The process acted on a file.
    File(Box<FileEvent>),
    /// It acted on a socket.
    Network(Box<NetworkEvent>),
    /// It asked the domain name system, or was answered.
    Dns(Box<DnsEvent>),
    /// It acted on a process, on the kernel, or on memory.
    System(Box<SystemEvent>),
}

impl EventKind {
    /// The name used in metrics, queries and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Fork { .. } => "fork",
            Self::Exit(_) => "exit",
            Self::File(event) => event.act.name(),
            Self::Network(event) => event.act.name(),
            Self::Dns(_) => "dns",
            Self::System(event) => event.act.name(),
        }
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ["exec", "fork", "exit", "dns"]
            .into_iter()
            .chain(FileAct::ALL.map(FileAct::name))
            .chain(NetworkAct::ALL.map(NetworkAct::name))
            .chain(SystemAct::ALL.iter().map(|act| act.name()))
    }
}

/// How a process ended: the two halves of `task_struct.exit_code`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// The argument of exit, 0 to 255.
    pub code: u8,
    /// The signal that ended it, else 0.
    pub signal: u8,
    /// It left a core dump.
    pub core_dumped: bool,
}

impl From<u32> for ExitStatus {
    /// Reads the kernel's `exit_code`, laid out as `wait(2)` describes.
    fn from(raw: u32) -> Self {
        let [low, code, ..] = raw.to_le_bytes();
        Self { code, signal: low & 0x7f, core_dumped: low & 0x80 != 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::{EventKind, ExitStatus};

    #[test]
    fn an_exit_code_and_a_fatal_signal_are_told_apart() {
        let exited = ExitStatus { code: 3, signal: 0, core_dumped: false };
        let killed = ExitStatus { code: 0, signal: 11, core_dumped: true };
        assert_eq!(ExitStatus::from(0x0300), exited);
        assert_eq!(ExitStatus::from(0x8b), killed);
    }

    #[test]
    fn no_two_kinds_of_event_share_a_name() {
        let names: Vec<_> = EventKind::names().collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
