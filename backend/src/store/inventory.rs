//! What is there on nodes and in images: the present state, no history.

use super::alert_query::QueryError;
use super::body::Body;
use super::conditions::Conditions;
use super::container_key::ContainerKey;
use super::page::{List, Page};
use super::publisher::Publisher;
use super::{moment, timestamp};
use event_model::{Inventory, InventoryItem, InventoryKind, InventorySubject, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};

/// Takes a change. The end of a snapshot removes what was not in it, where all of it has arrived.
pub(crate) fn put(
    state: &Connection,
    publisher: &Publisher,
    inventory: &Inventory,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let place = Place { state, publisher, image: image(&inventory.subject), kind: inventory.kind };
    for item in &inventory.changed {
        place.put(item, inventory.scanned_at, now)?;
    }
    for id in &inventory.removed {
        place.remove(id.as_bytes())?;
    }
    if let Some(items) = inventory.snapshot_items {
        place.end_snapshot(inventory.scanned_at, items)?;
    }
    let is_less = inventory.snapshot_items.is_some() || !inventory.removed.is_empty();
    if inventory.kind == InventoryKind::Images && is_less {
        forget_contents(state, publisher)?;
    }
    Ok(())
}

fn image(subject: &InventorySubject) -> &str {
    match subject {
        InventorySubject::Node | InventorySubject::Cluster => "",
        InventorySubject::Image(key) => key,
    }
}

/// The items of one kind of a node or image.
struct Place<'a> {
    state: &'a Connection,
    publisher: &'a Publisher,
    image: &'a str,
    kind: InventoryKind,
}

impl Place<'_> {
    fn put(
        &self,
        item: &InventoryItem,
        scanned_at: Timestamp,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let columns = columns(item);
        self.state
            .prepare_cached(
                "INSERT INTO inventory (cluster, node, image, kind, id, name, class, detail, value, container,
                    scanned_at, first_seen, seen, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13)
                 ON CONFLICT DO UPDATE SET name = ?6, class = ?7, detail = ?8, value = ?9, container = ?10,
                    scanned_at = ?11, seen = ?12, body = ?13",
            )?
            .execute(rusqlite::params![
                self.publisher.cluster,
                self.publisher.node,
                self.image,
                self.kind.name(),
                item.id().as_bytes(),
                columns.name,
                columns.class,
                columns.detail,
                columns.value,
                columns.container,
                moment(scanned_at),
                moment(now),
                item.encode(),
            ])?;
        Ok(())
    }

    fn remove(&self, id: &[u8; 16]) -> rusqlite::Result<()> {
        self.state
            .prepare_cached(
                "DELETE FROM inventory
                 WHERE cluster = ?1 AND node = ?2 AND image = ?3 AND kind = ?4 AND id = ?5",
            )?
            .execute((
                &self.publisher.cluster,
                &self.publisher.node,
                self.image,
                self.kind.name(),
                id,
            ))?;
        Ok(())
    }

    /// Parts of a snapshot may be lost on their way: then nothing is known to be gone.
    fn end_snapshot(&self, scanned_at: Timestamp, items: u64) -> rusqlite::Result<()> {
        let key = (
            &self.publisher.cluster,
            &self.publisher.node,
            self.image,
            self.kind.name(),
            moment(scanned_at),
        );
        let arrived: i64 = self
            .state
            .prepare_cached(
                "SELECT count(*) FROM inventory
                 WHERE cluster = ?1 AND node = ?2 AND image = ?3 AND kind = ?4 AND scanned_at = ?5",
            )?
            .query_row(key, |row| row.get(0))?;
        if arrived.cast_unsigned() < items {
            return Ok(());
        }
        self.state
            .prepare_cached(
                "DELETE FROM inventory
                 WHERE cluster = ?1 AND node = ?2 AND image = ?3 AND kind = ?4 AND scanned_at <> ?5",
            )?
            .execute(key)?;
        Ok(())
    }
}

/// What is in an image goes with it.
fn forget_contents(state: &Connection, publisher: &Publisher) -> rusqlite::Result<()> {
    state
        .prepare_cached(
            "DELETE FROM inventory WHERE cluster = ?1 AND node = ?2 AND image <> '' AND image NOT IN (
                SELECT class FROM inventory
                WHERE cluster = ?1 AND node = ?2 AND image = '' AND kind = 'images')",
        )?
        .execute((&publisher.cluster, &publisher.node))?;
    Ok(())
}

/// What lists are filtered by.
struct Columns<'a> {
    /// A package, the reference of an image, the process of a port, a user.
    name: &'a str,
    /// Package manager, key of an image, protocol, state of a password.
    class: &'a str,
    /// The version of a package.
    detail: &'a str,
    /// Port or user id.
    value: Option<i64>,
    /// The container of a port.
    container: Option<ContainerKey>,
}

fn columns(item: &InventoryItem) -> Columns<'_> {
    let plain = Columns { name: "", class: "", detail: "", value: None, container: None };
    match item {
        InventoryItem::Package(package) => Columns {
            name: &package.name,
            class: package.manager.name(),
            detail: &package.version,
            ..plain
        },
        InventoryItem::Image(image) => Columns {
            name: image.reference.as_ref().unwrap_or(&image.key),
            class: &image.key,
            ..plain
        },
        InventoryItem::ListeningPort(port) => Columns {
            name: port.process_name.as_deref().unwrap_or_default(),
            class: port.protocol.name(),
            value: Some(port.port.into()),
            container: port.container.as_ref().map(|id| ContainerKey::from(&*id.0)),
            ..plain
        },
        InventoryItem::User(user) => Columns {
            name: &user.name,
            class: user.password.name(),
            value: Some(user.uid.into()),
            ..plain
        },
        // Of clusters, which have tables of their own.
        InventoryItem::Finding(_) | InventoryItem::Cluster(_) => plain,
    }
}

/// Which items to list. All that is given must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryFilter {
    /// Of this kind.
    pub kind: InventoryKind,
    /// Of this cluster.
    pub cluster: Option<String>,
    /// On this node.
    pub node: Option<String>,
    /// In the image of this key, its digest most often. For images themselves: of this key or reference.
    pub image: Option<String>,
    /// On nodes themselves (true) or in images (false).
    pub of_node: Option<bool>,
    /// Package, process or user.
    pub name: Option<String>,
    /// Package manager, protocol, or state of a password.
    pub class: Option<String>,
    /// Version of a package.
    pub version: Option<String>,
    /// Port, or user id.
    pub value: Option<i64>,
    /// In the container of this id, or of these first digits of it.
    pub container: Option<String>,
}

impl InventoryFilter {
    /// All of a kind.
    pub const fn all(kind: InventoryKind) -> Self {
        Self {
            kind,
            cluster: None,
            node: None,
            image: None,
            of_node: None,
            name: None,
            class: None,
            version: None,
            value: None,
            container: None,
        }
    }
}

/// An item's place in its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryCursor {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: i64,
}

/// An item, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryRecord {
    /// Who told.
    pub publisher: Publisher,
    /// The image that it is in. None: it is of the node itself.
    pub image: Option<String>,
    /// When it was first told.
    pub first_seen: Timestamp,
    /// When it was last told to be so.
    pub last_changed: Timestamp,
    /// The item.
    pub item: InventoryItem,
}

/// Items that match, in order of their names, from the one after `after`.
pub(crate) fn page(
    state: &Connection,
    filter: &InventoryFilter,
    after: Option<&InventoryCursor>,
    limit: usize,
) -> Result<Page<InventoryRecord, InventoryCursor>, QueryError> {
    let list = List {
        select: "SELECT number, name, cluster, node, image, first_seen, seen, body FROM inventory",
        conditions: conditions(filter, after),
        order: "ORDER BY name, number",
    };
    let place = |row: &Row<'_>| Ok(InventoryCursor { name: row.get(1)?, number: row.get(0)? });
    list.page(state, limit, place, read_row)
}

fn conditions(filter: &InventoryFilter, after: Option<&InventoryCursor>) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.add_some("kind = ?", Some(filter.kind.name().to_owned()));
    conditions.add_some("cluster = ?", filter.cluster.clone());
    conditions.add_some("node = ?", filter.node.clone());
    match (&filter.image, filter.kind) {
        (Some(image), InventoryKind::Images) => {
            let image = Value::Text(image.clone());
            conditions.add("class = ? OR name = ?", [image.clone(), image]);
        }
        (image, _) => conditions.add_some("image = ?", image.clone()),
    }
    conditions.add_some("(image = '') = ?", filter.of_node.map(i64::from));
    conditions.add_some("name = ?", filter.name.clone());
    conditions.add_some("class = ?", filter.class.clone());
    conditions.add_some("detail = ?", filter.version.clone());
    conditions.add_some("value = ?", filter.value);
    if let Some(container) = &filter.container {
        match ContainerKey::range(container) {
            Some((first, last)) => conditions.add(
                "container BETWEEN ? AND ?",
                [Value::Blob(first.into()), Value::Blob(last.into())],
            ),
            None => conditions.add_some("container = ?", Some(container.clone())),
        }
    }
    if let Some(InventoryCursor { name, number }) = after {
        let place = [Value::Text(name.clone()), Value::Integer(*number)];
        conditions.add("(name, number) > (?, ?)", place);
    }
    conditions
}

fn read_row(row: &Row<'_>) -> Result<(InventoryRecord, usize), QueryError> {
    let body = row.get_ref(7)?.as_blob().map_err(rusqlite::Error::from)?;
    let image: String = row.get(4)?;
    let record = InventoryRecord {
        publisher: Publisher { cluster: row.get(2)?, node: row.get(3)? },
        image: Some(image).filter(|image| !image.is_empty()),
        first_seen: timestamp(row.get(5)?),
        last_changed: timestamp(row.get(6)?),
        item: InventoryItem::decode(body)?,
    };
    Ok((record, body.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;
    use event_model::{Image, ListeningPort, Package, PackageManager, TransportProtocol};

    fn package(name: &str, version: &str) -> InventoryItem {
        InventoryItem::Package(Package {
            manager: PackageManager::Dpkg,
            name: name.into(),
            version: version.into(),
            architecture: None,
            source: None,
            path: None,
        })
    }

    fn image_item(key: &str) -> InventoryItem {
        let (key, reference) = (key.to_owned(), Some(format!("registry/{key}")));
        InventoryItem::Image(Image { key, reference, ..Image::default() })
    }

    fn change(subject: InventorySubject, changed: Vec<InventoryItem>) -> Inventory {
        Inventory {
            subject,
            kind: changed[0].kind(),
            scanned_at: Timestamp(1),
            changed,
            removed: vec![],
            snapshot_items: None,
        }
    }

    fn names(state: &Connection, filter: &InventoryFilter) -> Vec<String> {
        let page = page(state, filter, None, 100).unwrap();
        let name = |record: InventoryRecord| match record.item {
            InventoryItem::Package(package) => format!("{} {}", package.name, package.version),
            InventoryItem::Image(image) => image.key,
            other => panic!("{other:?}"),
        };
        page.items.into_iter().map(name).collect()
    }

    const PACKAGES: InventoryFilter = InventoryFilter::all(InventoryKind::Packages);

    #[test]
    fn changes_are_applied_to_what_is_there() {
        let (_folder, state) = testing::state();
        let publisher = testing::publisher();
        let first = change(InventorySubject::Node, vec![package("b", "1"), package("a", "1")]);
        put(&state, &publisher, &first, Timestamp(1)).unwrap();
        let mut second = change(InventorySubject::Node, vec![package("a", "2")]);
        second.removed = vec![package("a", "1").id()];
        put(&state, &publisher, &second, Timestamp(2)).unwrap();
        assert_eq!(names(&state, &PACKAGES), ["a 2", "b 1"]);
    }

    #[test]
    fn the_end_of_a_whole_snapshot_removes_what_was_not_in_it() {
        let (_folder, state) = testing::state();
        let publisher = testing::publisher();
        let before = change(InventorySubject::Node, vec![package("gone", "1"), package("a", "1")]);
        put(&state, &publisher, &before, Timestamp(1)).unwrap();
        let mut snapshot = change(InventorySubject::Node, vec![package("a", "1")]);
        snapshot.scanned_at = Timestamp(2);
        snapshot.snapshot_items = Some(2);
        put(&state, &publisher, &snapshot, Timestamp(2)).unwrap();
        assert_eq!(names(&state, &PACKAGES), ["a 1", "gone 1"], "a part of it was lost");
        snapshot.snapshot_items = Some(1);
        put(&state, &publisher, &snapshot, Timestamp(3)).unwrap();
        assert_eq!(names(&state, &PACKAGES), ["a 1"]);
    }

    #[test]
    fn what_is_in_an_image_goes_with_it() {
        let (_folder, state) = testing::state();
        let publisher = testing::publisher();
        let images =
            change(InventorySubject::Node, vec![image_item("sha256:a"), image_item("sha256:b")]);
        put(&state, &publisher, &images, Timestamp(1)).unwrap();
        for key in ["sha256:a", "sha256:b"] {
            let contents = change(InventorySubject::Image(key.into()), vec![package(key, "1")]);
            put(&state, &publisher, &contents, Timestamp(1)).unwrap();
        }
        let of_node = change(InventorySubject::Node, vec![package("of the node", "1")]);
        put(&state, &publisher, &of_node, Timestamp(1)).unwrap();
        let in_b = InventoryFilter { image: Some("sha256:b".into()), ..PACKAGES };
        assert_eq!(names(&state, &in_b), ["sha256:b 1"]);
        let gone = Inventory {
            changed: vec![],
            removed: vec![image_item("sha256:a").id()],
            ..change(InventorySubject::Node, vec![image_item("any")])
        };
        put(&state, &publisher, &gone, Timestamp(2)).unwrap();
        assert_eq!(names(&state, &PACKAGES), ["of the node 1", "sha256:b 1"]);
        let images = InventoryFilter::all(InventoryKind::Images);
        assert_eq!(names(&state, &images), ["sha256:b"]);
        let by_reference = InventoryFilter { image: Some("registry/sha256:b".into()), ..images };
        assert_eq!(names(&state, &by_reference), ["sha256:b"]);
        let on_nodes = InventoryFilter { of_node: Some(true), ..PACKAGES };
        assert_eq!(names(&state, &on_nodes), ["of the node 1"]);
    }

    #[test]
    fn pages_follow_each_other_without_a_gap_or_an_overlap() {
        let (_folder, state) = testing::state();
        let packages = (0..25).map(|n| package(&format!("p{}", n % 3), &n.to_string())).collect();
        let all = change(InventorySubject::Node, packages);
        put(&state, &testing::publisher(), &all, Timestamp(1)).unwrap();
        let (mut after, mut seen) = (None, vec![]);
        loop {
            let found = page(&state, &PACKAGES, after.as_ref(), 4).unwrap();
            seen.extend(found.items.into_iter().map(|record| record.item.id()));
            after = found.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 25);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 25);
    }

    #[test]
    fn ports_are_found_by_number_protocol_process_and_container() {
        let (_folder, state) = testing::state();
        let id = testing::container_id('a');
        let port = InventoryItem::ListeningPort(ListeningPort {
            protocol: TransportProtocol::Tcp,
            address: [0, 0, 0, 0].into(),
            port: 8080,
            network_namespace: 1,
            uid: 0,
            process: None,
            process_name: Some("nginx".into()),
            executable: None,
            container: Some(id.clone()),
        });
        let all = change(InventorySubject::Node, vec![port]);
        put(&state, &testing::publisher(), &all, Timestamp(1)).unwrap();
        let ports = InventoryFilter::all(InventoryKind::ListeningPorts);
        let count = |filter| page(&state, &filter, None, 10).unwrap().items.len();
        let matching = InventoryFilter {
            value: Some(8080),
            class: Some("tcp".into()),
            name: Some("nginx".into()),
            container: Some(id.short().to_owned()),
            ..ports.clone()
        };
        assert_eq!(count(matching.clone()), 1);
        for other in [
            InventoryFilter { value: Some(80), ..matching.clone() },
            InventoryFilter { class: Some("udp".into()), ..matching.clone() },
            InventoryFilter { container: Some("b".repeat(12)), ..matching.clone() },
            InventoryFilter { node: Some("another".into()), ..matching },
        ] {
            assert_eq!(count(other), 0);
        }
    }
}
