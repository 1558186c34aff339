//! Requests to Kubernetes API servers, as their audit logs tell them.

use super::alert_query::QueryError;
use super::body::Body;
use super::conditions::Conditions;
use super::page::{List, Page};
use super::publisher::Publisher;
use super::{AlertCursor, moment};
use event_model::{AuditEvent, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use uuid::Uuid;

/// Keeps a request. False where it is held already: API servers tell again what they are not sure was heard, perhaps to
/// another collector, and what that one sends is another stream.
pub(crate) fn insert(
    state: &Connection,
    publisher: &Publisher,
    event: &AuditEvent,
) -> rusqlite::Result<bool> {
    let object = event.object.as_ref();
    let content = content(&publisher.cluster, event)?;
    let inserted = state
        .prepare_cached(
            "INSERT INTO audit_events
                (content, cluster, node, time, user, verb, resource, namespace, name, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (content) WHERE content IS NOT NULL DO NOTHING",
        )?
        .execute((
            content.as_bytes(),
            &publisher.cluster,
            &publisher.node,
            moment(event.stage_at),
            &event.user.name,
            &event.verb,
            object.map_or("", |object| &object.resource),
            object.and_then(|object| object.namespace.as_ref()),
            object.and_then(|object| object.name.as_ref()),
            event.encode(),
        ))?;
    Ok(inserted > 0)
}

/// What tells requests apart: all that is kept of them. Their ids would not do: a client may choose one (the header
/// `Audit-ID`), and could hide a request behind another. Nor would the body, in which annotations are in any order.
fn content(cluster: &str, event: &AuditEvent) -> rusqlite::Result<Uuid> {
    let told = serde_json::to_vec(&(cluster, event))
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    Ok(Uuid::new_v5(&Uuid::NAMESPACE_OID, &told))
}

/// Which requests to list. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// At this moment or later.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// To the API server of this cluster.
    pub cluster: Option<String>,
    /// By the user of this name.
    pub user: Option<String>,
    /// Such as `create`.
    pub verb: Option<String>,
    /// Such as `pods`.
    pub resource: Option<String>,
    /// Of an object in this namespace.
    pub namespace: Option<String>,
    /// Of an object of this name.
    pub name: Option<String>,
}

/// A request, and whose it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Who told.
    pub publisher: Publisher,
    /// The request.
    pub event: AuditEvent,
}

/// Requests that match, the newest first, from the one after `after`.
pub(crate) fn page(
    state: &Connection,
    filter: &AuditFilter,
    after: Option<&AuditCursor>,
    limit: usize,
) -> Result<Page<AuditRecord, AuditCursor>, QueryError> {
    let list = List {
        select: "SELECT time, number, cluster, node, body FROM audit_events",
        conditions: conditions(filter, after),
        order: "ORDER BY time DESC, number DESC",
    };
    list.page(state, limit, |row| AlertCursor::of_row(row).map(AuditCursor), read_row)
}

/// A request's place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCursor(pub AlertCursor);

fn conditions(filter: &AuditFilter, after: Option<&AuditCursor>) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.add_some("time >= ?", filter.since.map(moment));
    conditions.add_some("time < ?", filter.until.map(moment));
    conditions.add_some("cluster = ?", filter.cluster.clone());
    conditions.add_some("user = ?", filter.user.clone());
    conditions.add_some("verb = ?", filter.verb.clone());
    conditions.add_some("resource = ?", filter.resource.clone());
    conditions.add_some("namespace = ?", filter.namespace.clone());
    conditions.add_some("name = ?", filter.name.clone());
    if let Some(AuditCursor(AlertCursor { time, number })) = after {
        conditions.add("(time, number) < (?, ?)", [Value::Integer(*time), Value::Integer(*number)]);
    }
    conditions
}

fn read_row(row: &Row<'_>) -> Result<(AuditRecord, usize), QueryError> {
    let body = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
    let record = AuditRecord {
        publisher: Publisher { cluster: row.get(2)?, node: row.get(3)? },
        event: AuditEvent::decode(body)?,
    };
    Ok((record, body.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;
    use event_model::{AuditObject, AuditUser};

    #[test]
    fn a_request_that_is_told_again_is_held_once_and_another_of_its_id_beside_it() {
        let (_folder, state) = testing::state();
        let annotations = (0..20).map(|number| (format!("key-{number}"), "value".into())).collect();
        let (audit_id, verb) = ("a".into(), "get".into());
        let event = AuditEvent { audit_id, verb, annotations, ..AuditEvent::default() };
        let other = AuditEvent { verb: "delete".into(), ..event.clone() };
        let elsewhere = Publisher { cluster: "other".into(), ..testing::publisher() };
        let another_node = Publisher { node: "node-2".into(), ..testing::publisher() };
        for (publisher, event, is_new) in [
            (&testing::publisher(), &event, true),
            (&testing::publisher(), &event, false),
            (&another_node, &event, false),
            (&testing::publisher(), &other, true),
            (&elsewhere, &event, true),
        ] {
            let told = insert(&state, publisher, event).unwrap();
            assert_eq!(told, is_new, "{} to {}", event.verb, publisher.cluster);
        }
        let held = page(&state, &AuditFilter::default(), None, 10).unwrap();
        assert_eq!(held.items.len(), 3);
    }

    #[test]
    fn requests_are_listed_by_who_asked_for_what_the_newest_first() {
        let (_folder, state) = testing::state();
        for (time, user, verb) in [(1, "eve", "list"), (2, "ann", "get"), (3, "eve", "get")] {
            let event = AuditEvent {
                stage_at: Timestamp(time),
                user: AuditUser { name: user.into(), ..AuditUser::default() },
                verb: verb.into(),
                object: Some(AuditObject { resource: "secrets".into(), ..AuditObject::default() }),
                ..AuditEvent::default()
            };
            insert(&state, &testing::publisher(), &event).unwrap();
        }
        let of_eve = AuditFilter {
            user: Some("eve".into()),
            resource: Some("secrets".into()),
            ..AuditFilter::default()
        };
        let first = page(&state, &of_eve, None, 1).unwrap();
        assert_eq!(first.items[0].event.verb, "get");
        let second = page(&state, &of_eve, first.next.as_ref(), 1).unwrap();
        assert_eq!((second.items[0].event.verb.as_str(), second.next), ("list", None));
        let none = AuditFilter { namespace: Some("shop".into()), ..of_eve };
        assert!(page(&state, &none, None, 1).unwrap().items.is_empty());
    }
}
