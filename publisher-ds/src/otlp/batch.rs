//! A request under construction, and which envelopes are whole once it is answered.

use event_model::{Lane, SourceId};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;

/// Receivers take 4 MiB by gRPC unless told otherwise; a request is closed well before.
const ENOUGH_BYTES: usize = 1 << 20;

/// An `ExportLogsServiceRequest` (opentelemetry/proto/collector/logs/v1/logs_service.proto) whose log records are encoded
/// already: on the wire a message within another is its bytes.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    scope: Option<InstrumentationScope>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    log_records: Vec<Vec<u8>>,
}

/// An envelope whose records are all in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) lane: Lane,
    pub(crate) source: SourceId,
    pub(crate) first_sequence: u64,
    pub(crate) last_sequence: u64,
}

/// A request under construction.
#[derive(Default)]
pub(crate) struct Batch {
    resources: Vec<ResourceLogs>,
    last_source: Option<SourceId>,
    bytes: usize,
    records: u64,
    lanes: [u64; Lane::ALL.len()],
    whole: Vec<Whole>,
}

impl Batch {
    /// Adds an encoded log record of a source, whose resource is asked for once in a row of its records.
    pub(crate) fn add(
        &mut self,
        source: SourceId,
        lane: Lane,
        record: Vec<u8>,
        resource: impl FnOnce() -> Resource,
    ) {
        self.bytes += record.len();
        self.records += 1;
        self.lanes[lane.index()] += 1;
        if self.last_source != Some(source) || self.resources.is_empty() {
            self.resources.push(of_resource(resource()));
            self.last_source = Some(source);
        }
        let scope = self.resources.last_mut().and_then(|it| it.scope_logs.last_mut());
        if let Some(scope) = scope {
            scope.log_records.push(record);
        }
    }

    /// All records of an envelope were added, here or to requests that were answered.
    pub(crate) fn close(&mut self, whole: Whole) {
        self.whole.push(whole);
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.bytes >= ENOUGH_BYTES
    }

    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    /// How many log records of each lane.
    pub(crate) const fn lanes(&self) -> [u64; Lane::ALL.len()] {
        self.lanes
    }

    /// The request, and what is whole once it is answered.
    pub(crate) fn finish(self) -> (ExportRequest, Vec<Whole>) {
        (ExportRequest { resource_logs: self.resources }, self.whole)
    }
}

fn of_resource(resource: Resource) -> ResourceLogs {
    let scope = InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope = ScopeLogs { scope: Some(scope), log_records: Vec::new() };
    ResourceLogs { resource: Some(resource), scope_logs: vec![scope] }
}
