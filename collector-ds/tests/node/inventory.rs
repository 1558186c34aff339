//! What the sensor tells of what is there, and of what an API server was asked.

use crate::docker::{self, Container, docker};
use crate::expect::wait_for;
use crate::sensor::{Node, Sensor};
use event_model::{
    Image, Inventory, InventoryItem, InventorySubject, LossReason, PackageManager, Record,
};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::TcpListener;

fn inventories(records: &[Record]) -> impl Iterator<Item = &Inventory> {
    records.iter().filter_map(|record| match record {
        Record::Inventory(inventory) => Some(&**inventory),
        _ => None,
    })
}

fn items(records: &[Record], subject: &InventorySubject) -> Vec<InventoryItem> {
    let of_subject = inventories(records).filter(|inventory| inventory.subject == *subject);
    of_subject.flat_map(|inventory| inventory.changed.clone()).collect()
}

/// An image of this test alone in which apk installed musl: of the image that all tests share, any container may be read.
struct ApkImage {
    name: String,
}

impl ApkImage {
    fn make() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let database = folder.path().join("lib/apk/db");
        std::fs::create_dir_all(&database).expect("folders");
        std::fs::write(database.join("installed"), "P:musl\nV:1.2.5-r0\nA:x86_64\n\n")
            .expect("written");
        let name = format!("defender-test/apk:{}", std::process::id());
        let container = Container::start(&[]);
        let from = folder.path().join("lib");
        docker(&["cp", from.to_str().expect("a plain path"), &format!("{}:/", container.id)]);
        docker(&["commit", &container.id, &name]);
        Self { name }
    }
}

impl Drop for ApkImage {
    fn drop(&mut self) {
        docker::remove_image(&self.name);
    }
}

#[test]
fn the_node_its_ports_and_its_images_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let installed = ApkImage::make();
    let container = Container::start_image(&installed.name, &[]);

    let mut node = Node { docker_sockets: vec![docker::socket()], ..Node::new() };
    node.more.insert("inventory".into(), json!({ "languages": false, "interval_seconds": 60 }));
    let sensor = Sensor::start_on(node);
    let image: Image = sensor.expect("the container's image", |records| {
        let images = items(records, &InventorySubject::Node).into_iter();
        images.rev().find_map(|item| match item {
            InventoryItem::Image(image)
                if image.containers.iter().any(|id| *id.0 == *container.id) =>
            {
                Some(image)
            }
            _ => None,
        })
    });
    assert_eq!(image.reference.as_deref(), Some(&*installed.name), "{image:?}");
    assert!(image.container_count > 0, "{image:?}");
    let contents = InventorySubject::Image(image.key);
    sensor.expect("musl in the image", |records| {
        items(records, &contents).into_iter().find_map(|item| match item {
            InventoryItem::Package(package) if package.name == "musl" => Some(package),
            _ => None,
        })
    });
    let packages = sensor.look(|records| items(records, &InventorySubject::Node));
    assert!(
        packages.iter().any(|item| matches!(item, InventoryItem::Package(package)
            if package.manager == PackageManager::Dpkg && package.name == "libc6"))
            || !std::path::Path::new("/var/lib/dpkg/status").exists(),
        "this machine's own packages"
    );
    let own = packages.iter().find_map(|item| match item {
        InventoryItem::ListeningPort(found) if found.port == port => Some(found),
        _ => None,
    });
    let own = own.expect("the test's own port");
    assert_eq!(own.process.map(|process| process.pid), Some(std::process::id()));
    assert_eq!(own.container, None);
}

#[test]
fn the_audit_file_is_followed_over_a_restart_of_the_sensor() {
    let mut node = Node::new();
    let path = node.path("audit.log");
    let audit = json!({ "path": path, "state_directory": node.path("state") });
    node.more.insert("audit".into(), audit);
    node.more.insert("inventory".into(), json!({ "enabled": false }));
    let write = |text: &str| {
        let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("the log");
        file.write_all(text.as_bytes()).expect("written");
    };
    let line = |id: &str| {
        json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": id, "stage": "ResponseComplete",
            "verb": "create", "user": { "username": "eve" },
            "objectRef": { "resource": "pods", "subresource": "exec", "name": "web" },
            "requestReceivedTimestamp": "2026-11-22T18:42:02.662022Z",
            "stageTimestamp": "2026-11-22T18:42:02.664149Z",
        })
        .to_string()
            + "\n"
    };
    let mut sensor = Sensor::start_on(node);
    write(&line("first"));
    let seen = |records: &[Record], id: &str| {
        let is_it =
            |record: &&Record| matches!(record, Record::Audit(event) if event.audit_id == id);
        records.iter().filter(is_it).count()
    };
    sensor.expect("the first request", |records| (seen(records, "first") == 1).then_some(()));
    write("garbage\n");
    write(&line("second"));
    sensor.process.terminate();
    write(&line("third"));
    sensor.process = sensor.node.start();
    sensor.expect("the third request", |records| (seen(records, "third") == 1).then_some(()));
    sensor.look(|records| {
        for id in ["first", "second", "third"] {
            assert_eq!(seen(records, id), 1, "{id}");
        }
    });
    let lost = || {
        sensor.look(|records| {
            records.iter().find_map(|record| match record {
                Record::Loss(loss) if loss.kind == "audit" => Some((loss.reason, loss.count)),
                _ => None,
            })
        })
    };
    let told = wait_for("the loss", lost, || sensor.node.log());
    assert_eq!(told, (LossReason::Undecodable, 1));
}
