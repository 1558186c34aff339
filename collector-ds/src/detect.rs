//! What the rules ask of this node's kernel.

use alerting::Rules;
use detection::EventType;
use ebpf_probes::RecordKind;
use event_model::NetworkAct;
use std::collections::BTreeSet;

/// The acts that some rule needs. What no rule needs is not worth a probe.
pub fn wanted_acts(rules: &Rules) -> BTreeSet<RecordKind> {
    let is_wanted = |kind: &RecordKind| {
        kind.is_act() && event_types_of(*kind).any(|event_type| rules.want(event_type))
    };
    RecordKind::ALL.into_iter().filter(is_wanted).collect()
}

/// The types of events that a kind of record becomes.
pub fn event_types_of(kind: RecordKind) -> impl Iterator<Item = EventType> {
    let (event_type, other) = match kind {
        RecordKind::Exec => (Some(EventType::EXECVE), None),
        RecordKind::Fork => (Some(EventType::CLONE), None),
        RecordKind::Exit => (Some(EventType::PROCEXIT), None),
        RecordKind::CgroupMade | RecordKind::CgroupRemoved | RecordKind::Outcome => (None, None),
        RecordKind::Dns => (Some(EventType::DNS), None),
        RecordKind::File(act) => (Some(act.into()), None),
        RecordKind::Network(NetworkAct::Datagram) => {
            (Some(NetworkAct::Datagram.into()), Some(EventType::RECVFROM))
        }
        RecordKind::Network(act) => (Some(act.into()), None),
        RecordKind::System(act) => (Some(act.into()), None),
    };
    event_type.into_iter().chain(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{FileAct, SystemAct};

    fn rules(condition: &str) -> Rules {
        let folder = tempfile::tempdir().expect("a directory");
        let rule = format!(
            "- rule: R\n  desc: D.\n  condition: {condition}\n  output: O\n  priority: NOTICE\n"
        );
        std::fs::write(folder.path().join("rules.yaml"), rule).expect("a rule file");
        Rules::load(&[folder.path().to_owned()]).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_acts_that_rules_need_are_wanted_by_their_records() {
        let wanted = |condition| wanted_acts(&rules(condition));
        assert_eq!(wanted("evt.type in (execve, clone) and proc.name = sh"), BTreeSet::new());
        assert_eq!(
            wanted("evt.type = openat or (evt.type = recvmsg and fd.sport = 53)"),
            [RecordKind::File(FileAct::Open), RecordKind::Network(NetworkAct::Datagram)].into()
        );
        assert_eq!(
            wanted("evt.arg.request = PTRACE_ATTACH and evt.type = ptrace"),
            [RecordKind::System(SystemAct::Ptrace)].into()
        );
    }

    #[test]
    fn every_type_that_can_be_seen_has_a_record() {
        let types: BTreeSet<EventType> =
            RecordKind::ALL.into_iter().flat_map(event_types_of).collect();
        assert_eq!(types, EventType::seen().collect());
    }
}
