//! What tests of the store share.

use super::database;
use super::{Batch, Intake, Publisher, Store, StoreConfig, StoreError, Stored};
use event_model::{
    Alert, AlertSubject, Component, Container, ContainerId, Event, EventKind, Host, Pod, Priority,
    Process, ProcessKey, ProcessRef, Record, SensorStatus, SourceDescription, SourceId, Timestamp,
};
use rusqlite::Connection;
use service_runtime::Bytes;
use std::path::Path;
use tempfile::TempDir;
use uuid::Uuid;

/// An empty state, and the folder it lives in.
pub(crate) fn state() -> (TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let state = database::open_for_writing(&path, &super::STATE_SCHEMA, 1 << 20).unwrap();
    (folder, state)
}

/// As many sources of [`publisher`] as a node may have, last heard of at this moment.
pub(crate) fn fill_sources(state: &Connection, seen: Timestamp) {
    let publisher = publisher();
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        INSERT INTO sources (cluster, node, uuid, first_seen, last_seen)
        SELECT ?1, ?2, CAST('source ' || i AS BLOB), ?3 + i, ?3 + i FROM n";
    let seen = super::moment(seen);
    state.execute(sql, (&publisher.cluster, &publisher.node, seen)).unwrap();
}

/// A store in this folder.
pub(crate) fn open(folder: &Path, maximum_bytes: u64) -> Result<Store, StoreError> {
    let maximum_bytes = Bytes::new(maximum_bytes);
    let directory = folder.to_owned();
    Store::open(&StoreConfig { directory, maximum_bytes, ..StoreConfig::default() })
}

/// Closes a store and waits until its writer has ended.
pub(crate) async fn close(store: Store) {
    drop(store.intake);
    store.ended.await.unwrap();
}

pub(crate) fn publisher() -> Publisher {
    Publisher { cluster: "test".into(), node: "node-1".into() }
}

/// Stores records of one lane and waits until they are durable.
pub(crate) async fn put(
    intake: &Intake,
    source: SourceId,
    first_sequence: u64,
    records: &[Record],
) -> Result<Stored, StoreError> {
    let lane = records[0].lane();
    let envelope = proto::encode_batch(source, lane, first_sequence, records).unwrap();
    let batch = Batch {
        publisher: publisher(),
        source,
        lane,
        first_sequence,
        records: records.to_vec(),
        received_at: Timestamp::now(),
        room: intake.room(&envelope).await.unwrap(),
    };
    intake.store(batch).unwrap().await.unwrap()
}

pub(crate) fn reference(pid: u32) -> ProcessRef {
    ProcessRef { key: ProcessKey { pid, start_time: 70_000_000 }, generation: 1 }
}

pub(crate) fn process(pid: u32, executable: &str) -> Process {
    let mut process = Process { reference: reference(pid), ..Process::default() };
    process.executable.path = executable.into();
    process.name = executable.rsplit('/').next().unwrap_or_default().into();
    process.arguments = vec![process.name.clone(), "-x".into()];
    process
}

pub(crate) fn event(time: Timestamp, pid: u32, container: Option<&ContainerId>) -> Event {
    Event { time, process: reference(pid), container: container.cloned(), kind: EventKind::Exec }
}

/// `n` events of one moment each, from now on.
pub(crate) fn events(n: u64) -> Vec<Record> {
    let now = Timestamp::now().0;
    (0..n).map(|nth| Record::Event(event(Timestamp(now + nth), 1, None))).collect()
}

pub(crate) fn container_id(digit: char) -> ContainerId {
    digit.to_string().repeat(64).as_str().into()
}

pub(crate) fn alert(rule: &str, priority: Priority, container: Option<ContainerId>) -> Alert {
    let time = Timestamp::now();
    let bare = |id| Container {
        id,
        pod: Some(Pod { uid: "uid-1".into(), ..Pod::default() }),
        ..Container::default()
    };
    Alert {
        id: Uuid::now_v7(),
        time,
        detected_at: time,
        rule: rule.into(),
        priority,
        message: format!("{rule} happened"),
        tags: vec!["T1059".into()],
        subject: AlertSubject::Act {
            event: event(time, 7, container.as_ref()),
            process_chain: vec![process(7, "/bin/sh")],
            container: container.map(bare),
        },
        host: Host::default(),
        matched_fields: Vec::new(),
    }
}

pub(crate) fn status(source: SourceId, problems: &[&str]) -> SensorStatus {
    SensorStatus {
        description: SourceDescription {
            id: source,
            component: Component::CollectorDs,
            version: "1.2.3".into(),
            node: "what the payload says".into(),
            boot_id: Uuid::from_u128(5),
        },
        started_at: Timestamp::now(),
        observed_at: Timestamp::now(),
        problems: problems.iter().map(ToString::to_string).collect(),
        probes: Vec::new(),
        rules_loaded: 10,
        blind_rules: Vec::new(),
        counters: std::collections::BTreeMap::default(),
    }
}
