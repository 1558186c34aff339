use super::content::decompress;
use super::difference::Difference;
use crate::store::alert_query::{QueryError, optional_body};
use crate::store::conditions::Conditions;
use crate::store::page::{List, Page};
use crate::store::{AlertCursor, moment, timestamp};
use event_model::{KubernetesObject, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use std::str::FromStr;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was told for the first time.
    Added,
    /// Its content is another.
    Modified,
    /// It is gone.
    Deleted,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Added, Self::Modified, Self::Deleted];

    /// As in the log and in queries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
        }
    }
}

impl FromStr for Change {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|change| change.name() == name).ok_or(())
    }
}

/// Which changes to list. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeFilter {
    /// Observed at this moment or later.
    pub since: Option<Timestamp>,
    /// Observed before this moment.
    pub until: Option<Timestamp>,
    /// Of this cluster.
    pub cluster: Option<String>,
    /// Of an object of this kind.
    pub kind: Option<String>,
    /// Of an object in this namespace.
    pub namespace: Option<String>,
    /// Of an object of this name.
    pub name: Option<String>,
    /// Of the object of this uid.
    pub uid: Option<String>,
    /// Of this kind of change.
    pub change: Option<Change>,
}

/// A change's place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeCursor(pub AlertCursor);

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRecord {
    /// The cluster.
    pub cluster: String,
    /// What became of it.
    pub change: Change,
    /// The object's kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The first version with this content.
    pub resource_version: String,
    /// When the backend first heard of it.
    pub observed_at: Timestamp,
    /// In what it differs from the content before.
    pub difference: Difference,
    /// The object from then on. None: it is gone, or the store had no room for it any more.
    pub object: Option<KubernetesObject>,
}

/// Changes that match, the latest observed first, from the one after `after`.
pub(crate) fn page(
    state: &Connection,
    filter: &ChangeFilter,
    after: Option<&ChangeCursor>,
    limit: usize,
) -> Result<Page<ChangeRecord, ChangeCursor>, QueryError> {
    let list = List {
        select: "SELECT c.observed_at, c.number, c.cluster, c.change, c.kind, c.namespace, c.name, c.uid,
                c.resource_version, c.parts, c.content,
                CASE WHEN c.content IS NULL AND c.change <> 'deleted' THEN o.body END
             FROM kubernetes_changes c
             LEFT JOIN kubernetes_objects o ON o.cluster = c.cluster AND o.uid = c.uid",
        conditions: conditions(filter, after),
        order: "ORDER BY c.observed_at DESC, c.number DESC",
    };
    list.page(state, limit, |row| AlertCursor::of_row(row).map(ChangeCursor), read_row)
}

fn conditions(filter: &ChangeFilter, after: Option<&ChangeCursor>) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.add_some("c.observed_at >= ?", filter.since.map(moment));
    conditions.add_some("c.observed_at < ?", filter.until.map(moment));
    conditions.add_some("c.cluster = ?", filter.cluster.clone());
    conditions.add_some("c.kind = ?", filter.kind.clone());
    conditions.add_some("c.namespace = ?", filter.namespace.clone());
    conditions.add_some("c.name = ?", filter.name.clone());
    conditions.add_some("c.uid = ?", filter.uid.clone());
    conditions.add_some("c.change = ?", filter.change.map(|change| change.name().to_owned()));
    if let Some(ChangeCursor(AlertCursor { time, number })) = after {
        let place = [*time, *number].map(Value::Integer);
        conditions.add("(c.observed_at, c.number) < (?, ?)", place);
    }
    conditions
}

fn read_row(row: &Row<'_>) -> Result<(ChangeRecord, usize), QueryError> {
    let content = row.get_ref(10)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let bytes = content.map_or(0, <[u8]>::len) + crate::store::alert_query::length(row, 11)?;
    // A content that the disk spoilt hides itself, and nothing else.
    let object = match content {
        Some(content) => decompress(content).ok(),
        None => optional_body(row, 11).ok().flatten(),
    };
    let change: String = row.get(3)?;
    let parts: String = row.get(9)?;
    let record = ChangeRecord {
        observed_at: timestamp(row.get(0)?),
        cluster: row.get(2)?,
        change: change.parse().unwrap_or(Change::Modified),
        kind: row.get(4)?,
        namespace: row.get(5)?,
        name: row.get(6)?,
        uid: row.get(7)?,
        resource_version: row.get(8)?,
        difference: serde_json::from_str(&parts).unwrap_or_default(),
        object,
    };
    Ok((record, bytes))
}
