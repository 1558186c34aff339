use super::body::Body;
use super::conditions::Conditions;
use super::container_key::ContainerKey;
use super::error::StoreError;
use super::page::{Page, PageBuilder};
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
    /// The container's id, which the act knows even where the alert does not have the container.
    pub container_id: Option<ContainerId>,
    /// The newest state of its container.
    pub container: Option<Container>,
    /// The container's pod as Kubernetes tells it.
    pub pod: Option<KubernetesObject>,
}

const SELECT: &str = "
    SELECT a.number, a.received_at, a.cluster, a.node, a.body, a.container, c.body, k.body, a.time
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
    let mut page = PageBuilder::new(limit);
    let sql = format!("{SELECT} {} {order} LIMIT ?", conditions.sql());
    let mut statement = state.prepare_cached(&sql)?;
    let values = conditions.values([Value::Integer(page.rows_wanted())]);
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        if !page.has_room() {
            return Ok(page.finish(true));
        }
        match read_row(row) {
            Ok((alert, cursor, bytes)) => page.push(alert, cursor, bytes),
            // One alert that the disk spoilt must not hide the others.
            Err(QueryError::Store(error)) => tracing::error!(%error, "an alert is skipped"),
            Err(error) => return Err(error),
        }
    }
    Ok(page.finish(false))
}

fn read_row(row: &Row<'_>) -> Result<(StoredAlert, AlertCursor, usize), QueryError> {
    let number = row.get(0)?;
    let body = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
    let container_id: Option<ContainerKey> = row.get(5)?;
    let alert = StoredAlert {
        number,
        received_at: timestamp(row.get(1)?),
        publisher: Publisher { cluster: row.get(2)?, node: row.get(3)? },
        alert: Alert::decode(body)?,
        container_id: container_id.map(|key| key.id().as_str().into()),
        container: optional_body(row, 6)?,
        pod: optional_body(row, 7)?,
    };
    let bytes = body.len() + length(row, 6)? + length(row, 7)?;
    Ok((alert, AlertCursor { time: row.get(8)?, number }, bytes))
}

/// How many bytes the record in a column has.
pub(crate) fn length(row: &Row<'_>, column: usize) -> rusqlite::Result<usize> {
    Ok(row.get_ref(column)?.as_blob_or_null()?.map_or(0, <[u8]>::len))
}

/// The record in a column that a join may have left empty.
pub(crate) fn optional_body<B: Body>(row: &Row<'_>, column: usize) -> Result<Option<B>, QueryError> {
    let bytes = row.get_ref(column)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    Ok(bytes.map(B::decode).transpose()?)
}

#[cfg(test)]
mod tests;
