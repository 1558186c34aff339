//! What rules look at: something that happened, with what is derived from it.

use super::access::ActFacts;
use super::audit::AuditFacts;
use crate::{Act, AuditAct, EventType};
use event_model::{ProcessKey, Timestamp};

/// Something that happened, of one of the sources.
#[allow(clippy::large_enum_variant)] // It lives on the stack, for one evaluation.
pub(crate) enum Facts<'a> {
    Act(ActFacts<'a>),
    Audit(AuditFacts<'a>),
}

impl<'a> Facts<'a> {
    /// Of an act of a process.
    pub fn of_act(act: &'a Act<'a>) -> Self {
        Self::Act(ActFacts::new(act))
    }

    /// Of a request to the API server of Kubernetes.
    pub fn of_audit(act: &'a AuditAct<'a>) -> Self {
        Self::Audit(AuditFacts::new(act))
    }

    /// When it happened.
    pub fn time(&self) -> Timestamp {
        match self {
            Self::Act(facts) => facts.act.event.time,
            Self::Audit(facts) => facts.act.event.stage_at,
        }
    }

    /// Who did it: the process, then its ancestors as far as they are known. Nobody, of a request to an API server.
    pub fn process_keys(&self) -> impl Iterator<Item = ProcessKey> {
        let act = match self {
            Self::Act(facts) => Some(facts.act),
            Self::Audit(_) => None,
        };
        let processes = act
            .into_iter()
            .flat_map(|act| std::iter::once(act.process).chain(act.ancestors.iter().copied()));
        processes.map(|process| process.reference.key)
    }

    /// The name and number of the process that did it.
    pub fn actor(&self) -> Option<String> {
        match self {
            Self::Act(facts) => {
                let process = facts.act.process;
                Some(format!("{}[{}]", process.name, process.reference.key.pid))
            }
            Self::Audit(_) => None,
        }
    }

    /// The type of act; none of a request.
    pub fn event_type(&self) -> Option<EventType> {
        match self {
            Self::Act(facts) => Some(EventType::from(&facts.act.event.kind)),
            Self::Audit(_) => None,
        }
    }

    /// Whether it happened in a container, known or not.
    pub fn in_container(&self) -> bool {
        matches!(self, Self::Act(facts) if facts.in_container())
    }
}
