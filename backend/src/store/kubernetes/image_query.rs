use super::object_query::owners;
use crate::store::alert_query::QueryError;
use crate::store::conditions::Conditions;
use crate::store::page::{List, Page};
use event_model::ObjectReference;
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use std::collections::BTreeMap;

/// Places that are told of one image: namespaces and what its pods belong to there.
const MOST_PLACES: usize = 100;
/// What pods of one image belong to directly: a Deployment has had many ReplicaSets, and one or two with pods.
const MOST_OWNERS: i64 = 1000;

/// Which images to list. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFilter {
    /// In this cluster.
    pub cluster: Option<String>,
    /// In this namespace.
    pub namespace: Option<String>,
    /// On this node.
    pub node: Option<String>,
    /// Of this digest or reference.
    pub image: Option<String>,
}

/// An image's place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageCursor(pub String);

/// An image, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRecord {
    /// Its digest; what it was asked for by where none is known.
    pub key: String,
    /// What it was asked for by.
    pub references: Vec<String>,
    /// How many pods have it.
    pub pods: u64,
    /// In how many namespaces, those of each cluster by themselves.
    pub namespaces: u64,
    /// Where, the most pods first.
    pub places: Vec<ImagePlace>,
}

/// Pods of one image that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePlace {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: Option<String>,
    /// The root of what the pods belong to, such as a Deployment. None: they stand by themselves.
    pub workload: Option<ObjectReference>,
    /// How many pods.
    pub pods: u64,
}

/// Images that pods have which are there, by their keys, from the one after `after`.
pub(crate) fn page(
    state: &Connection,
    filter: &ImageFilter,
    after: Option<&ImageCursor>,
    limit: usize,
) -> Result<Page<ImageRecord, ImageCursor>, QueryError> {
    let mut conditions = conditions(filter);
    conditions.add_some("i.key > ?", after.map(|ImageCursor(key)| key.clone()));
    let list = List {
        // Images first (CROSS JOIN), in the order of their keys: a page ends without looking at all pods.
        select: "SELECT i.key, json_group_array(DISTINCT i.reference), count(DISTINCT o.rowid),
                count(DISTINCT o.cluster || '/' || ifnull(o.namespace, ''))
             FROM kubernetes_images i INDEXED BY kubernetes_images_by_key
             CROSS JOIN kubernetes_objects o ON o.cluster = i.cluster AND o.uid = i.uid",
        conditions,
        order: "GROUP BY i.key ORDER BY i.key",
    };
    let place = |row: &Row<'_>| row.get(0).map(ImageCursor);
    list.page(state, limit, place, |row| read_row(state, filter, row))
}

fn read_row(
    state: &Connection,
    filter: &ImageFilter,
    row: &Row<'_>,
) -> Result<(ImageRecord, usize), QueryError> {
    let key: String = row.get(0)?;
    let references: String = row.get(1)?;
    let record = ImageRecord {
        references: serde_json::from_str(&references).unwrap_or_default(),
        pods: row.get(2)?,
        namespaces: row.get(3)?,
        places: places(state, filter, &key)?,
        key,
    };
    Ok((record, references.len()))
}

fn conditions(filter: &ImageFilter) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.add("o.kind = 'Pod' AND o.deleted_at IS NULL", []);
    conditions.add_some("o.cluster = ?", filter.cluster.clone());
    conditions.add_some("o.namespace = ?", filter.namespace.clone());
    conditions.add_some("o.node = ?", filter.node.clone());
    if let Some(image) = &filter.image {
        let image = Value::Text(image.clone());
        conditions.add("i.key = ? OR i.reference = ?", [image.clone(), image]);
    }
    conditions
}

/// Where pods of an image are, told by the roots of what they belong to.
fn places(
    state: &Connection,
    filter: &ImageFilter,
    key: &str,
) -> Result<Vec<ImagePlace>, QueryError> {
    let mut conditions = conditions(filter);
    conditions.add("i.key = ?", [Value::Text(key.to_owned())]);
    let sql = format!(
        "SELECT o.cluster, o.namespace, o.owner_uid, count(DISTINCT o.rowid), min(o.uid)
         FROM kubernetes_images i
         JOIN kubernetes_objects o ON o.cluster = i.cluster AND o.uid = i.uid {}
         GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT ?",
        conditions.sql()
    );
    let mut statement = state.prepare_cached(&sql)?;
    let values = conditions.values([Value::Integer(MOST_OWNERS)]);
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut places = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let cluster: String = row.get(0)?;
        let pod: String = row.get(4)?;
        let root = owners(state, &cluster, &pod)?.pop();
        let namespace: Option<String> = row.get(1)?;
        *places.entry((cluster, namespace, root)).or_default() += row.get::<_, u64>(3)?;
    }
    let place =
        |((cluster, namespace, workload), pods)| ImagePlace { cluster, namespace, workload, pods };
    let mut places: Vec<ImagePlace> = places.into_iter().map(place).collect();
    places.sort_by_key(|place| std::cmp::Reverse(place.pods));
    places.truncate(MOST_PLACES);
    Ok(places)
}
