use super::version::UNKNOWN;
use crate::store::body::Body;
use crate::store::container_key::ContainerKey;
use crate::store::moment;
use event_model::{KubernetesObject, OwnerReference, Timestamp};
use rusqlite::{Connection, OptionalExtension};

/// Containers of a pod that are joined to it: more than the API server admits in practice.
const MOST_CONTAINERS: usize = 256;

/// One object's rows.
pub(super) struct Place<'a> {
    pub(super) state: &'a Connection,
    pub(super) cluster: &'a str,
    pub(super) uid: &'a str,
}

/// An object as it is.
pub(super) struct Present {
    /// [`UNKNOWN`]: no state of it was told with one yet.
    pub(super) version: i64,
    pub(super) is_deleted: bool,
    pub(super) object: KubernetesObject,
}

impl Place<'_> {
    pub(super) fn read(&self) -> rusqlite::Result<Option<Present>> {
        self.state
            .prepare_cached(
                "SELECT version, deleted_at IS NOT NULL, body FROM kubernetes_objects
                 WHERE cluster = ?1 AND uid = ?2",
            )?
            .query_row((self.cluster, self.uid), |row| {
                let body = row.get_ref(2)?.as_blob()?;
                // What the disk spoilt is told anew by the next state.
                let object = KubernetesObject::decode(body).unwrap_or_default();
                Ok(Present { version: row.get(0)?, is_deleted: row.get(1)?, object })
            })
            .optional()
    }

    pub(super) fn insert(
        &self,
        object: &KubernetesObject,
        version: i64,
        deleted_at: Option<Timestamp>,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let owner = controller(object);
        self.state
            .prepare_cached(
                "INSERT INTO kubernetes_objects (cluster, uid, version, kind, namespace, name, node, owner, owner_uid,
                    labels, seen, deleted_at, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(rusqlite::params![
                self.cluster,
                self.uid,
                version,
                object.kind,
                object.namespace,
                object.name,
                object.node,
                owner.map(name),
                owner.map(|owner| &owner.uid),
                lines(object),
                moment(now),
                deleted_at.map(moment),
                object.encode(),
            ])?;
        self.put_containers(object)
    }

    pub(super) fn update(
        &self,
        object: &KubernetesObject,
        version: i64,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let owner = controller(object);
        self.state
            .prepare_cached(
                "UPDATE kubernetes_objects SET version = ?3, kind = ?4, namespace = ?5, name = ?6, node = ?7,
                    owner = ?8, owner_uid = ?9, labels = ?10, seen = ?11, body = ?12
                 WHERE cluster = ?1 AND uid = ?2",
            )?
            .execute(rusqlite::params![
                self.cluster,
                self.uid,
                version,
                object.kind,
                object.namespace,
                object.name,
                object.node,
                owner.map(name),
                owner.map(|owner| &owner.uid),
                lines(object),
                moment(now),
                object.encode(),
            ])?;
        self.state
            .prepare_cached("DELETE FROM kubernetes_images WHERE cluster = ?1 AND uid = ?2")?
            .execute((self.cluster, self.uid))?;
        self.put_containers(object)
    }

    /// Takes note that it was told again as it is.
    pub(super) fn seen(&self, now: Timestamp) -> rusqlite::Result<()> {
        self.state
            .prepare_cached(
                "UPDATE kubernetes_objects SET seen = ?3 WHERE cluster = ?1 AND uid = ?2",
            )?
            .execute((self.cluster, self.uid, moment(now)))?;
        Ok(())
    }

    /// Marks it as gone, for the alerts that refer to it.
    pub(super) fn delete(&self, now: Timestamp) -> rusqlite::Result<()> {
        self.state
            .prepare_cached(
                "UPDATE kubernetes_objects SET deleted_at = coalesce(deleted_at, ?3)
                 WHERE cluster = ?1 AND uid = ?2",
            )?
            .execute((self.cluster, self.uid, moment(now)))?;
        Ok(())
    }

    /// Which containers are its, and what runs in them.
    fn put_containers(&self, object: &KubernetesObject) -> rusqlite::Result<()> {
        let containers = || object.containers.iter().take(MOST_CONTAINERS);
        for id in containers().filter_map(|container| container.container_id.as_deref()) {
            self.state
                .prepare_cached("INSERT OR REPLACE INTO pod_containers (cluster, container, pod_uid) VALUES (?1, ?2, ?3)")?
                .execute((self.cluster, ContainerKey::from(id), self.uid))?;
        }
        for container in containers() {
            let key = image_key(container.image_id.as_deref(), &container.image);
            if key.is_empty() {
                continue;
            }
            self.state
                .prepare_cached("INSERT OR IGNORE INTO kubernetes_images (cluster, uid, key, reference) VALUES (?1, ?2, ?3, ?4)")?
                .execute((self.cluster, self.uid, key, &container.image))?;
        }
        Ok(())
    }
}

/// The digest of an image, where its id tells one; else the id, else its reference.
fn image_key<'a>(id: Option<&'a str>, reference: &'a str) -> &'a str {
    match id.filter(|id| !id.is_empty()) {
        Some(id) => id.rsplit_once('@').map_or(id, |(_, digest)| digest),
        None => reference,
    }
}

/// The owner that controls it.
fn controller(object: &KubernetesObject) -> Option<&OwnerReference> {
    object.owners.iter().find(|owner| owner.controller).or(object.owners.first())
}

fn name(owner: &OwnerReference) -> String {
    format!("{}/{}", owner.kind, owner.name)
}

/// Labels as a text that can be searched for one of them.
fn lines(object: &KubernetesObject) -> String {
    let line = |(name, value): (&String, &String)| format!("{name}={value}\n");
    let lines: String = object.labels.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

const _: () = assert!(UNKNOWN < 0, "the schema's default");
