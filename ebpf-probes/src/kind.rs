use event_model::{FileAct, NetworkAct, SystemAct};
use std::fmt;

/// The kinds of records. The numbers are those of `enum record_kind` in `bpf/record.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // Each kind is named by its record.
pub enum RecordKind {
    Exec,
    Fork,
    Exit,
    CgroupMade,
    CgroupRemoved,
    /// What a call returned whose acts were told before.
    Outcome,
    File(FileAct),
    Network(NetworkAct),
    Dns,
    System(SystemAct),
}

/// `RECORD_FILE`, `RECORD_NETWORK`, `RECORD_DNS`, `RECORD_SYSTEM`.
const FILE: u16 = 16;
const NETWORK: u16 = 40;
const DNS: u16 = 56;
const SYSTEM: u16 = 64;

impl RecordKind {
    /// All kinds.
    pub const ALL: [Self; Self::COUNT] = Self::all();

    const COUNT: usize = 7 + FileAct::ALL.len() + NetworkAct::ALL.len() + SystemAct::ALL.len();

    const fn all() -> [Self; Self::COUNT] {
        let mut all = [Self::Dns; Self::COUNT];
        let first = [
            Self::Exec,
            Self::Fork,
            Self::Exit,
            Self::CgroupMade,
            Self::CgroupRemoved,
            Self::Outcome,
        ];
        let mut place = 0;
        while place < Self::COUNT - 1 {
            let file = place.saturating_sub(first.len());
            let network = file.saturating_sub(FileAct::ALL.len());
            let system = network.saturating_sub(NetworkAct::ALL.len());
            all[place] = if place < first.len() {
                first[place]
            } else if file < FileAct::ALL.len() {
                Self::File(FileAct::ALL[file])
            } else if network < NetworkAct::ALL.len() {
                Self::Network(NetworkAct::ALL[network])
            } else {
                Self::System(SystemAct::ALL[system])
            };
            place += 1;
        }
        all
    }

    /// The kind by its number.
    pub fn numbered(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The name in coverage, losses and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Fork => "fork",
            Self::Exit => "exit",
            Self::CgroupMade => "cgroup_made",
            Self::CgroupRemoved => "cgroup_removed",
            Self::Outcome => "outcome",
            Self::File(act) => act.name(),
            Self::Network(act) => act.name(),
            Self::Dns => "dns",
            Self::System(act) => act.name(),
        }
    }

    /// The kind's number: its index in the map of drops.
    pub const fn number(self) -> u16 {
        match self {
            Self::Exec => 1,
            Self::Fork => 2,
            Self::Exit => 3,
            Self::CgroupMade => 4,
            Self::CgroupRemoved => 5,
            Self::Outcome => 6,
            Self::File(act) => FILE + act as u16,
            Self::Network(act) => NETWORK + act as u16,
            Self::Dns => DNS,
            Self::System(act) => SYSTEM + act as u16,
        }
    }

    /// An act on a file, a socket, or the system: what [`ActRecord`](crate::ActRecord) tells.
    pub const fn is_act(self) -> bool {
        self.number() >= FILE
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_a_number_and_a_name_of_its_own() {
        let numbers: BTreeSet<_> = RecordKind::ALL.iter().map(|kind| kind.number()).collect();
        let names: BTreeSet<_> = RecordKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!((numbers.len(), names.len()), (RecordKind::ALL.len(), RecordKind::ALL.len()));
        for kind in RecordKind::ALL {
            assert_eq!(RecordKind::numbered(kind.number()), Some(kind));
        }
    }

    #[test]
    fn no_subject_runs_into_the_next() {
        assert!(usize::from(NETWORK - FILE) >= FileAct::ALL.len());
        assert!(usize::from(DNS - NETWORK) >= NetworkAct::ALL.len());
        assert!(usize::from(112 - SYSTEM) >= SystemAct::ALL.len());
    }
}
