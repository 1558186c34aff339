use event_model::{
    Component, Event, EventKind, ProcessRef, Record, SourceDescription, SourceId, Timestamp,
};
use uuid::Uuid;

/// A collector that just started.
pub fn description() -> SourceDescription {
    SourceDescription {
        id: SourceId::generate(),
        component: Component::CollectorDs,
        version: "0.0.0".into(),
        node: "node-1".into(),
        boot_id: Uuid::nil(),
    }
}

/// An event with a number, so that a test can tell what came, and in which order.
pub fn event(number: u64) -> Record {
    Record::Event(Event {
        time: Timestamp(number),
        process: ProcessRef::default(),
        container: None,
        kind: EventKind::Exec,
    })
}

/// The numbers that were given to [`event`].
pub fn event_numbers(records: &[Record]) -> Vec<u64> {
    let number = |record: &Record| match record {
        Record::Event(event) => Some(event.time.0),
        _ => None,
    };
    records.iter().filter_map(number).collect()
}
