//! Lists and watches, from a test API server to a real publisher's socket.

use crate::harness::{Collector, Publisher, poll};
use api_server::{ApiServer, Effect, GoneAs, TOKEN, Trouble, User};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

fn pod(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "web", "labels": {"app": "shop"}},
        "spec": {
            "nodeName": "worker-1", "serviceAccountName": "shopkeeper",
            "containers": [{"name": "main", "image": "nginx:1"}],
        },
        "status": {"phase": "Running"},
    })
}

fn node(name: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "status": {
            "nodeInfo": {"kubeletVersion": "v1.35.0"},
            "conditions": [{"type": "Ready", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
        },
    })
}

fn label(key: &'static str, value: &'static str) -> impl FnOnce(&mut Value) {
    move |object| object["metadata"]["labels"][key] = json!(value)
}

fn lists(requests: &[String]) -> usize {
    let begins_list = |query: &&String| query.contains("limit=") && !query.contains("continue=");
    requests.iter().filter(begins_list).count()
}

#[tokio::test]
async fn pods_and_nodes_are_sent_as_they_are_and_as_they_change() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let (old_pod, old_node) = server.change(|cluster| {
        (cluster.create("pods", pod("shop-1")), cluster.create("nodes", node("worker-1")))
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    let sent = publisher.expect("the pod that was there", |object| object.uid == old_pod).await;
    assert_eq!((sent.kind.as_str(), sent.name.as_str()), ("Pod", "shop-1"));
    assert_eq!(sent.node.as_deref(), Some("worker-1"));
    assert_eq!(sent.containers[0].image, "nginx:1");
    let sent = publisher.expect("the node that was there", |object| object.uid == old_node).await;
    assert_eq!(sent.attributes["kubeletVersion"], "v1.35.0");

    let new_pod = server.change(|cluster| cluster.create("pods", pod("shop-2")));
    publisher.expect("the new pod", |object| object.uid == new_pod).await;
    server.change(|cluster| cluster.update("pods", "web/shop-2", label("app", "till")));
    publisher
        .expect("the changed pod", |object| {
            object.uid == new_pod && object.labels.get("app").is_some_and(|app| app == "till")
        })
        .await;
    server.change(|cluster| cluster.delete("pods", "web/shop-2"));
    let sent =
        publisher.expect("the deletion", |object| object.uid == new_pod && object.deleted).await;
    assert_eq!((sent.namespace.as_deref(), sent.name.as_str()), (Some("web"), "shop-2"));

    let requests = server.requests("pods");
    assert_eq!(lists(&requests), 1, "{requests:?}");
    assert_eq!(publisher.losses(), 0);
    collector.stop().await;
}

#[tokio::test]
async fn a_large_cluster_is_read_page_by_page() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let uids: BTreeSet<String> = server.change(|cluster| {
        (0..1200).map(|number| cluster.create("pods", pod(&format!("shop-{number}")))).collect()
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    expect_all(&publisher, &uids).await;
    let requests = server.requests("pods");
    let pages = requests.iter().filter(|query| query.contains("limit=500")).count();
    let continued = requests.iter().filter(|query| query.contains("continue=")).count();
    assert_eq!((pages, continued), (3, 2), "{requests:#?}");
    server.change(|cluster| cluster.delete("pods", "web/shop-7"));
    publisher.expect("a deletion", |object| object.deleted && object.name == "shop-7").await;
    collector.stop().await;
}

async fn expect_all(publisher: &Publisher, uids: &BTreeSet<String>) {
    poll("all pods", || {
        let objects = publisher.objects().into_iter().filter(|object| object.kind == "Pod");
        let sent: BTreeSet<String> = objects.map(|object| object.uid).collect();
        if sent == *uids { Ok(()) } else { Err(format!("{} of them", sent.len())) }
    })
    .await;
}

#[tokio::test]
async fn what_changed_in_nothing_that_we_send_is_not_sent_again() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let uid = server.change(|cluster| cluster.create("nodes", node("worker-1")));
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    for minute in 0..5 {
        server.change(|cluster| {
            cluster.update("nodes", "worker-1", |node| {
                let heartbeat = json!(format!("2026-01-01T00:0{minute}:30Z"));
                node["status"]["conditions"][0]["lastHeartbeatTime"] = heartbeat;
            });
        });
    }
    server.change(|cluster| cluster.update("nodes", "worker-1", label("zone", "a")));
    publisher
        .expect("the label", |object| object.uid == uid && object.labels.contains_key("zone"))
        .await;
    assert_eq!(publisher.objects().len(), 2, "{:#?}", publisher.objects());
    collector.stop().await;
}

#[tokio::test]
async fn a_cut_watch_is_resumed_where_it_was() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    server.change(|cluster| cluster.create("pods", pod("shop-1")));
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    for number in 2..5 {
        server.cut_connections();
        let name = format!("shop-{number}");
        let uid = server.change(|cluster| cluster.create("pods", pod(&name)));
        publisher.expect(&name, |object| object.uid == uid).await;
    }
    assert_eq!(publisher.objects().len(), 4, "{:#?}", publisher.objects());
    assert_eq!(lists(&server.requests("pods")), 1, "{:#?}", server.requests("pods"));
    collector.stop().await;
}

#[tokio::test]
async fn a_list_that_expires_between_two_pages_goes_on_with_what_is_there_then() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    server.trouble(Trouble::of("list", "pods", Effect::Expired).continued().times(2));
    let uids: BTreeSet<String> = server.change(|cluster| {
        (0..1200).map(|number| cluster.create("pods", pod(&format!("shop-{number}")))).collect()
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    expect_all(&publisher, &uids).await;
    assert!(publisher.objects().iter().all(|object| !object.deleted));
    assert_eq!(lists(&server.requests("pods")), 1, "{:#?}", server.requests("pods"));
    collector.stop().await;
}

#[tokio::test]
async fn a_list_that_breaks_or_is_throttled_goes_on_where_it_was() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let uids: BTreeSet<String> = server.change(|cluster| {
        (0..1200).map(|number| cluster.create("pods", pod(&format!("shop-{number}")))).collect()
    });
    for effect in [
        Effect::Cut { after_bytes: 100_000 },
        Effect::End { after_bytes: 100_000 },
        Effect::Throttle { retry_after_seconds: 1 },
        Effect::InternalError,
    ] {
        server.trouble(Trouble::of("list", "pods", effect).continued().times(1));
    }
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    expect_all(&publisher, &uids).await;
    assert!(publisher.objects().iter().all(|object| !object.deleted));
    assert_eq!(lists(&server.requests("pods")), 1, "{:#?}", server.requests("pods"));
    collector.stop().await;
}

async fn survives_gone(gone_as: GoneAs) {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    server.behave(|behaviour| behaviour.gone_as = gone_as);
    let (lost, kept) = server.change(|cluster| {
        (cluster.create("pods", pod("shop-1")), cluster.create("pods", pod("shop-2")))
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    publisher.expect("the first pod", |object| object.uid == lost).await;
    // While nobody watches, one goes, one comes, and the history of both is forgotten.
    let new = server.change(|cluster| {
        server.cut_connections();
        cluster.delete("pods", "web/shop-1");
        let new = cluster.create("pods", pod("shop-3"));
        cluster.compact();
        new
    });
    publisher.expect("the new pod", |object| object.uid == new).await;
    let deletion = publisher
        .expect("the deletion that nobody saw", |object| object.uid == lost && object.deleted)
        .await;
    assert_eq!((deletion.kind.as_str(), deletion.name.as_str()), ("Pod", ""));
    let of_kept = publisher.objects().iter().filter(|object| object.uid == kept).count();
    assert_eq!(of_kept, 1, "the pod that did not change was sent again");
    assert!(lists(&server.requests("pods")) >= 2, "{:#?}", server.requests("pods"));
    collector.expect_ready().await;
    collector.stop().await;
}

#[tokio::test]
async fn a_version_that_is_gone_is_survived_when_an_event_says_so() {
    survives_gone(GoneAs::Event).await;
    survives_gone(GoneAs::Event).await;
}

#[tokio::test]
async fn a_version_that_is_gone_is_survived_when_the_response_says_so() {
    survives_gone(GoneAs::Response).await;
    survives_gone(GoneAs::Response).await;
}

#[tokio::test]
async fn a_restart_of_the_api_server_is_told_and_survived() {
    let (mut server, publisher) = (ApiServer::start(), Publisher::start());
    server.change(|cluster| cluster.create("pods", pod("shop-1")));
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    server.stop();
    collector.expect_unready("cannot watch pods: the Kubernetes API cannot be reached").await;
    publisher
        .expect_status("a status with both problems", |status| {
            let tells = |words: &str| status.problems.iter().any(|told| told.starts_with(words));
            tells("cannot watch pods:") && tells("cannot watch nodes:")
        })
        .await;
    let uid = server.change(|cluster| cluster.create("pods", pod("shop-2")));
    server.serve_again().await;
    publisher.expect("the pod made meanwhile", |object| object.uid == uid).await;
    server.change(|cluster| cluster.create("nodes", node("worker-1")));
    collector.expect_ready().await;
    publisher
        .expect_status("a status without problems", |status| {
            status.problems.is_empty() && status.counters["pods_known"] == 2
        })
        .await;
    collector.stop().await;
}

#[tokio::test]
async fn a_wrong_token_is_told_and_a_right_one_taken() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    server.revoke_token(TOKEN);
    let uid = server.change(|cluster| cluster.create("pods", pod("shop-1")));
    let collector = Collector::start(&server, &publisher);
    collector.expect_unready("does not accept our credentials (401); check the service").await;
    publisher
        .expect_status("a status that says so", |status| {
            status.problems.iter().any(|problem| problem.contains("(401)"))
        })
        .await;
    server.accept_token(TOKEN, User::admin());
    publisher.expect("the pod", |object| object.uid == uid).await;
    collector.expect_ready().await;
    collector.stop().await;
}

#[tokio::test]
async fn what_is_forbidden_is_named_and_the_rest_goes_on() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    server.trouble(Trouble::of("", "pods", Effect::Forbidden));
    let uid = server.change(|cluster| cluster.create("nodes", node("worker-1")));
    let collector = Collector::start(&server, &publisher);
    publisher.expect("the node", |object| object.uid == uid).await;
    collector.expect_unready("cannot watch pods: the Kubernetes API refuses access (403)").await;
    let (_, report) = collector.readiness();
    assert!(!report.contains("cannot watch nodes"), "{report}");
    collector.stop().await;
}

#[tokio::test]
async fn a_publisher_that_starts_anew_gets_a_snapshot() {
    let (server, mut publisher) = (ApiServer::start(), Publisher::start());
    let uids: BTreeSet<String> = server.change(|cluster| {
        let pods = (0..20).map(|number| cluster.create("pods", pod(&format!("shop-{number}"))));
        let pods: Vec<String> = pods.collect();
        pods.into_iter().chain([cluster.create("nodes", node("worker-1"))]).collect()
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    for _ in 0..2 {
        publisher.restart().await;
        assert_eq!(publisher.objects().len(), 0);
        poll("a snapshot", || {
            let sent: BTreeSet<String> =
                publisher.objects().into_iter().map(|object| object.uid).collect();
            if sent == uids { Ok(()) } else { Err(format!("{} of {}", sent.len(), uids.len())) }
        })
        .await;
    }
    assert!(publisher.objects().iter().all(|object| !object.deleted));
    collector.stop().await;
}

#[tokio::test]
async fn a_collector_that_starts_before_the_publisher_waits_for_it() {
    let (server, mut publisher) = (ApiServer::start(), Publisher::start());
    let uid = server.change(|cluster| cluster.create("pods", pod("shop-1")));
    publisher.pause().await;
    let collector = Collector::start(&server, &publisher);
    collector.expect_unready("[-]publisher: not connected").await;
    // The API is read even so: what is wrong with it is to be seen at once.
    poll("a listed API", || match collector.readiness() {
        (_, report) if report.contains("[+]kubernetes ready") => Ok(()),
        (_, report) => Err(report),
    })
    .await;
    publisher.restart().await;
    publisher.expect("the pod", |object| object.uid == uid).await;
    collector.expect_ready().await;
    assert_eq!(publisher.losses(), 0);
    collector.stop().await;
}

#[tokio::test]
async fn an_object_without_uid_is_left_out_and_stops_nothing() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let uid = server.change(|cluster| {
        cluster.create("pods", pod("a-broken-one"));
        cluster.update("pods", "web/a-broken-one", |pod| pod["metadata"]["uid"] = Value::Null);
        cluster.create("pods", pod("shop-1"))
    });
    let collector = Collector::start(&server, &publisher);
    publisher.expect("the sound pod", |object| object.uid == uid).await;
    collector.expect_ready().await;
    assert_eq!(publisher.objects().len(), 1);
    let next = server.change(|cluster| {
        cluster.delete("pods", "web/a-broken-one");
        cluster.create("pods", pod("shop-2"))
    });
    publisher.expect("the next pod", |object| object.uid == next).await;
    assert_eq!(publisher.objects().len(), 2, "{:#?}", publisher.objects());
    collector.stop().await;
}

#[tokio::test]
async fn a_status_is_sent_at_the_start_and_each_half_minute() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let collector = Collector::start(&server, &publisher);
    let first = publisher.expect_status("a first status", |_| true).await;
    assert_eq!(first.description.node, "worker-1");
    assert_eq!(first.description.component.name(), "collector-misc");
    collector.expect_ready().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent = publisher.statuses().len();
    poll("another status", || {
        let statuses = publisher.statuses();
        if statuses.len() > sent { Ok(()) } else { Err(format!("{sent} of them")) }
    })
    .await;
    collector.stop().await;
}
