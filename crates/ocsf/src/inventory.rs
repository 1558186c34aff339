//! What is there, as the schema's discovery events: an item each.

use crate::class::{Activity, Class};
use crate::class::{
    COLLECT, DEVICE_INVENTORY, ENTITY_MANAGEMENT, LIVE_EVIDENCE, OTHER, RESOURCES_INVENTORY,
    SOFTWARE_INVENTORY, USER_INVENTORY, metadata,
};
use crate::entities::Entities;
use crate::finding::Source;
use crate::object::{Choice, Object, milliseconds};
use crate::resource::{AFFECTED, labels, resource};
use crate::scene::{INFORMATIONAL, credentials, node, pod_of};
use crate::{container, network, posture, process};
use event_model::{
    ClusterFacts, Container, Host, Image, Inventory, InventoryItem, InventoryKind,
    InventorySubject, KubernetesObject, ListeningPort, OwnerReference, Package, PackageManager,
    PasswordState, Process, SourceId, Timestamp, TransportProtocol, UserAccount,
};
use serde_json::Value;
use std::net::SocketAddr;
use uuid::Uuid;

/// Where inventory comes from, for `metadata.log_name`.
const LOG: &str = "inventory";

const QUERY: Activity<'static> = (1, "Query");
const DELETE: Activity<'static> = (4, "Delete");
const EXISTS: Choice = (1, "Exists");
const LISTEN: u32 = 10;

/// What tells an inventory: who, when, of which node.
struct Scan<'a> {
    host: Option<std::sync::Arc<Host>>,
    source: &'a Source<'a>,
    time: Timestamp,
    code: &'static str,
}

impl Scan<'_> {
    fn begin(&self, class: Class, activity: Activity<'_>, contained: bool) -> Object {
        let (version, time) = (self.source.version, self.time);
        class
            .event(activity, time, INFORMATIONAL)
            .with("metadata", metadata(version, self.code, LOG, time, contained))
            .with("device", node(self.host.as_deref(), self.source))
    }
}

/// Each item that is new or other than it was, and each that is gone.
pub fn of_inventory(
    inventory: &Inventory,
    id: SourceId,
    entities: &mut Entities,
    source: &Source<'_>,
) -> Vec<Value> {
    let code = inventory.kind.name();
    let scan = Scan { host: entities.host(id), source, time: inventory.scanned_at, code };
    let image = match &inventory.subject {
        InventorySubject::Node | InventorySubject::Cluster => None,
        InventorySubject::Image(key) => Some(key.as_str()),
    };
    let changed = inventory.changed.iter().map(|item| of_item(&scan, item, image));
    let removed = inventory.removed.iter().map(|gone| match inventory.kind {
        InventoryKind::Findings => posture::of_resolved(*gone, scan.time, source),
        _ => of_removed(&scan, *gone, image),
    });
    changed.chain(removed).collect()
}

fn of_item(scan: &Scan<'_>, item: &InventoryItem, image: Option<&str>) -> Value {
    let (event, unmapped) = match item {
        InventoryItem::Package(package) => of_package(scan, package),
        InventoryItem::Image(image) => of_image(scan, image),
        InventoryItem::ListeningPort(port) => of_port(scan, port),
        InventoryItem::User(user) => of_user(scan, user),
        InventoryItem::Cluster(facts) => of_cluster(scan, facts),
        InventoryItem::Finding(finding) => {
            return posture::of_finding(finding, item.id(), scan.time, scan.source);
        }
    };
    let unmapped = unmapped.with("item_uid", item.id().to_string()).with_some("image", image);
    event.with("unmapped", unmapped).into()
}

fn of_removed(scan: &Scan<'_>, item: Uuid, image: Option<&str>) -> Value {
    let entity =
        Object::new().with("uid", item.to_string()).with_choice("type", (OTHER, scan.code));
    let unmapped = Object::new().with("item_uid", item.to_string()).with_some("image", image);
    scan.begin(ENTITY_MANAGEMENT, DELETE, false)
        .with("entity", entity)
        .with("unmapped", unmapped)
        .into()
}

fn of_package(scan: &Scan<'_>, package: &Package) -> (Object, Object) {
    let kind = match package.manager {
        PackageManager::Dpkg | PackageManager::Apk | PackageManager::Rpm => (2, "Operating System"),
        PackageManager::Npm | PackageManager::Python => (1, "Application"),
    };
    let or_unknown = |text: &str| if text.is_empty() { "unknown" } else { text }.to_owned();
    let (name, version) = (or_unknown(&package.name), or_unknown(&package.version));
    // The schema asks for what the package is made of, and that is the package itself.
    let component = Object::new().with("name", name.clone()).with("version", version.clone());
    let told = Object::new()
        .with("name", name)
        .with("version", version)
        .with("package_manager", package.manager.name())
        .with_some("architecture", package.architecture.clone())
        .with_choice("type", kind);
    let sbom = Object::new()
        .with("package", told)
        .with("software_components", vec![Value::from(component)]);
    let unmapped = Object::new()
        .with_some("source_package", package.source.clone())
        .with_some("path", package.path.clone());
    (scan.begin(SOFTWARE_INVENTORY, COLLECT, false).with("sbom", sbom), unmapped)
}

fn of_image(scan: &Scan<'_>, image: &Image) -> (Object, Object) {
    let resource = resource("Container Image", AFFECTED)
        .with("uid", image.digest.as_deref().unwrap_or(&image.key))
        .with_some("name", image.reference.clone());
    let containers: Vec<Value> = image.containers.iter().map(|id| Value::from(&*id.0)).collect();
    let unmapped = Object::new()
        .with("key", image.key.as_str())
        .with_some("operating_system", image.operating_system.clone())
        .with("containers", containers)
        .with("container_count", image.container_count);
    let event = scan.begin(RESOURCES_INVENTORY, COLLECT, false);
    (event.with("resources", vec![Value::from(resource)]), unmapped)
}

fn of_port(scan: &Scan<'_>, port: &ListeningPort) -> (Object, Object) {
    let number = match port.protocol {
        TransportProtocol::Tcp => network::TCP,
        TransportProtocol::Udp => network::UDP,
    };
    let address = SocketAddr::new(port.address, port.port);
    let container = port.container.as_ref().map(container::id_alone);
    let boot = scan.host.as_ref().map(|host| host.boot_id);
    let holder = port.process.map(|key| {
        process::key_alone(boot, key)
            .with_some("name", port.process_name.clone())
            .with_some("path", port.executable.clone())
            .with_some("container", container)
    });
    let evidence = Object::new()
        .with_choice("query_type", (7, "Network Connection"))
        .with("connection_info", network::info((1, "Inbound"), number, Some(address)))
        .with_some("tcp_state_id", (number == network::TCP).then_some(LISTEN))
        .with_some("process", holder);
    let unmapped = Object::new()
        .with("endpoint", network::endpoint(address))
        .with("network_namespace", port.network_namespace)
        .with("uid", port.uid);
    let event = scan
        .begin(LIVE_EVIDENCE, QUERY, port.container.is_some())
        .with_choice("query_result", EXISTS)
        .with("query_evidence", evidence);
    (event, unmapped)
}

fn of_user(scan: &Scan<'_>, account: &UserAccount) -> (Object, Object) {
    let kind = if account.uid == 0 { (2, "Admin") } else { (1, "User") };
    let group = |name: &String| Value::from(Object::new().with("name", name.as_str()));
    let groups: Vec<Value> =
        account.groups.iter().filter(|name| !name.is_empty()).map(group).collect();
    let user = Object::new()
        .with("name", account.name.as_str())
        .with("uid", account.uid.to_string())
        .with("groups", groups)
        .with_choice("type", kind);
    let unmapped = Object::new()
        .with("gid", account.gid)
        .with("home", account.home.as_str())
        .with("shell", account.shell.as_str())
        .with_some("password", password(account.password));
    (scan.begin(USER_INVENTORY, COLLECT, false).with("user", user), unmapped)
}

fn password(state: PasswordState) -> Option<&'static str> {
    (state != PasswordState::Unknown).then(|| state.name())
}

fn of_cluster(scan: &Scan<'_>, facts: &ClusterFacts) -> (Object, Object) {
    let uid = if facts.uid.is_empty() { "unknown" } else { &facts.uid };
    let told = resource("Kubernetes Cluster", AFFECTED)
        .with("uid", uid)
        .with("name", scan.source.cluster.unwrap_or_default())
        .with("version", facts.version.as_str());
    let unmapped = Object::new()
        .with("distribution", facts.distribution.as_str())
        .with_some("cloud", facts.cloud.clone())
        .with_some("told_by", facts.told_by.clone())
        .with("nodes", facts.nodes);
    let event = scan.begin(RESOURCES_INVENTORY, COLLECT, false);
    (event.with("resources", vec![Value::from(told)]), unmapped)
}

/// The node itself.
pub fn of_host(host: &Host, source: &Source<'_>, time: Timestamp) -> Value {
    let scan = Scan { host: Some(std::sync::Arc::new(host.clone())), source, time, code: "host" };
    scan.begin(DEVICE_INVENTORY, COLLECT, false).into()
}

/// A container that runs.
pub fn of_container(
    told: &Container,
    id: SourceId,
    entities: &mut Entities,
    source: &Source<'_>,
    at: Timestamp,
) -> Value {
    let time = told.created_at.unwrap_or(at);
    let scan = Scan { host: entities.host(id), source, time, code: "container" };
    let unmapped = Object::new()
        .with_some("kubernetes", told.pod.as_ref().map(pod_of))
        .with("cgroup_path", told.cgroup_path.as_str())
        .with_some("privileged", told.privileged)
        .with_some("image_digest", told.image_digest.clone());
    let known = Some(container::container(told)).filter(|it| it.has("uid"));
    scan.begin(RESOURCES_INVENTORY, COLLECT, true)
        .with("container", known.unwrap_or_else(|| container::id_alone(&"unknown".into())))
        .with("unmapped", unmapped)
        .into()
}

/// A process that runs.
pub fn of_process(
    told: &Process,
    id: SourceId,
    entities: &mut Entities,
    source: &Source<'_>,
) -> Value {
    let scan = Scan { host: entities.host(id), source, time: told.started_at, code: "process" };
    let boot = scan.host.as_ref().map(|host| host.boot_id);
    let known = told.container.as_ref().map(|it| match entities.container(id, it) {
        Some(known) => container::container(&known),
        None => container::id_alone(it),
    });
    let contained = known.is_some();
    let evidence = Object::new()
        .with_choice("query_type", (10, "Process"))
        .with("process", process::whole(boot, told, known));
    scan.begin(LIVE_EVIDENCE, QUERY, contained)
        .with_choice("query_result", EXISTS)
        .with("query_evidence", evidence)
        .with("unmapped", Object::new().with("credentials", credentials(told)))
        .into()
}

/// An object of the Kubernetes API: as it is, or that it is gone.
pub fn of_object(object: &KubernetesObject, source: &Source<'_>, time: Timestamp) -> Value {
    let scan = Scan { host: None, source, time, code: "kubernetes_object" };
    let containers: Vec<Value> = object
        .containers
        .iter()
        .map(|it| {
            let told = Object::new()
                .with("name", it.name.as_str())
                .with("image", it.image.as_str())
                .with_some("image_id", it.image_id.clone())
                .with_some("container_id", it.container_id.clone());
            told.into()
        })
        .collect();
    let unmapped = Object::new()
        .with("api_version", object.api_version.as_str())
        .with("resource_version", object.resource_version.as_str())
        .with("owners", owners(object))
        .with_some("node", object.node.clone())
        .with_some("service_account", object.service_account.clone())
        .with("labels", labels(&object.labels))
        .with("attributes", labels(&object.attributes))
        .with("containers", containers);
    let uid = if object.uid.is_empty() { "unknown" } else { &object.uid };
    let event = if object.deleted {
        let entity = Object::new()
            .with("name", object.name.as_str())
            .with("uid", uid)
            .with("type_id", OTHER)
            .with("type", if object.kind.is_empty() { "unknown" } else { &object.kind });
        scan.begin(ENTITY_MANAGEMENT, DELETE, false).with("entity", entity)
    } else {
        let told = resource(&object.kind, AFFECTED)
            .with("uid", uid)
            .with("name", object.name.as_str())
            .with_some("namespace", object.namespace.clone())
            .with_some("created_time", object.created_at.map(milliseconds))
            .with_some("data", configuration(object));
        let event = scan.begin(RESOURCES_INVENTORY, COLLECT, false);
        event.with("resources", vec![Value::from(told)])
    };
    event.with("unmapped", unmapped.with_some("namespace", object.namespace.clone())).into()
}

/// What it belongs to. The schema's owners are people.
fn owners(object: &KubernetesObject) -> Vec<Value> {
    let told = |owner: &OwnerReference| {
        Object::new()
            .with("kind", owner.kind.as_str())
            .with("name", owner.name.as_str())
            .with("uid", owner.uid.as_str())
            .with("controller", owner.controller)
            .into()
    };
    object.owners.iter().map(told).collect()
}

/// As JSON; what is none is told as the text that it is.
fn configuration(object: &KubernetesObject) -> Option<Value> {
    let text = object.configuration.as_deref()?;
    Some(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
}
