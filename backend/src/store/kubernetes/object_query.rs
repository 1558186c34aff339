use crate::store::alert_query::QueryError;
use crate::store::body::Body;
use crate::store::conditions::Conditions;
use crate::store::page::{List, Page};
use crate::store::timestamp;
use event_model::{KubernetesObject, ObjectReference, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row};

/// Owners above an object: Pod, ReplicaSet, Deployment, and what an operator puts above that.
const MOST_OWNERS: usize = 8;

/// The clusters that objects are of: each one step in the index.
const CLUSTERS: &str = "WITH RECURSIVE known (cluster) AS (
    SELECT min(cluster) FROM kubernetes_objects
    UNION ALL
    SELECT (SELECT min(o.cluster) FROM kubernetes_objects o WHERE o.cluster > known.cluster)
    FROM known WHERE known.cluster IS NOT NULL)
    SELECT cluster FROM known WHERE cluster IS NOT NULL";

/// Which objects to list. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectFilter {
    /// Of this cluster.
    pub cluster: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this namespace.
    pub namespace: Option<String>,
    /// Of this name.
    pub name: Option<String>,
    /// With this label: `name=value`.
    pub label: Option<String>,
    /// That belong to this: its uid, or `Kind/name`.
    pub owner: Option<String>,
    /// On this node.
    pub node: Option<String>,
    /// With a container of this image: its digest or its reference.
    pub image: Option<String>,
    /// That are gone (true), or are there (false).
    pub deleted: Option<bool>,
}

/// An object's place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectCursor {
    /// Its kind.
    pub kind: String,
    /// Its namespace, or nothing.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: i64,
}

/// An object, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRecord {
    /// The cluster.
    pub cluster: String,
    /// As its greatest version tells it.
    pub object: KubernetesObject,
    /// When it was last told.
    pub seen: Timestamp,
    /// When it was told to be gone.
    pub deleted_at: Option<Timestamp>,
}

const COLUMNS: &str =
    "rowid, kind, ifnull(namespace, ''), name, cluster, seen, deleted_at, body, uid";

/// Objects that match, in order of kind, namespace and name, from the one after `after`.
pub(crate) fn page(
    state: &Connection,
    filter: &ObjectFilter,
    after: Option<&ObjectCursor>,
    limit: usize,
) -> Result<Page<ObjectRecord, ObjectCursor>, QueryError> {
    let list = List {
        select: &format!("SELECT {COLUMNS} FROM kubernetes_objects"),
        conditions: conditions(filter, after),
        order: "ORDER BY kind, ifnull(namespace, ''), name, rowid",
    };
    list.page(state, limit, read_place, read_row)
}

fn read_place(row: &Row<'_>) -> rusqlite::Result<ObjectCursor> {
    Ok(ObjectCursor {
        number: row.get(0)?,
        kind: row.get(1)?,
        namespace: row.get(2)?,
        name: row.get(3)?,
    })
}

fn conditions(filter: &ObjectFilter, after: Option<&ObjectCursor>) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.add_some("cluster = ?", filter.cluster.clone());
    conditions.add_some("kind = ?", filter.kind.clone());
    conditions.add_some("ifnull(namespace, '') = ?", filter.namespace.clone());
    conditions.add_some("name = ?", filter.name.clone());
    let label = filter.label.as_ref().map(|label| format!("\n{label}\n"));
    conditions.add_some("instr(labels, ?) > 0", label);
    if let Some(owner) = &filter.owner {
        let owner = Value::Text(owner.clone());
        conditions.add("owner_uid = ? OR owner = ?", [owner.clone(), owner]);
    }
    conditions.add_some("node = ?", filter.node.clone());
    if let Some(image) = &filter.image {
        let image = Value::Text(image.clone());
        conditions.add(
            "(cluster, uid) IN (SELECT cluster, uid FROM kubernetes_images WHERE key = ?
                UNION SELECT cluster, uid FROM kubernetes_images WHERE reference = ?)",
            [image.clone(), image],
        );
    }
    conditions.add_some("(deleted_at IS NOT NULL) = ?", filter.deleted.map(i64::from));
    if let Some(ObjectCursor { kind, namespace, name, number }) = after {
        let place = [kind, namespace, name].map(|text| Value::Text(text.clone()));
        conditions.add(
            "(kind, ifnull(namespace, ''), name, rowid) > (?, ?, ?, ?)",
            place.into_iter().chain([Value::Integer(*number)]),
        );
    }
    conditions
}

/// The object of this uid. Those of several clusters have the same by no chance but a copy's.
pub(crate) fn by_uid(
    state: &Connection,
    cluster: Option<&str>,
    uid: &str,
) -> Result<Option<ObjectRecord>, QueryError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM kubernetes_objects
         WHERE cluster IN ({CLUSTERS}) AND uid = ?1 AND cluster = coalesce(?2, cluster) LIMIT 1"
    );
    let mut statement = state.prepare_cached(&sql)?;
    let mut rows = statement.query((uid, cluster))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(read_row(row)?.0))
}

/// What an object belongs to, and what that belongs to: the last is the root, such as the Deployment of a pod. An owner of
/// which nothing was told ends it.
pub(crate) fn owners(
    state: &Connection,
    cluster: &str,
    uid: &str,
) -> rusqlite::Result<Vec<ObjectReference>> {
    let mut owners: Vec<ObjectReference> = Vec::new();
    let mut next = owner(state, cluster, uid)?;
    while let Some(found) = next {
        // Owners in a ring are somebody's joke.
        if owners.len() == MOST_OWNERS || owners.iter().any(|known| known.uid == found.uid) {
            break;
        }
        next = owner(state, cluster, &found.uid)?;
        owners.push(found);
    }
    Ok(owners)
}

fn owner(
    state: &Connection,
    cluster: &str,
    uid: &str,
) -> rusqlite::Result<Option<ObjectReference>> {
    let found = state
        .prepare_cached(
            "SELECT owner, owner_uid, namespace FROM kubernetes_objects
             WHERE cluster = ?1 AND uid = ?2 AND owner_uid IS NOT NULL",
        )?
        .query_row((cluster, uid), |row| {
            let owner: String = row.get(0)?;
            let (kind, name) = owner.split_once('/').unwrap_or(("", &owner));
            let (kind, name) = (kind.to_owned(), name.to_owned());
            let (uid, namespace) = (row.get(1)?, row.get(2)?);
            Ok(ObjectReference { api_version: String::new(), kind, namespace, name, uid })
        })
        .optional()?;
    let Some(mut found) = found else { return Ok(None) };
    // A node owns no namespace: what is known of the owner itself counts.
    let known: Option<(Option<String>, Vec<u8>)> = state
        .prepare_cached(
            "SELECT namespace, body FROM kubernetes_objects WHERE cluster = ?1 AND uid = ?2",
        )?
        .query_row((cluster, &found.uid), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((namespace, body)) = known {
        found.namespace = namespace;
        found.api_version =
            KubernetesObject::decode(&body).map_or_else(|_| String::new(), |it| it.api_version);
    }
    Ok(Some(found))
}

fn read_row(row: &Row<'_>) -> Result<(ObjectRecord, usize), QueryError> {
    let body = row.get_ref(7)?.as_blob().map_err(rusqlite::Error::from)?;
    let mut object = KubernetesObject::decode(body)?;
    let deleted_at = row.get::<_, Option<i64>>(6)?.map(timestamp);
    object.deleted = deleted_at.is_some();
    object.uid = row.get(8)?;
    let record =
        ObjectRecord { cluster: row.get(4)?, object, seen: timestamp(row.get(5)?), deleted_at };
    Ok((record, body.len()))
}
