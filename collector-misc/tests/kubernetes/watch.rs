//! Lists and watches, from a test API server to a real publisher's socket.

use crate::api_server::{ApiServer, GoneAs, Streaming};
use crate::harness::{Collector, Publisher, poll};
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
    let begins_list =
        |query: &&String| query.contains("sendInitialEvents") || query.contains("limit=");
    requests.iter().filter(begins_list).filter(|query| !query.contains("continue=")).count()
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
    server.change(|cluster| cluster.update("pods", "shop-2", label("app", "till")));
    publisher
        .expect("the changed pod", |object| {
            object.uid == new_pod && object.labels.get("app").is_some_and(|app| app == "till")
        })
        .await;
    server.change(|cluster| cluster.delete("pods", "shop-2"));
    let sent =
        publisher.expect("the deletion", |object| object.uid == new_pod && object.deleted).await;
    assert_eq!((sent.namespace.as_deref(), sent.name.as_str()), (Some("web"), "shop-2"));

    let requests = server.requests("pods");
    assert!(requests.iter().any(|query| query.contains("sendInitialEvents=true")), "{requests:?}");
    assert!(!requests.iter().any(|query| query.contains("limit=")), "{requests:?}");
    assert_eq!(publisher.losses(), 0);
    collector.stop().await;
}

#[tokio::test]
async fn a_server_without_streaming_lists_is_read_page_by_page() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let uids: BTreeSet<String> = server.change(|cluster| {
        cluster.streaming = Streaming::Refused;
        (0..250).map(|number| cluster.create("pods", pod(&format!("shop-{number}")))).collect()
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    poll("250 pods", || {
        let sent: BTreeSet<String> =
            publisher.objects().into_iter().map(|object| object.uid).collect();
        if sent == uids { Ok(()) } else { Err(format!("{} of them", sent.len())) }
    })
    .await;
    let requests = server.requests("pods");
    let pages = requests.iter().filter(|query| query.contains("limit=100")).count();
    let continued = requests.iter().filter(|query| query.contains("continue=")).count();
    assert_eq!((pages, continued), (3, 2), "{requests:#?}");
    server.change(|cluster| cluster.delete("pods", "shop-7"));
    publisher.expect("a deletion", |object| object.deleted && object.name == "shop-7").await;
    collector.stop().await;
}

#[tokio::test]
async fn a_server_that_ignores_the_wish_for_streaming_is_found_out() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let uid = server.change(|cluster| {
        cluster.streaming = Streaming::Ignored;
        cluster.create("pods", pod("shop-1"))
    });
    let collector = Collector::start(&server, &publisher);
    publisher.expect("the pod", |object| object.uid == uid).await;
    collector.expect_unready("pods are not listed yet").await;
    collector.expect_ready().await;
    assert!(server.requests("pods").iter().any(|query| query.contains("limit=100")));
    collector.stop().await;
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
        server.cut_watches();
        let name = format!("shop-{number}");
        let uid = server.change(|cluster| cluster.create("pods", pod(&name)));
        publisher.expect(&name, |object| object.uid == uid).await;
    }
    assert_eq!(publisher.objects().len(), 4, "{:#?}", publisher.objects());
    assert_eq!(lists(&server.requests("pods")), 1, "{:#?}", server.requests("pods"));
    collector.stop().await;
}

#[tokio::test]
async fn a_list_that_expires_between_two_pages_is_begun_anew() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    server.change(|cluster| {
        cluster.streaming = Streaming::Refused;
        cluster.lists_to_expire = 2;
        for number in 0..150 {
            cluster.create("pods", pod(&format!("shop-{number}")));
        }
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    poll("all 150 pods", || {
        let sent: BTreeSet<String> =
            publisher.objects().into_iter().map(|object| object.uid).collect();
        if sent.len() == 150 { Ok(()) } else { Err(format!("{} of them", sent.len())) }
    })
    .await;
    assert!(publisher.objects().iter().all(|object| !object.deleted));
    assert_eq!(lists(&server.requests("pods")), 4, "{:#?}", server.requests("pods"));
    collector.stop().await;
}

async fn survives_gone(gone_as: GoneAs, streaming: Streaming) {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let (lost, kept) = server.change(|cluster| {
        cluster.gone_as = gone_as;
        cluster.streaming = streaming;
        (cluster.create("pods", pod("shop-1")), cluster.create("pods", pod("shop-2")))
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    publisher.expect("the first pod", |object| object.uid == lost).await;
    // While nobody watches, one goes, one comes, and the history of both is forgotten.
    let new = server.change(|cluster| {
        server.cut_watches();
        cluster.delete("pods", "shop-1");
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
    survives_gone(GoneAs::Event, Streaming::Offered).await;
    survives_gone(GoneAs::Event, Streaming::Refused).await;
}

#[tokio::test]
async fn a_version_that_is_gone_is_survived_when_the_response_says_so() {
    survives_gone(GoneAs::Response, Streaming::Offered).await;
    survives_gone(GoneAs::Response, Streaming::Refused).await;
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
        .expect_status("a status with both problems", |status| status.problems.len() == 2)
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
    let uid = server.change(|cluster| {
        cluster.token = "another".to_owned();
        cluster.create("pods", pod("shop-1"))
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_unready("does not accept our credentials (401); check the service").await;
    publisher
        .expect_status("a status that says so", |status| {
            status.problems.iter().any(|problem| problem.contains("(401)"))
        })
        .await;
    server.change(|cluster| cluster.token = crate::api_server::TOKEN.to_owned());
    publisher.expect("the pod", |object| object.uid == uid).await;
    collector.expect_ready().await;
    collector.stop().await;
}

#[tokio::test]
async fn what_is_forbidden_is_named_and_the_rest_goes_on() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let uid = server.change(|cluster| {
        cluster.forbidden.insert("pods".to_owned());
        cluster.create("nodes", node("worker-1"))
    });
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
        cluster.update("pods", "a-broken-one", |pod| pod["metadata"]["uid"] = Value::Null);
        cluster.create("pods", pod("shop-1"))
    });
    let collector = Collector::start(&server, &publisher);
    publisher.expect("the sound pod", |object| object.uid == uid).await;
    collector.expect_ready().await;
    assert_eq!(publisher.objects().len(), 1);
    let next = server.change(|cluster| {
        cluster.delete("pods", "a-broken-one");
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
