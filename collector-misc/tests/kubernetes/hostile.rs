//! Objects that no API server should send, and some that it may: carried or counted, and never the end.

use crate::harness::{Collector, Publisher};
use api_server::ApiServer;
use event_model::LossReason;
use serde_json::{Value, json};

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "web", "labels": {"app": "shop-label"}},
        "spec": {"containers": [{"name": "main", "image": "nginx:1"}], "schedulerName": "some-scheduler"}})
}

/// A server with pods before and behind one that was spoiled so.
fn server_with(from: &str, to: &[u8]) -> ApiServer {
    let server = ApiServer::start();
    server.change(|cluster| {
        for name in ["a-before", "hostile", "z-behind"] {
            cluster.create("pods", pod(name));
        }
        cluster.spoil("pods", "web/hostile", from.as_bytes(), to);
    });
    server
}

#[tokio::test]
async fn an_object_of_a_hundred_mebibytes_is_told_by_its_name() {
    let server = server_with("some-scheduler", &vec![b'x'; 100 << 20]);
    let publisher = Publisher::start();
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    let told = publisher.expect("the large pod", |it| it.name == "hostile").await;
    assert!(told.attributes["truncated"].ends_with("bytes"), "{told:?}");
    publisher.expect("the pod behind it", |it| it.name == "z-behind").await;
    assert_eq!(publisher.losses(), 0);
    collector.stop().await;
}

#[tokio::test]
async fn an_object_that_is_no_text_is_told_as_far_as_it_is() {
    let server = server_with("shop-label", b"shop-\xff\xfe");
    let publisher = Publisher::start();
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    let told = publisher.expect("the pod", |it| it.name == "hostile").await;
    assert_eq!(told.labels["app"], "shop-\u{fffd}\u{fffd}");
    publisher.expect("the pod behind it", |it| it.name == "z-behind").await;
    collector.stop().await;
}

#[tokio::test]
async fn an_object_of_another_shape_is_counted_as_lost_and_the_rest_comes() {
    let server = server_with(r#""nginx:1""#, br#"{"not":["a","name"]}"#);
    let publisher = Publisher::start();
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    publisher.expect("the pod behind it", |it| it.name == "z-behind").await;
    let lost = publisher.expect_loss(LossReason::Undecodable).await;
    assert_eq!((lost.kind.as_str(), lost.count), ("kubernetes_object", 1));
    assert!(publisher.objects().iter().all(|it| it.name != "hostile"));
    collector.stop().await;
}

#[tokio::test]
async fn an_object_that_becomes_unreadable_is_not_told_gone_and_comes_back() {
    let (mut server, publisher) = (ApiServer::start(), Publisher::start());
    server.change(|cluster| cluster.create("pods", pod("hostile")));
    let collector = Collector::start(&server, &publisher);
    publisher.expect("the pod", |it| it.name == "hostile").await;
    let (good, bad) = (br#""nginx:1""#, br#"{"not":["a","name"]}"#);
    server.change(|cluster| cluster.spoil("pods", "web/hostile", good, bad));
    server.restart().await;
    publisher.expect_loss(LossReason::Undecodable).await;
    server.change(|cluster| {
        cluster.spoil("pods", "web/hostile", bad, br#""nginx:2""#);
        cluster.update("pods", "web/hostile", |pod| {
            pod["metadata"]["labels"]["app"] = json!("mended");
        });
    });
    publisher
        .expect("the mended pod", |it| it.labels.get("app").is_some_and(|app| app == "mended"))
        .await;
    assert!(publisher.objects().iter().all(|it| !it.deleted), "{:#?}", publisher.objects());
    collector.stop().await;
}

#[tokio::test]
async fn a_hundred_thousand_variables_are_left_out_unread() {
    let server = ApiServer::start();
    server.change(|cluster| {
        let environment: Vec<_> = (0..100_000).map(|_| json!({"name": "A"})).collect();
        cluster.create("deployments.apps", json!({"metadata": {"name": "wide", "namespace": "web"},
            "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "nginx", "env": environment}]}}}}));
    });
    let publisher = Publisher::start();
    let collector = Collector::start(&server, &publisher);
    let told = publisher.expect("the deployment", |it| it.name == "wide").await;
    assert_eq!(told.configuration, None);
    assert!(told.attributes.contains_key("configurationLeftOut"), "{told:?}");
    assert_eq!(told.containers[0].image, "nginx");
    collector.expect_ready().await;
    collector.stop().await;
}

#[tokio::test]
async fn labels_and_annotations_beyond_measure_are_cut() {
    let server = ApiServer::start();
    server.change(|cluster| {
        let mut hostile = pod("hostile");
        let labels = (0..5000).map(|number| (format!("label-{number}"), json!("x".repeat(63))));
        hostile["metadata"]["labels"] = Value::Object(labels.collect());
        hostile["metadata"]["annotations"] =
            json!({"evil": "\u{202e}\u{0}".repeat(60_000), "k8s.io/initial-events-end": "true"});
        cluster.create("pods", hostile);
    });
    let publisher = Publisher::start();
    let collector = Collector::start(&server, &publisher);
    let told = publisher.expect("the pod", |it| it.name == "hostile").await;
    assert_eq!(told.attributes["truncated"], "true");
    assert!(told.labels.len() <= 128);
    collector.expect_ready().await;
    collector.stop().await;
}
