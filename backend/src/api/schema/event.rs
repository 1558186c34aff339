use super::container::Container;
use super::process::{Process, ProcessKey};
use crate::alerts::complete_container;
use crate::store::EventRecord;
use event_model as model;
use model::{EventKind, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// What: `exec`, `fork` or `exit`.
    pub r#type: &'static str,
    /// When the kernel saw it.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// The cluster.
    pub cluster: String,
    /// The node.
    pub node: String,
    /// The boot of the node that the process belongs to.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub boot_id: Option<Uuid>,
    /// The run of the sensor that saw it.
    #[schema(value_type = String, format = "uuid")]
    pub source: Uuid,
    /// Its number in that run.
    pub sequence: u64,
    /// Who did it.
    pub process: Process,
    /// Where; null on the host itself.
    pub container: Option<Container>,
    /// The new process, of a fork.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<ProcessKey>,
    /// How the process ended, of an exit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Exit {
    /// The argument of exit.
    pub code: u8,
    /// The signal that ended it, else 0.
    pub signal: u8,
    /// It left a core dump.
    pub core_dumped: bool,
}

/// What is particular to a kind of event.
pub(super) fn particulars(kind: &EventKind) -> (Option<ProcessKey>, Option<Exit>) {
    match kind {
        EventKind::Exec => (None, None),
        EventKind::Fork { child } => (Some((*child).into()), None),
        EventKind::Exit(model::ExitStatus { code, signal, core_dumped }) => {
            (None, Some(Exit { code: *code, signal: *signal, core_dumped: *core_dumped }))
        }
    }
}

impl From<EventRecord> for Event {
    fn from(record: EventRecord) -> Self {
        let EventRecord { source, sequence, event, process, place } = record;
        let reference = Process::reference(event.process);
        let (child, exit) = particulars(&event.kind);
        let known = place.map(|place| (place.container.clone(), place.pod.clone()));
        let (container, pod) = known.unwrap_or_default();
        Self {
            r#type: event.kind.name(),
            time: event.time,
            cluster: source.publisher.cluster.to_string(),
            node: source.publisher.node.to_string(),
            boot_id: source.boot_id,
            source: source.id,
            sequence,
            process: process.as_deref().map_or(reference, Into::into),
            container: complete_container(event.container, container, None, pod).map(Into::into),
            child,
            exit,
        }
    }
}
