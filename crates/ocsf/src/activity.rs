//! What happened, as activities of the schema.

mod file;
mod kubernetes;
mod network;
mod process;
mod query;
mod request;
mod system;

use crate::entities::Entities;
use crate::finding::Source;
use crate::object::{Choice, Object};
use crate::scene::Scene;
use event_model::{Event, EventKind, SourceId};
use serde_json::Value;

pub use kubernetes::of_kubernetes_event;
pub use request::of_request;

/// An act as an event of the schema.
pub fn of_event(
    event: &Event,
    id: SourceId,
    entities: &mut Entities,
    source: &Source<'_>,
) -> Value {
    let target = match &event.kind {
        EventKind::System(system) => system.target,
        _ => None,
    };
    let scene = Scene::of(event, target, id, entities, source);
    match &event.kind {
        EventKind::Exec => process::of_exec(&scene),
        EventKind::Fork { child } => process::of_fork(&scene, *child),
        EventKind::Exit(status) => process::of_exit(&scene, *status),
        EventKind::File(file) => file::of_file(&scene, file),
        EventKind::Network(network) => network::of_network(&scene, network),
        EventKind::Dns(query) => query::of_query(&scene, query),
        EventKind::System(act) => system::of_system(&scene, act),
    }
}

const SUCCESS: Choice = (1, "Success");
const FAILURE: Choice = (2, "Failure");

/// How an act ended, by its error number. Nothing where that is not known.
fn with_outcome(event: Object, error: Option<u64>) -> Object {
    match error {
        None => event,
        Some(0) => event.with_choice("status", SUCCESS),
        Some(error) => event.with_choice("status", FAILURE).with("status_code", error.to_string()),
    }
}
