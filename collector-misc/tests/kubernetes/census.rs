//! Deletions that were lost, and how the backend comes to know of them.

use crate::harness::{Collector, Publisher, poll};
use api_server::ApiServer;
use event_model::{KubernetesCensus, KubernetesObject};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn pod(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "web"},
        "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
    })
}

/// Whether a backend that was told of the object finds it to be gone by one of these.
fn is_found_gone(object: &KubernetesObject, censuses: &[KubernetesCensus]) -> bool {
    let version = |text: &str| text.parse::<u64>().unwrap();
    let made = object.created_at.unwrap();
    censuses.iter().any(|census| {
        census.kind == object.kind
            && version(&object.resource_version) <= version(&census.resource_version)
            && made <= census.taken_at
            && !census.spares(&object.uid)
    })
}

/// Waits until what was told so far is found to be gone but for these.
async fn expect_living(publisher: &Publisher, told: &[KubernetesObject], living: &[&str]) {
    poll("census that finds who is gone", || {
        let censuses = publisher.censuses();
        let left = told.iter().filter(|object| !is_found_gone(object, &censuses));
        let left: BTreeSet<&str> = left.map(|object| object.name.as_str()).collect();
        if left == living.iter().copied().collect() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_deletion_that_is_lost_is_shown_by_the_next_snapshot() {
    let (server, mut publisher) = (ApiServer::start(), Publisher::start());
    let lost = server.change(|cluster| {
        cluster.create("pods", pod("shop-1"));
        cluster.create("pods", pod("shop-2"))
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    publisher.expect("the pod that goes", |object| object.uid == lost).await;
    let told = publisher.objects();
    expect_living(&publisher, &told, &["shop-1", "shop-2"]).await;
    publisher.lose_deletions();
    server.change(|cluster| cluster.delete("pods", "web/shop-2"));
    poll("deletion that is lost", || match publisher.lost_deletions() {
        0 => Err("none yet".to_owned()),
        _ => Ok(()),
    })
    .await;
    publisher.restart().await;
    expect_living(&publisher, &told, &["shop-1"]).await;
    assert!(publisher.objects().iter().all(|object| !object.deleted));
    collector.stop().await;
}

#[tokio::test]
async fn what_was_deleted_while_no_collector_ran_is_shown_by_its_first_census() {
    let (server, mut publisher) = (ApiServer::start(), Publisher::start());
    server.change(|cluster| {
        cluster.create("pods", pod("shop-1"));
        cluster.create("pods", pod("shop-2"));
    });
    let first = Collector::start(&server, &publisher);
    first.expect_ready().await;
    poll("both pods", || match publisher.objects() {
        told if told.len() == 2 => Ok(()),
        told => Err(format!("{told:?}")),
    })
    .await;
    let told = publisher.objects();
    first.stop().await;
    publisher.restart().await;
    server.change(|cluster| cluster.delete("pods", "web/shop-1"));
    let second = Collector::start(&server, &publisher);
    expect_living(&publisher, &told, &["shop-2"]).await;
    second.stop().await;
}

/// Who is named by censuses of pods, where these go on where the one before ended, from the first to the last.
fn whole_round(censuses: &[KubernetesCensus]) -> Result<BTreeSet<String>, String> {
    let (mut after, mut named) = (None, BTreeSet::new());
    for census in censuses.iter().filter(|census| census.kind == "Pod") {
        if census.after != after {
            return Err(format!("one begins behind {:?}, not {after:?}", census.after));
        }
        assert!(census.is_sorted() && census.uids.len() <= 1024);
        named.extend(census.uids.iter().map(ToString::to_string));
        after = census.through;
        if after.is_none() {
            return Ok(named);
        }
    }
    Err(format!("{} named, and no end", named.len()))
}

#[tokio::test]
async fn a_large_cluster_is_counted_in_parts_without_a_gap() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let uids: BTreeSet<String> = server.change(|cluster| {
        (0..10_000).map(|number| cluster.create("pods", pod(&format!("shop-{number}")))).collect()
    });
    let collector = Collector::start(&server, &publisher);
    let named = poll("whole census", || whole_round(&publisher.censuses())).await;
    assert_eq!(named.len(), uids.len());
    assert!(named == uids, "others are named than there are");
    let empty = publisher.censuses().into_iter().find(|census| census.kind == "Deployment");
    let empty = empty.expect("a kind of which there is none is counted too");
    assert_eq!((empty.group.as_str(), empty.uids.len()), ("apps", 0));
    collector.stop().await;
}

#[tokio::test]
async fn a_kind_of_which_one_cannot_be_told_apart_is_not_counted() {
    let (server, mut publisher) = (ApiServer::start(), Publisher::start());
    server.change(|cluster| {
        cluster.create("pods", pod("a-broken-one"));
        cluster.update("pods", "web/a-broken-one", |pod| pod["metadata"]["uid"] = Value::Null);
        cluster.create("pods", pod("shop-1"));
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    // From here on pods have their turn before others do.
    publisher.restart().await;
    poll("census of a later kind", || {
        let censuses = publisher.censuses();
        let kinds: Vec<_> = censuses.iter().map(|census| census.kind.clone()).collect();
        let is_there = kinds.iter().any(|kind| kind == "ConfigMap");
        if is_there { Ok(()) } else { Err(format!("{kinds:?}")) }
    })
    .await;
    assert!(publisher.censuses().iter().all(|census| census.kind != "Pod"));
    collector.stop().await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_counted_by_its_uid() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let uid = server.change(|cluster| {
        let uid = cluster.create("pods", pod("shop-1"));
        cluster.update("pods", "web/shop-1", |pod| pod["spec"]["containers"] = json!(7));
        uid
    });
    let collector = Collector::start(&server, &publisher);
    let named = poll("whole census", || whole_round(&publisher.censuses())).await;
    assert_eq!(named, [uid].into());
    assert_eq!(publisher.objects().len(), 0, "it can be read: {:?}", publisher.objects());
    collector.stop().await;
}
