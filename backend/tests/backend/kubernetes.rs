//! Objects of Kubernetes, what became of them, findings, clusters and events, from the wire to the API.

use crate::publisher::Publisher;
use crate::running::Backend;
use event_model::{
    ClusterFacts, Finding, FindingSeverity, FindingSource, Inventory, InventoryItem, InventoryKind,
    InventorySubject, KubernetesCensus, KubernetesContainer, KubernetesEvent, KubernetesObject,
    Lane, ObjectReference, OwnerReference, Record, SourceId, Timestamp,
};
use serde_json::{Value, json};
use uuid::Uuid;

fn object(kind: &str, name: &str, version: u64) -> KubernetesObject {
    KubernetesObject {
        api_version: if kind == "Pod" { "v1" } else { "apps/v1" }.into(),
        kind: kind.into(),
        namespace: Some("shop".into()),
        name: name.into(),
        uid: format!("uid-{name}"),
        resource_version: version.to_string(),
        created_at: Some(Timestamp(1_000_000_000)),
        ..KubernetesObject::default()
    }
}

fn owned(object: KubernetesObject, kind: &str, name: &str) -> KubernetesObject {
    let (kind, uid) = (kind.to_owned(), format!("uid-{name}"));
    let owner = OwnerReference { kind, name: name.into(), uid, controller: true };
    KubernetesObject { owners: vec![owner], ..object }
}

fn pod(name: &str, version: u64, tag: &str) -> KubernetesObject {
    let container = KubernetesContainer {
        name: "app".into(),
        image: format!("registry.example/web:{tag}"),
        image_id: Some(format!("registry.example/web@sha256:{tag}")),
        container_id: None,
    };
    let pod = KubernetesObject {
        labels: [("app".to_owned(), "web".to_owned())].into(),
        node: Some("node-1".into()),
        containers: vec![container],
        configuration: Some(json!({"spec": {"hostNetwork": true}}).to_string()),
        ..object("Pod", name, version)
    };
    owned(pod, "ReplicaSet", "web-7d9")
}

fn gone(name: &str) -> KubernetesObject {
    KubernetesObject { uid: format!("uid-{name}"), deleted: true, ..KubernetesObject::default() }
}

fn records(objects: Vec<KubernetesObject>) -> Vec<Record> {
    objects.into_iter().map(|object| Record::KubernetesObject(Box::new(object))).collect()
}

/// A deployment and its two pods, one of which is replaced, and what one leader saw of it.
fn history() -> Vec<KubernetesObject> {
    vec![
        object("Deployment", "web", 10),
        owned(object("ReplicaSet", "web-7d9", 11), "Deployment", "web"),
        pod("web-a", 12, "1"),
        pod("web-b", 13, "1"),
        pod("web-a", 20, "2"),
        gone("web-b"),
    ]
}

fn texts(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().unwrap_or("null").to_owned()).collect()
}

/// What a change is, without when it was observed.
fn outlines(changes: &[Value]) -> Vec<String> {
    let outline = |change: &Value| {
        let part = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
        format!(
            "{} {} {} {}",
            part("uid"),
            part("resource_version"),
            part("change"),
            change["parts"]
        )
    };
    let mut outlines: Vec<_> = changes.iter().map(outline).collect();
    outlines.sort();
    outlines
}

#[tokio::test]
async fn objects_are_listed_by_what_they_are_and_told_with_what_they_belong_to() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    publisher.send(SourceId::generate(), 1, &records(history())).await;
    publisher.acknowledged(Lane::Entity, 6).await;

    let list = |query: &str| format!("/api/v1/kubernetes/objects?{query}");
    let all = backend.all("/api/v1/kubernetes/objects").await;
    assert_eq!(texts(&all, "name"), ["web", "web-a", "web-7d9"], "by kind and name");
    for (query, names) in [
        ("kind=Pod", vec!["web-a"]),
        ("kind=Pod&deleted=any", vec!["web-a", "web-b"]),
        ("deleted=true", vec!["web-b"]),
        ("label=app%3Dweb", vec!["web-a"]),
        ("label=app%3Dwe", vec![]),
        ("owner=Deployment/web", vec!["web-7d9"]),
        ("owner=uid-web-7d9", vec!["web-a"]),
        ("node=node-1", vec!["web-a"]),
        ("image=sha256:2", vec!["web-a"]),
        ("image=registry.example/web:2", vec!["web-a"]),
        ("image=sha256:1", vec![]),
        ("namespace=shop&name=web", vec!["web"]),
        ("cluster=another", vec![]),
    ] {
        assert_eq!(texts(&backend.all(&list(query)).await, "name"), names, "{query}");
    }
    let first = backend.get(&list("limit=2")).await;
    let next = first["next"].as_str().expect("there is another page");
    let second = backend.get(&list(&format!("limit=2&cursor={next}"))).await;
    assert_eq!((&second["items"][0], &second["next"]), (&all[2], &Value::Null));

    let told = backend.get("/api/v1/kubernetes/objects/uid-web-a").await;
    let chain = told["owner_chain"].as_array().unwrap();
    assert_eq!(texts(chain, "kind"), ["ReplicaSet", "Deployment"]);
    assert_eq!(chain[1]["api_version"], "apps/v1");
    assert_eq!(told["configuration"]["spec"]["hostNetwork"], true);
    let changes = told["changes"].as_array().unwrap();
    assert_eq!(texts(changes, "change"), ["modified", "added"]);
    assert_eq!(changes[0]["images"][0]["before"], "registry.example/web:1");
    assert_eq!(changes[1]["object"]["containers"][0]["image"], "registry.example/web:1");
    assert_eq!(backend.answer("/api/v1/kubernetes/objects/uid-none").await.status(), 404);

    let images = backend.all("/api/v1/kubernetes/images").await;
    assert_eq!(texts(&images, "image"), ["sha256:2"]);
    assert_eq!((&images[0]["pods"], &images[0]["namespaces"]), (&1.into(), &1.into()));
    assert_eq!(images[0]["places"][0]["workload"]["name"], "web");
}

#[tokio::test]
async fn what_an_old_leader_told_late_and_what_came_twice_gives_the_same_log() {
    let (in_order, late) = (Backend::start().await, Backend::start().await);
    let whole = records(history());
    let mut publisher = Publisher::connect(&in_order, "node-1").await;
    publisher.send(SourceId::generate(), 1, &whole).await;
    publisher.acknowledged(Lane::Entity, 6).await;

    // The new leader's snapshot skips what was in between; the old one's spool drains behind it, from another node.
    let mut successor = Publisher::connect(&late, "node-2").await;
    let snapshot = [&whole[4..], &whole[..2]].concat();
    successor.send(SourceId::generate(), 1, &snapshot).await;
    successor.acknowledged(Lane::Entity, 4).await;
    let mut old = Publisher::connect(&late, "node-1").await;
    old.send(SourceId::generate(), 1, &whole).await;
    old.acknowledged(Lane::Entity, 6).await;

    let [expected, found] = [
        in_order.all("/api/v1/kubernetes/changes").await,
        late.all("/api/v1/kubernetes/changes").await,
    ];
    assert_eq!(outlines(&found), outlines(&expected));
    assert_eq!(found.len(), 6);
    let of = |query: &str| format!("/api/v1/kubernetes/changes?{query}");
    let deleted = late.all(&of("change=deleted&kind=Pod")).await;
    assert_eq!(texts(&deleted, "name"), ["web-b"]);
    let of_a = late.all(&of("uid=uid-web-a&namespace=shop")).await;
    assert_eq!(of_a.len(), 2);
    let modified = of_a.iter().find(|change| change["change"] == "modified").unwrap();
    assert_eq!(modified["parts"], json!(["containers"]));
    let since = modified["observed_at"].as_str().unwrap();
    let since_then = late.all(&of(&format!("since={since}"))).await;
    assert!(since_then.iter().any(|change| change["uid"] == "uid-web-a"));
    let [mut expected, mut found] = [
        in_order.all("/api/v1/kubernetes/objects?deleted=any").await,
        late.all("/api/v1/kubernetes/objects?deleted=any").await,
    ];
    for item in expected.iter_mut().chain(&mut found) {
        item["last_seen"] = Value::Null;
        item["deleted_at"] = item["deleted_at"].is_string().into();
    }
    assert_eq!(found, expected);
}

pub fn finding(name: &str, severity: FindingSeverity) -> InventoryItem {
    InventoryItem::Finding(Box::new(Finding {
        source: FindingSource::Posture,
        policy: "host-network".into(),
        title: "A pod has the node's network".into(),
        severity,
        object: ObjectReference {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: Some("shop".into()),
            name: name.into(),
            uid: format!("uid-{name}"),
        },
        part: String::new(),
        message: "leave spec.hostNetwork out".into(),
        evidence: vec!["spec.template.spec.hostNetwork".into()],
        tags: vec!["T1611".into()],
    }))
}

pub fn facts() -> InventoryItem {
    InventoryItem::Cluster(ClusterFacts {
        uid: "k".into(),
        version: "v1.34.1".into(),
        distribution: "k3s".into(),
        cloud: None,
        told_by: Some("the version".into()),
        nodes: 2,
    })
}

/// A whole snapshot of the cluster's items of one kind.
pub fn scan(scanned_at: u64, items: Vec<InventoryItem>) -> Record {
    Record::Inventory(Box::new(Inventory {
        subject: InventorySubject::Cluster,
        kind: items.first().map_or(InventoryKind::Findings, InventoryItem::kind),
        scanned_at: Timestamp(scanned_at),
        snapshot_items: Some(items.len() as u64),
        changed: items,
        removed: vec![],
    }))
}

#[tokio::test]
async fn findings_belong_to_the_cluster_and_stay_when_they_are_resolved() {
    use FindingSeverity::{High, Low};
    let backend = Backend::start().await;
    let mut first = Publisher::connect(&backend, "node-1").await;
    let source = SourceId::generate();
    let scans = [
        scan(1, vec![facts()]),
        scan(1, vec![finding("api", Low), finding("web", High), finding("db", Low)]),
    ];
    first.send(source, 1, &scans).await;
    first.acknowledged(Lane::Inventory, 2).await;
    let list = |query: &str| format!("/api/v1/findings?{query}");
    let all = backend.all("/api/v1/findings").await;
    assert_eq!(texts(&all, "severity"), ["high", "low", "low"], "the worst first");
    assert_eq!((&all[0]["object"]["name"], &all[0]["status"]), (&"web".into(), &"open".into()));

    // Another leader, on another node; and then what the first told before, an hour late.
    let mut second = Publisher::connect(&backend, "node-2").await;
    second.send(SourceId::generate(), 1, &[scan(9, vec![finding("web", High)])]).await;
    second.acknowledged(Lane::Inventory, 1).await;
    first.send(source, 3, &[scan(5, vec![finding("api", Low), finding("late", High)])]).await;
    first.acknowledged(Lane::Inventory, 3).await;
    let open = backend.all("/api/v1/findings").await;
    assert_eq!(open.len(), 1, "{open:#?}");
    assert_eq!(open[0]["first_seen"], all[0]["first_seen"]);
    let resolved = backend.all(&list("status=resolved")).await;
    assert_eq!(texts(&resolved, "resolved_at"), ["1970-01-01T00:00:00.000000009Z"; 2]);
    for (query, count) in [
        ("status=any", 3),
        ("status=any&severity=low", 2),
        ("minimum_severity=medium", 1),
        ("source=posture&policy=host-network&namespace=shop&kind=Deployment", 1),
        ("source=rbac,exposure", 0),
        ("uid=uid-web", 1),
        ("cluster=another", 0),
    ] {
        assert_eq!(backend.all(&list(query)).await.len(), count, "{query}");
    }
    let clusters = backend.get("/api/v1/kubernetes/clusters").await;
    let [cluster] = clusters["items"].as_array().unwrap().as_slice() else { panic!("{clusters}") };
    assert_eq!((&cluster["version"], &cluster["nodes"]), (&"v1.34.1".into(), &2.into()));
    assert_eq!(cluster["open_findings"], json!({ "high": 1 }));

    second.send(SourceId::generate(), 1, &records(history())).await;
    second.acknowledged(Lane::Entity, 6).await;
    let pod = backend.get("/api/v1/kubernetes/objects/uid-web-a").await;
    assert_eq!(pod["findings"][0]["policy"], "host-network", "its deployment's");
}

#[tokio::test]
async fn the_same_note_of_kubernetes_by_two_leaders_is_listed_once() {
    let backend = Backend::start().await;
    let note = |version: &str, time: u64| {
        Record::KubernetesEvent(Box::new(KubernetesEvent {
            uid: "e1".into(),
            resource_version: version.into(),
            regarding: ObjectReference {
                kind: "Pod".into(),
                namespace: Some("shop".into()),
                name: "web-a".into(),
                uid: "uid-web-a".into(),
                ..ObjectReference::default()
            },
            reason: "BackOff".into(),
            is_warning: true,
            message: "restarting".into(),
            reporter: "kubelet".into(),
            node: Some("node-1".into()),
            count: 3,
            first_at: Timestamp(1_000_000_000),
            last_at: Timestamp(time),
        }))
    };
    let notes = [note("1", 2_000_000_000), note("2", 3_000_000_000)];
    for node in ["node-1", "node-2"] {
        let mut publisher = Publisher::connect(&backend, node).await;
        publisher.send(SourceId::generate(), 1, &notes).await;
        publisher.acknowledged(Lane::Telemetry, 2).await;
    }
    let all = backend.all("/api/v1/kubernetes/events?reason=BackOff&warning=true&kind=Pod").await;
    assert_eq!(texts(&all, "resource_version"), ["2", "1"]);
    assert_eq!(all[0]["regarding"]["uid"], "uid-web-a");
    let until = "/api/v1/kubernetes/events?uid=uid-web-a&until=1970-01-01T00:00:03Z";
    assert_eq!(backend.all(until).await.len(), 1);
    assert!(backend.all("/api/v1/kubernetes/events?warning=false").await.is_empty());
}

/// Who there was of a kind at a version.
fn census(kind: &str, version: u64, uids: &[Uuid]) -> Record {
    Record::KubernetesCensus(Box::new(KubernetesCensus {
        kind: kind.into(),
        resource_version: version.to_string(),
        taken_at: Timestamp(9_000_000_000),
        uids: uids.to_vec(),
        ..KubernetesCensus::default()
    }))
}

#[tokio::test]
async fn who_is_missing_in_a_census_is_gone_also_where_its_state_comes_late() {
    let backend = Backend::start().await;
    let uid = |number: u128| Uuid::from_u128(number).to_string();
    let told = [("stays", 1, 12), ("went", 2, 13), ("new", 3, 31), ("late", 4, 14)];
    let pods = told.map(|(name, number, version)| KubernetesObject {
        uid: uid(number),
        ..pod(name, version, "1")
    });
    let [stays, went, new, late] = pods.map(|pod| records(vec![pod]).remove(0));

    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let source = SourceId::generate();
    publisher.send(source, 1, &[stays, went, new]).await;
    publisher.acknowledged(Lane::Entity, 3).await;
    let names = [Uuid::from_u128(1)];
    publisher.send(source, 1, &[census("Pod", 30, &names), census("Node", 30, &[])]).await;
    publisher.acknowledged(Lane::Inventory, 2).await;
    // From the spool of a node whose leader died before.
    let mut old = Publisher::connect(&backend, "node-2").await;
    old.send(SourceId::generate(), 1, &[late]).await;
    old.acknowledged(Lane::Entity, 1).await;

    let living = backend.all("/api/v1/kubernetes/objects").await;
    assert_eq!(texts(&living, "name"), ["new", "stays"]);
    let deleted = backend.all("/api/v1/kubernetes/changes?change=deleted").await;
    assert_eq!(texts(&deleted, "name"), ["late", "went"]);
    assert_eq!(texts(&deleted, "resource_version"), ["", ""], "no deletion was seen");
    backend.expect_metric("defender_kubernetes_objects_found_gone_total 2").await;
}
