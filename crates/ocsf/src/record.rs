//! Each record of a stream as events of the schema.

use crate::entities::Entities;
use crate::finding::{Source, detection_finding};
use crate::{activity, inventory, sensor};
use event_model::{Record, SourceId, Timestamp};
use serde_json::Value;

/// A record of a source as events of the schema: one, of an inventory one for each item, of a census none: it tells the
/// backend what to hold for gone, and happened to nobody. `entities` are what the
/// stream told before; the record's own is not added to them. `at` is when it came, for records that tell no time.
pub fn events(
    record: &Record,
    id: SourceId,
    entities: &mut Entities,
    source: &Source<'_>,
    at: Timestamp,
) -> Vec<Value> {
    let event = match record {
        Record::Alert(alert) => detection_finding(alert, source),
        Record::HeldAlerts(held) => sensor::of_held(held, id, entities, source),
        Record::Loss(loss) => sensor::of_loss(loss, id, entities, source),
        Record::SensorStatus(status) => sensor::of_status(status, id, entities, source),
        Record::Host(host) => inventory::of_host(host, source, at),
        Record::Container(container) => {
            inventory::of_container(container, id, entities, source, at)
        }
        Record::Process(process) => inventory::of_process(process, id, entities, source),
        Record::KubernetesObject(object) => inventory::of_object(object, source, at),
        Record::Event(event) => activity::of_event(event, id, entities, source),
        Record::Audit(request) => activity::of_request(request, source),
        Record::KubernetesEvent(event) => activity::of_kubernetes_event(event, source),
        Record::Inventory(inventory) => {
            return inventory::of_inventory(inventory, id, entities, source);
        }
        Record::KubernetesCensus(_) => return vec![],
    };
    vec![event]
}
