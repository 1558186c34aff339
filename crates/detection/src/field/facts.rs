//! What rules look at: something that happened, with what is derived from it.

use super::access::ActFacts;
use super::audit::AuditFacts;
use crate::{Act, AuditAct, EventType};
use event_model::Timestamp;

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
