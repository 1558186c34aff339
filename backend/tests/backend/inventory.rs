//! What is there on nodes, and what API servers were asked, from the wire to the API.

use crate::publisher::Publisher;
use crate::running::Backend;
use event_model::{
    AuditEvent, AuditObject, AuditUser, Image, Inventory, InventoryItem, InventorySubject, Lane,
    ListeningPort, Package, PackageManager, PasswordState, ProcessKey, Record, SourceId, Timestamp,
    TransportProtocol, UserAccount,
};
use serde_json::Value;

fn package(name: &str, version: &str) -> InventoryItem {
    InventoryItem::Package(Package {
        manager: PackageManager::Apk,
        name: name.into(),
        version: version.into(),
        architecture: Some("x86_64".into()),
        source: None,
        path: None,
    })
}

fn snapshot(image: Option<&str>, scanned_at: u64, items: Vec<InventoryItem>) -> Record {
    Record::Inventory(Box::new(Inventory {
        subject: image
            .map_or(InventorySubject::Node, |key| InventorySubject::Image(key.to_owned())),
        kind: items[0].kind(),
        scanned_at: Timestamp(scanned_at),
        snapshot_items: Some(items.len() as u64),
        changed: items,
        removed: vec![],
    }))
}

fn everything() -> Vec<Record> {
    let image = Image {
        key: "sha256:1".into(),
        digest: Some("sha256:1".into()),
        reference: Some("alpine:3.20".into()),
        operating_system: Some("Alpine Linux v3.20".into()),
        containers: vec!["c".into()],
        container_count: 1,
    };
    let port = ListeningPort {
        protocol: TransportProtocol::Tcp,
        address: "::".parse().unwrap(),
        port: 443,
        network_namespace: 4_026_531_840,
        uid: 33,
        process: Some(ProcessKey { pid: 77, start_time: 10_000_000 }),
        process_name: Some("nginx".into()),
        executable: Some("/usr/sbin/nginx".into()),
        container: None,
    };
    let user = UserAccount {
        name: "ann".into(),
        uid: 1000,
        gid: 1000,
        home: "/home/ann".into(),
        shell: "/bin/bash".into(),
        groups: vec!["sudo".into()],
        password: PasswordState::Set,
    };
    vec![
        snapshot(None, 1, vec![InventoryItem::User(user)]),
        snapshot(None, 1, vec![package("busybox", "1.36"), package("musl", "1.2.4")]),
        snapshot(None, 1, vec![InventoryItem::ListeningPort(port)]),
        snapshot(None, 1, vec![InventoryItem::Image(image)]),
        snapshot(Some("sha256:1"), 1, vec![package("musl", "1.2.5")]),
    ]
}

fn texts(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().unwrap_or("null").to_owned()).collect()
}

#[tokio::test]
async fn what_is_there_is_listed_and_what_a_newer_snapshot_lacks_is_gone() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let source = SourceId::generate();
    publisher.send(source, 1, &everything()).await;
    publisher.acknowledged(Lane::Inventory, 5).await;

    let musl = backend.all("/api/v1/inventory/packages?name=musl").await;
    assert_eq!(texts(&musl, "version"), ["1.2.4", "1.2.5"]);
    assert_eq!(texts(&musl, "image"), ["null", "sha256:1"]);
    assert_eq!(musl[0]["node"], "node-1");
    let all = backend.all("/api/v1/inventory/packages").await;
    assert_eq!(texts(&all, "name"), ["busybox", "musl", "musl"]);
    let first = backend.get("/api/v1/inventory/packages?limit=2").await;
    let next = first["next"].as_str().expect("there is another page");
    let second = backend.get(&format!("/api/v1/inventory/packages?limit=2&cursor={next}")).await;
    assert_eq!((&second["items"][0], &second["next"]), (&all[2], &Value::Null));
    let old = backend.all("/api/v1/inventory/packages?name=musl&version=1.2.4&of=node").await;
    assert_eq!(old.len(), 1);
    let images = backend.all("/api/v1/inventory/images?image=alpine:3.20").await;
    assert_eq!(texts(&images, "operating_system"), ["Alpine Linux v3.20"]);
    let ports = backend.all("/api/v1/inventory/ports?port=443&protocol=tcp&process=nginx").await;
    assert_eq!((ports[0]["address"].as_str(), ports[0]["pid"].as_u64()), (Some("::"), Some(77)));
    let users = backend.all("/api/v1/inventory/users?node=node-1").await;
    assert_eq!((&users[0]["password"], &users[0]["groups"][0]), (&"set".into(), &"sudo".into()));
    assert!(backend.all("/api/v1/inventory/users?node=node-2").await.is_empty());

    let newer = snapshot(None, 2, vec![package("busybox", "1.36")]);
    publisher.send(source, 6, &[newer]).await;
    publisher.acknowledged(Lane::Inventory, 6).await;
    let left = backend.all("/api/v1/inventory/packages").await;
    assert_eq!(texts(&left, "version"), ["1.36", "1.2.5"], "the image keeps its own");
}

#[tokio::test]
async fn requests_to_an_api_server_are_listed_once_each() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let request = |user: &str, time| {
        Record::Audit(Box::new(AuditEvent {
            audit_id: format!("id-{time}"),
            verb: "create".into(),
            user: AuditUser { name: user.into(), ..AuditUser::default() },
            object: Some(AuditObject {
                resource: "pods".into(),
                subresource: Some("exec".into()),
                namespace: Some("shop".into()),
                name: Some("web".into()),
                ..AuditObject::default()
            }),
            response_code: Some(101),
            stage_at: Timestamp(time),
            ..AuditEvent::default()
        }))
    };
    let source = SourceId::generate();
    let records = [request("eve", 1_000_000_000), request("ann", 2_000_000_000)];
    publisher.send(source, 1, &records).await;
    publisher.acknowledged(Lane::Telemetry, 2).await;
    publisher.send(source, 1, &records).await;
    publisher.acknowledged(Lane::Telemetry, 2).await;
    let all = backend.all("/api/v1/audit?resource=pods&namespace=shop&name=web").await;
    assert_eq!(texts(&all, "audit_id"), ["id-2000000000", "id-1000000000"]);
    let of_eve = backend.all("/api/v1/audit?user=eve&until=1970-01-01T00:00:02Z").await;
    assert_eq!(texts(&of_eve, "time"), ["1970-01-01T00:00:01.000000000Z"]);
    assert_eq!(of_eve[0]["object"]["subresource"], "exec");
}
