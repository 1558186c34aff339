use super::{FAILURE, SUCCESS};
use crate::class::{ENTITY_MANAGEMENT, OTHER, metadata};
use crate::finding::Source;
use crate::object::{Choice, Object, milliseconds};
use crate::scene::INFORMATIONAL;
use event_model::KubernetesEvent;
use serde_json::Value;

const LOW: Choice = (2, "Low");

/// What a part of Kubernetes noted about an object: in the schema's words the "activity by a micro service on a managed
/// entity". Reasons are free words, so that the activity is Other with the reason as its name.
pub fn of_kubernetes_event(event: &KubernetesEvent, source: &Source<'_>) -> Value {
    let or_unknown = |text: &str| if text.is_empty() { "unknown" } else { text }.to_owned();
    let (reason, about) = (or_unknown(&event.reason), &event.regarding);
    let entity = Object::new()
        .with("name", or_unknown(&about.name))
        .with("uid", about.uid.as_str())
        .with("type_id", OTHER)
        .with("type", or_unknown(&about.kind));
    let (severity, outcome) =
        if event.is_warning { (LOW, FAILURE) } else { (INFORMATIONAL, SUCCESS) };
    let unmapped = Object::new()
        .with("event_uid", event.uid.as_str())
        .with("resource_version", event.resource_version.as_str())
        .with("api_version", about.api_version.as_str())
        .with_some("namespace", about.namespace.clone())
        .with_some("node", event.node.clone())
        .with_some("cluster", source.cluster.filter(|cluster| !cluster.is_empty()));
    let at = event.last_at;
    ENTITY_MANAGEMENT
        .event((OTHER, &reason), at, severity)
        .with(
            "metadata",
            metadata(source.version, "kubernetes_event", "kubernetes_events", at, false),
        )
        .with("actor", Object::new().with("app_name", or_unknown(&event.reporter)))
        .with("entity", entity)
        .with_choice("status", outcome)
        .with("status_detail", event.reason.as_str())
        .with("message", event.message.as_str())
        .with("count", event.count.clamp(1, i32::MAX.unsigned_abs()))
        .with("start_time", milliseconds(event.first_at))
        .with("end_time", milliseconds(at))
        .with("unmapped", unmapped)
        .into()
}
