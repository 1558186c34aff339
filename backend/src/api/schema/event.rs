use super::container::Container;
use super::kind::EventKind;
use super::process::Process;
use crate::alerts::complete_container;
use crate::store::EventRecord;
use event_model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// What.
    pub kind: EventKind,
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
}

impl From<EventRecord> for Event {
    fn from(record: EventRecord) -> Self {
        let EventRecord { source, sequence, event, process, place } = record;
        let reference = Process::reference(event.process);
        let known = place.map(|place| (place.container.clone(), place.pod.clone()));
        let (container, pod) = known.unwrap_or_default();
        Self {
            kind: (&event.kind).into(),
            time: event.time,
            cluster: source.publisher.cluster.to_string(),
            node: source.publisher.node.to_string(),
            boot_id: source.boot_id,
            source: source.id,
            sequence,
            process: process.as_deref().map_or(reference, Into::into),
            container: complete_container(event.container, container, None, pod).map(Into::into),
        }
    }
}
