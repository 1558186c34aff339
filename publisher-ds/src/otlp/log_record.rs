//! A record as log records of OTLP.

use super::attributes::Attributes;
use super::value::Backwards;
use crate::config::Body;
use event_model::{Lane, Priority, Record, SourceId, Timestamp};
use ocsf::{Entities, Source};
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use serde_json::Value;

/// Which record of all: the same each time that it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordId {
    pub(crate) source: SourceId,
    pub(crate) lane: Lane,
    pub(crate) sequence: u64,
}

/// A `LogRecord` (opentelemetry/proto/logs/v1/logs.proto), without what has no meaning here.
struct LogRecord<'r> {
    happened: Timestamp,
    observed: Timestamp,
    severity: (SeverityNumber, &'static str),
    body: Value,
    attributes: [&'r Attributes; 2],
    event_name: &'r str,
}

impl LogRecord<'_> {
    /// As it travels.
    fn encode(&self) -> Vec<u8> {
        let mut record = Backwards::default();
        record.text(12, self.event_name);
        record.fixed64(11, self.observed.0);
        for (name, value) in self.attributes.iter().rev().flat_map(|some| some.0.iter().rev()) {
            record.key_value(6, name, value);
        }
        record.message(5, |it| it.any_value(&self.body));
        let (number, text) = self.severity;
        record.text(3, text);
        record.number(2, u64::try_from(i32::from(number)).unwrap_or_default());
        record.fixed64(1, self.happened.0);
        record.finish()
    }
}

/// The log records of a record as they travel: one, or of an inventory one for each item. `entities` complete it.
pub(crate) fn log_records(
    record: &Record,
    id: RecordId,
    entities: &mut Entities,
    source: &Source<'_>,
    body: Body,
) -> Vec<Vec<u8>> {
    let (happened, observed) = times(record, id);
    let events = ocsf::events(record, id.source, entities, source, observed);
    let is_one = events.len() == 1;
    let mut facts = Attributes::default();
    facts.add_facts(record, id.source, entities);
    let (severity, event_name) = (severity(record), format!("defender.{}", record.kind()));
    let make = |(place, mut event): (usize, Value)| {
        let uid = uid(id, (!is_one).then_some(place));
        if let Some(metadata) = event["metadata"].as_object_mut() {
            metadata.entry("uid").or_insert_with(|| uid.clone().into());
        }
        let mut attributes = Attributes::default();
        attributes.add("log.record.uid", uid);
        add_identity(&mut attributes, record, id, &event);
        let body = match body {
            Body::Structured => event,
            Body::Json => Value::String(event.to_string()),
        };
        let attributes = [&attributes, &facts];
        LogRecord { happened, observed, severity, body, attributes, event_name: &event_name }
            .encode()
    };
    events.into_iter().enumerate().map(make).collect()
}

/// Which log record of all: the same each time that it is sent. `item` tells the items of an inventory apart.
fn uid(id: RecordId, item: Option<usize>) -> String {
    let RecordId { source, lane, sequence } = id;
    match item {
        None => format!("{source}/{lane}/{sequence}"),
        Some(item) => format!("{source}/{lane}/{sequence}/{item}"),
    }
}

fn add_identity(attributes: &mut Attributes, record: &Record, id: RecordId, event: &Value) {
    attributes.add("defender.source_id", id.source.to_string());
    attributes.add("defender.lane", id.lane.name());
    attributes.add("defender.sequence", id.sequence);
    attributes.add("defender.kind", record.kind());
    attributes.add("ocsf.version", ocsf::VERSION);
    attributes.add("ocsf.category_uid", event["category_uid"].clone());
    attributes.add("ocsf.class_uid", event["class_uid"].clone());
    attributes.add("ocsf.type_uid", event["type_uid"].clone());
    attributes.add("ocsf.class_name", event["class_name"].clone());
}

/// When it happened, and when a sensor knew. Where a record tells neither, when its source began stands for both: the same
/// each time that it is sent.
fn times(record: &Record, id: RecordId) -> (Timestamp, Timestamp) {
    let begun = id.source.0.get_timestamp().map_or(0, |at| {
        let (seconds, nanoseconds) = at.to_unix();
        seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds.into())
    });
    let both = |at: Timestamp| (at, at);
    match record {
        Record::Alert(alert) => (alert.time, alert.detected_at),
        Record::HeldAlerts(held) => both(held.until),
        Record::Loss(loss) => both(loss.until),
        Record::SensorStatus(status) => both(status.observed_at),
        Record::Process(process) => both(process.started_at),
        Record::Container(container) => both(container.created_at.unwrap_or(Timestamp(begun))),
        Record::Inventory(inventory) => both(inventory.scanned_at),
        Record::KubernetesCensus(census) => both(census.taken_at),
        Record::Event(event) => both(event.time),
        Record::Audit(request) => (request.received_at, request.stage_at),
        Record::KubernetesEvent(event) => both(event.last_at),
        Record::Host(_) | Record::KubernetesObject(_) => both(Timestamp(begun)),
    }
}

/// Syslog's severities as OTLP's data model maps them; what is no alert is information, unless it tells of trouble.
fn severity(record: &Record) -> (SeverityNumber, &'static str) {
    match record {
        Record::Alert(alert) => (of_priority(alert.priority), alert.priority.name()),
        Record::Loss(_) => (SeverityNumber::Warn, "warning"),
        Record::SensorStatus(status) if !status.problems.is_empty() => {
            (SeverityNumber::Warn, "warning")
        }
        Record::KubernetesEvent(event) if event.is_warning => (SeverityNumber::Warn, "warning"),
        _ => (SeverityNumber::Info, "informational"),
    }
}

const fn of_priority(priority: Priority) -> SeverityNumber {
    match priority {
        Priority::Emergency => SeverityNumber::Fatal,
        Priority::Alert => SeverityNumber::Error3,
        Priority::Critical => SeverityNumber::Error2,
        Priority::Error => SeverityNumber::Error,
        Priority::Warning => SeverityNumber::Warn,
        Priority::Notice => SeverityNumber::Info2,
        Priority::Informational => SeverityNumber::Info,
        Priority::Debug => SeverityNumber::Debug,
    }
}
