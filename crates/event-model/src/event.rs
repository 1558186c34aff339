use crate::{ContainerId, ProcessKey, ProcessRef, Timestamp};
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
}

impl EventKind {
    /// The name used in metrics, queries and JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Fork { .. } => "fork",
            Self::Exit(_) => "exit",
        }
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
    use super::ExitStatus;

    #[test]
    fn an_exit_code_and_a_fatal_signal_are_told_apart() {
        let exited = ExitStatus { code: 3, signal: 0, core_dumped: false };
        let killed = ExitStatus { code: 0, signal: 11, core_dumped: true };
        assert_eq!(ExitStatus::from(0x0300), exited);
        assert_eq!(ExitStatus::from(0x8b), killed);
    }
}
