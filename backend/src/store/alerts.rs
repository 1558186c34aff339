use super::body::Body;
use super::container_key::ContainerKey;
use super::publisher::Publisher;
use super::sources::SourceRow;
use event_model::{Alert, Timestamp};
use rusqlite::Connection;

/// Tags by which an alert can be found; it keeps all of them.
const MOST_TAGS: usize = 64;
const LONGEST_TAG: usize = 128;

/// Where an alert came from.
pub(crate) struct Origin<'a> {
    pub(crate) publisher: &'a Publisher,
    pub(crate) source: SourceRow,
    pub(crate) sequence: u64,
    pub(crate) received_at: Timestamp,
}

/// Keeps an alert. False where one of this id is held already: about a request that was told again, or of a maker that is
/// broken.
pub(crate) fn insert(
    state: &Connection,
    origin: &Origin<'_>,
    alert: &Alert,
) -> rusqlite::Result<bool> {
    let container = alert.container();
    let pod = container.and_then(|container| container.pod.as_ref());
    let of_event = alert.event().and_then(|event| event.container.as_ref());
    let id = container.map(|container| &container.id).or(of_event);
    let object = alert.audit().and_then(|event| event.object.as_ref());
    let pod_name =
        object.filter(|object| object.resource == "pods").and_then(|pod| pod.name.as_ref());
    let namespace = object.and_then(|object| object.namespace.as_ref());
    let inserted = state
        .prepare_cached(
            "INSERT INTO alerts (id, source, sequence, time, received_at, priority, rule, cluster,
                node, container, container_name, pod_uid, pod, namespace, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(rusqlite::params![
            alert.id.as_bytes(),
            origin.source,
            origin.sequence.cast_signed(),
            super::moment(alert.time),
            super::moment(origin.received_at),
            alert.priority as u8,
            alert.rule,
            origin.publisher.cluster,
            origin.publisher.node,
            id.map(|id| ContainerKey::from(&*id.0)),
            container.and_then(|container| container.name.as_ref()),
            pod.map(|pod| &pod.uid),
            pod.and_then(|pod| pod.name.as_ref()).or(pod_name),
            pod.and_then(|pod| pod.namespace.as_ref()).or(namespace),
            alert.encode(),
        ])?;
    if inserted == 0 {
        return Ok(false);
    }
    let number = state.last_insert_rowid();
    let mut statement =
        state.prepare_cached("INSERT OR IGNORE INTO alert_tags (tag, alert) VALUES (?1, ?2)")?;
    for tag in alert.tags.iter().filter(|tag| tag.len() <= LONGEST_TAG).take(MOST_TAGS) {
        statement.execute((tag, number))?;
    }
    Ok(true)
}

/// The number of the alert that arrived last; 0 before the first.
pub(crate) fn newest(state: &Connection) -> rusqlite::Result<i64> {
    state
        .prepare_cached("SELECT coalesce(max(number), 0) FROM alerts")?
        .query_row([], |row| row.get(0))
}
