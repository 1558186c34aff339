use super::body::Body;
use super::conditions::Conditions;
use super::container_key::ContainerKey;
use super::error::StoreError;
use super::held_alerts::HeldCounts;
use super::page::{List, Page};
use super::publisher::Publisher;
use super::{moment, timestamp};
use event_model::{Alert, Container, ContainerId, KubernetesObject, Priority, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use uuid::Uuid;

/// Which alerts to read. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// The act was at this moment or later.
    pub since: Option<Timestamp>,
    /// The act was before this moment.
    pub until: Option<Timestamp>,
    /// Of these priorities; empty: all.
    pub priorities: Vec<Priority>,
    /// Of the rule of this name.
    pub rule: Option<String>,
    /// From this cluster.
    pub cluster: Option<String>,
    /// On this node.
    pub node: Option<String>,
    /// In the container of this id, beginning of an id (12 digits or more), or name.
    pub container: Option<String>,
    /// In a pod of this namespace.
    pub namespace: Option<String>,
    /// In the pod of this name.
    pub pod: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
}

/// An alert's place in the order of alerts, the newest act first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertCursor {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// The alert's number.
    pub number: i64,
}

impl AlertCursor {
    /// Of a row that begins with time and number.
    pub(crate) fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { time: row.get(0)?, number: row.get(1)? })
    }
}

/// An alert as it is kept, and what became known of its container since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAlert {
    /// In order of arrival, from 1.
    pub number: i64,
    /// When it arrived here.
    pub received_at: Timestamp,
    /// Who brought it.
    pub publisher: Publisher,
    /// The alert as it was made.
    pub alert: Alert,
    /// What it stands for beside itself.
    pub held: HeldCounts,
    /// The container's id, which the act knows even where the alert does not have the container.
    pub container_id: Option<ContainerId>,
    /// The newest state of its container.
    pub container: Option<Container>,
    /// The container's pod as Kubernetes tells it.
    pub pod: Option<KubernetesObject>,
}

const SELECT: &str = "
    SELECT a.number, a.received_at, a.cluster, a.node, a.body, a.container, c.body, k.body, a.time,
        a.repeated, a.rate_limited, a.held_until
    FROM alerts a
    LEFT JOIN containers c ON c.cluster = a.cluster AND c.node = a.node AND c.id = a.container
    LEFT JOIN pod_containers pc ON pc.cluster = a.cluster AND pc.container = a.container
    LEFT JOIN kubernetes_objects k ON k.cluster = a.cluster AND k.kind = 'Pod'
        AND k.uid = coalesce(a.pod_uid, c.pod_uid, pc.pod_uid)";

/// The newest alerts that match and lie after `after` in that order.
pub(crate) fn page(
    state: &Connection,
    filter: &AlertFilter,
    after: Option<&AlertCursor>,
    limit: usize,
) -> Result<Page<StoredAlert, AlertCursor>, QueryError> {
    let mut conditions = conditions(filter);
    if let Some(AlertCursor { time, number }) = after {
        conditions.add("(a.time, a.number) < (?, ?)", [*time, *number].map(Value::Integer));
    }
    read(state, conditions, "ORDER BY a.time DESC, a.number DESC", limit)
}

/// Alerts that match, in order of arrival, from the one after `number`.
pub(crate) fn arrived_after(
    state: &Connection,
    filter: &AlertFilter,
    number: i64,
    limit: usize,
) -> Result<Page<StoredAlert, AlertCursor>, QueryError> {
    let mut conditions = conditions(filter);
    conditions.add("a.number > ?", [Value::Integer(number)]);
    read(state, conditions, "ORDER BY a.number", limit)
}

/// The alert of this id.
pub(crate) fn by_id(state: &Connection, id: Uuid) -> Result<Option<StoredAlert>, QueryError> {
    let mut conditions = Conditions::default();
    conditions.add("a.id = ?", [Value::Blob(id.into_bytes().into())]);
    read(state, conditions, "", 1).map(|mut page| page.items.pop())
}

/// How many alerts of each priority there were since a moment; those there were none of are left out.
pub(crate) fn counts(
    state: &Connection,
    since: Timestamp,
) -> Result<Vec<(Priority, u64)>, QueryError> {
    let mut statement = state.prepare_cached(
        "SELECT priority, count(*) FROM alerts WHERE time >= ?1 GROUP BY priority ORDER BY priority",
    )?;
    let rows = statement.query_map([moment(since)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let counts = rows.collect::<rusqlite::Result<Vec<(usize, u64)>>>()?;
    let known = |(number, count)| Some((*Priority::ALL.get(number)?, count));
    Ok(counts.into_iter().filter_map(known).collect())
}

/// A query that failed, before the file is named.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn conditions(filter: &AlertFilter) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.add_some("a.time >= ?", filter.since.map(moment));
    conditions.add_some("a.time < ?", filter.until.map(moment));
    let priorities = filter.priorities.iter().map(|priority| Value::Integer(*priority as i64));
    conditions.add_any_of("a.priority", priorities);
    conditions.add_some("a.rule = ?", filter.rule.clone());
    conditions.add_some("a.cluster = ?", filter.cluster.clone());
    conditions.add_some("a.node = ?", filter.node.clone());
    add_container(&mut conditions, filter.container.as_deref());
    let namespace = "coalesce(a.namespace, c.namespace, k.namespace) = ?";
    conditions.add_some(namespace, filter.namespace.clone());
    conditions.add_some("coalesce(a.pod, c.pod, k.name) = ?", filter.pod.clone());
    let tagged = "EXISTS (SELECT 1 FROM alert_tags t WHERE t.tag = ? AND t.alert = a.number)";
    conditions.add_some(tagged, filter.tag.clone());
    conditions
}

fn add_container(conditions: &mut Conditions, container: Option<&str>) {
    let Some(container) = container else { return };
    let named = "coalesce(a.container_name, c.name) = ?";
    let name = Value::Text(container.to_owned());
    match ContainerKey::range(container) {
        Some((first, last)) => conditions.add(
            &format!("a.container BETWEEN ? AND ? OR {named}"),
            [Value::Blob(first.into()), Value::Blob(last.into()), name],
        ),
        None => conditions.add(&format!("a.container = ? OR {named}"), [name.clone(), name]),
    }
}

fn read(
    state: &Connection,
    conditions: Conditions,
    order: &str,
    limit: usize,
) -> Result<Page<StoredAlert, AlertCursor>, QueryError> {
    let place = |row: &Row<'_>| Ok(AlertCursor { time: row.get(8)?, number: row.get(0)? });
    List { select: SELECT, conditions, order }.page(state, limit, place, read_row)
}

fn read_row(row: &Row<'_>) -> Result<(StoredAlert, usize), QueryError> {
    let body = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
    let container_id: Option<ContainerKey> = row.get(5)?;
    let alert = StoredAlert {
        number: row.get(0)?,
        received_at: timestamp(row.get(1)?),
        publisher: Publisher { cluster: row.get(2)?, node: row.get(3)? },
        alert: Alert::decode(body)?,
        held: held_counts(row)?,
        container_id: container_id.map(|key| key.id().as_str().into()),
        container: optional_body(row, 6)?,
        pod: optional_body(row, 7)?,
    };
    let bytes = body.len() + length(row, 6)? + length(row, 7)?;
    Ok((alert, bytes))
}

fn held_counts(row: &Row<'_>) -> rusqlite::Result<HeldCounts> {
    Ok(HeldCounts {
        repeated: row.get::<_, i64>(9)?.cast_unsigned(),
        rate_limited: row.get::<_, i64>(10)?.cast_unsigned(),
        until: row.get::<_, Option<i64>>(11)?.map(timestamp),
    })
}

/// How many bytes the record in a column has.
pub(crate) fn length(row: &Row<'_>, column: usize) -> rusqlite::Result<usize> {
    Ok(row.get_ref(column)?.as_blob_or_null()?.map_or(0, <[u8]>::len))
}

/// The record in a column that a join may have left empty.
pub(crate) fn optional_body<B: Body>(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<B>, QueryError> {
    let bytes = row.get_ref(column)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    Ok(bytes.map(B::decode).transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::alerts::{Origin, insert};
    use crate::store::kubernetes;
    use crate::store::sources::SourceRow;
    use crate::store::testing::{self, alert, container_id, publisher};
    use event_model::KubernetesContainer;

    fn state() -> (tempfile::TempDir, Connection) {
        let (folder, state) = testing::state();
        for (sequence, priority) in (1..).zip(Priority::ALL) {
            let container = (sequence <= 2).then(|| container_id('c'));
            let origin = Origin {
                publisher: &publisher(),
                source: SourceRow(1),
                sequence,
                received_at: Timestamp::now(),
            };
            let mut alert = alert(&format!("rule {sequence}"), priority, container);
            alert.time = Timestamp(1000 * sequence);
            assert!(insert(&state, &origin, &alert).unwrap());
        }
        (folder, state)
    }

    fn rules(state: &Connection, filter: &AlertFilter) -> Vec<String> {
        let page = page(state, filter, None, 100).unwrap();
        page.items.into_iter().map(|stored| stored.alert.rule).collect()
    }

    #[test]
    fn each_filter_passes_only_what_matches() {
        let (_folder, state) = state();
        let all = AlertFilter::default;
        assert_eq!(rules(&state, &all()).len(), 8);
        assert_eq!(
            rules(&state, &AlertFilter { rule: Some("rule 3".into()), ..all() }),
            ["rule 3"]
        );
        let priorities = vec![Priority::Emergency, Priority::Debug];
        assert_eq!(rules(&state, &AlertFilter { priorities, ..all() }), ["rule 8", "rule 1"]);
        let (since, until) = (Some(Timestamp(2000)), Some(Timestamp(4000)));
        assert_eq!(rules(&state, &AlertFilter { since, until, ..all() }), ["rule 3", "rule 2"]);
        let container = Some("c".repeat(12));
        assert_eq!(rules(&state, &AlertFilter { container, ..all() }).len(), 2);
        assert_eq!(rules(&state, &AlertFilter { tag: Some("T1059".into()), ..all() }).len(), 8);
        for nothing in [
            AlertFilter { tag: Some("T9999".into()), ..all() },
            AlertFilter { node: Some("node-2".into()), ..all() },
            AlertFilter { cluster: Some("other".into()), ..all() },
            AlertFilter { namespace: Some("shop".into()), ..all() },
            AlertFilter { container: Some("cccc".into()), ..all() },
            AlertFilter { rule: Some("rule 3' OR 1=1 --".into()), ..all() },
        ] {
            assert!(rules(&state, &nothing).is_empty(), "{nothing:?}");
        }
    }

    #[test]
    fn the_alerts_since_a_moment_are_counted_by_priority() {
        let (_folder, state) = state();
        let expected = [(Priority::Informational, 1), (Priority::Debug, 1)];
        assert_eq!(counts(&state, Timestamp(7000)).unwrap(), expected);
    }

    #[test]
    fn a_pod_that_only_kubernetes_knows_is_found() {
        let (_folder, state) = state();
        let pod = KubernetesObject {
            kind: "Pod".into(),
            uid: "uid-1".into(),
            name: "web-7d9".into(),
            namespace: Some("shop".into()),
            containers: vec![KubernetesContainer {
                container_id: Some("c".repeat(64)),
                ..KubernetesContainer::default()
            }],
            ..KubernetesObject::default()
        };
        kubernetes::put(&state, &publisher(), &pod, Timestamp(1)).unwrap();
        let filter = AlertFilter { pod: Some("web-7d9".into()), ..AlertFilter::default() };
        assert_eq!(rules(&state, &filter), ["rule 2", "rule 1"]);
    }

    #[test]
    fn pages_join_without_a_gap_also_while_alerts_arrive() {
        let (_folder, state) = state();
        let first = page(&state, &AlertFilter::default(), None, 3).unwrap();
        let origin = Origin {
            publisher: &publisher(),
            source: SourceRow(1),
            sequence: 99,
            received_at: Timestamp::now(),
        };
        insert(&state, &origin, &alert("new", Priority::Notice, None)).unwrap();
        let second = page(&state, &AlertFilter::default(), first.next.as_ref(), 100).unwrap();
        let rules: Vec<_> = first
            .items
            .iter()
            .chain(&second.items)
            .map(|stored| stored.alert.rule.as_str())
            .collect();
        assert_eq!(
            rules,
            ["rule 8", "rule 7", "rule 6", "rule 5", "rule 4", "rule 3", "rule 2", "rule 1"]
        );
        assert_eq!(second.next, None);
    }
}
