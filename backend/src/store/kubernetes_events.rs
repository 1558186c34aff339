//! What parts of Kubernetes noted about objects.

use super::alert_query::QueryError;
use super::body::Body;
use super::conditions::Conditions;
use super::page::{List, Page};
use super::publisher::Publisher;
use super::{AlertCursor, moment};
use event_model::{KubernetesEvent, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};

/// The same note in the same state is one, whoever tells it.
pub(crate) fn insert(
    state: &Connection,
    publisher: &Publisher,
    event: &KubernetesEvent,
) -> rusqlite::Result<()> {
    let about = &event.regarding;
    state
        .prepare_cached(
            "INSERT OR IGNORE INTO kubernetes_events (cluster, uid, resource_version, time, reason, is_warning, kind,
                namespace, name, object_uid, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(rusqlite::params![
            &*publisher.cluster,
            event.uid,
            event.resource_version,
            moment(event.last_at),
            event.reason,
            event.is_warning,
            about.kind,
            about.namespace,
            about.name,
            about.uid,
            event.encode(),
        ])?;
    Ok(())
}

/// Which to list. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesEventFilter {
    /// That happened last at this moment or later.
    pub since: Option<Timestamp>,
    /// That happened last before this moment.
    pub until: Option<Timestamp>,
    /// In this cluster.
    pub cluster: Option<String>,
    /// About an object of this kind.
    pub kind: Option<String>,
    /// About an object in this namespace.
    pub namespace: Option<String>,
    /// About an object of this name.
    pub name: Option<String>,
    /// About the object of this uid.
    pub uid: Option<String>,
    /// Such as `FailedMount`.
    pub reason: Option<String>,
    /// Warnings (true), or what is none (false).
    pub is_warning: Option<bool>,
}

/// A note's place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesEventCursor(pub AlertCursor);

/// A note, and of which cluster it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesEventRecord {
    /// The cluster.
    pub cluster: String,
    /// The note.
    pub event: KubernetesEvent,
}

/// Notes that match, the newest first, from the one after `after`.
pub(crate) fn page(
    state: &Connection,
    filter: &KubernetesEventFilter,
    after: Option<&KubernetesEventCursor>,
    limit: usize,
) -> Result<Page<KubernetesEventRecord, KubernetesEventCursor>, QueryError> {
    let list = List {
        select: "SELECT time, number, cluster, body FROM kubernetes_events",
        conditions: conditions(filter, after),
        order: "ORDER BY time DESC, number DESC",
    };
    list.page(state, limit, |row| AlertCursor::of_row(row).map(KubernetesEventCursor), read_row)
}

fn read_row(row: &Row<'_>) -> Result<(KubernetesEventRecord, usize), QueryError> {
    let body = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
    let event = KubernetesEvent::decode(body)?;
    Ok((KubernetesEventRecord { cluster: row.get(2)?, event }, body.len()))
}

fn conditions(filter: &KubernetesEventFilter, after: Option<&KubernetesEventCursor>) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.add_some("time >= ?", filter.since.map(moment));
    conditions.add_some("time < ?", filter.until.map(moment));
    conditions.add_some("cluster = ?", filter.cluster.clone());
    conditions.add_some("kind = ?", filter.kind.clone());
    conditions.add_some("namespace = ?", filter.namespace.clone());
    conditions.add_some("name = ?", filter.name.clone());
    conditions.add_some("object_uid = ?", filter.uid.clone());
    conditions.add_some("reason = ?", filter.reason.clone());
    conditions.add_some("is_warning = ?", filter.is_warning.map(i64::from));
    if let Some(KubernetesEventCursor(AlertCursor { time, number })) = after {
        let place = [*time, *number].map(Value::Integer);
        conditions.add("(time, number) < (?, ?)", place);
    }
    conditions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[test]
    fn the_same_note_in_the_same_state_is_one() {
        let (_folder, state) = testing::state();
        let note = |version: &str, time| KubernetesEvent {
            uid: "e1".into(),
            resource_version: version.into(),
            reason: "BackOff".into(),
            is_warning: true,
            last_at: Timestamp(time),
            ..KubernetesEvent::default()
        };
        for event in [note("1", 1), note("2", 2), note("1", 1), note("2", 2)] {
            insert(&state, &testing::publisher(), &event).unwrap();
        }
        let warnings =
            KubernetesEventFilter { is_warning: Some(true), ..KubernetesEventFilter::default() };
        let first = page(&state, &warnings, None, 1).unwrap();
        assert_eq!(first.items[0].event.resource_version, "2");
        let second = page(&state, &warnings, first.next.as_ref(), 1).unwrap();
        assert_eq!((second.items[0].event.resource_version.as_str(), second.next), ("1", None));
        let pulled = KubernetesEventFilter { reason: Some("Pulled".into()), ..warnings };
        assert!(page(&state, &pulled, None, 1).unwrap().items.is_empty());
    }
}
