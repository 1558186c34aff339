//! Watches, by kube's watcher with both of its strategies, and line by line.

use crate::client::{client, create_pods, get, pod, request, within};
use api_server::{ApiServer, GoneAs, Store, Streaming};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{WatchEvent, WatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher as watch;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, Error, ResourceExt};
use serde_json::{Value, json};
use std::pin::pin;
use std::time::Duration;

type Watched<K> = Result<Event<K>, watcher::Error>;

/// What a watcher tells until it has told all that is there: names, and the words for events.
async fn until_listed<K: ResourceExt>(
    events: &mut (impl Stream<Item = Watched<K>> + Unpin),
) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        match within("the end of the list", events.next()).await.unwrap().unwrap() {
            Event::Init => told.clear(),
            Event::InitApply(object) => told.push(object.name_any()),
            Event::InitDone => return told,
            Event::Apply(_) | Event::Delete(_) => panic!("a change before the list"),
        }
    }
}

async fn next<K: ResourceExt>(events: &mut (impl Stream<Item = Watched<K>> + Unpin)) -> String {
    match within("a change", events.next()).await.unwrap().unwrap() {
        Event::Apply(object) => format!("+{}", object.name_any()),
        Event::Delete(object) => format!("-{}", object.name_any()),
        Event::Init | Event::InitApply(_) | Event::InitDone => panic!("listed again"),
    }
}

async fn watcher_sees_all(config: Config) {
    let server = ApiServer::start();
    create_pods(&server, 12);
    let pods: Api<Pod> = Api::all(client(&server).await);
    let mut events = pin!(watch(pods, config));
    assert_eq!(until_listed(&mut events).await.len(), 12);
    server.change(|cluster| {
        cluster.create("pods", pod("shop-new"));
        cluster.update("pods", "web/shop-003", |pod| pod["metadata"]["labels"]["a"] = json!("b"));
        cluster.delete("pods", "web/shop-004");
    });
    assert_eq!(next(&mut events).await, "+shop-new");
    assert_eq!(next(&mut events).await, "+shop-003");
    assert_eq!(next(&mut events).await, "-shop-004");
    server.cut_connections();
    server.change(|cluster| cluster.delete("pods", "web/shop-005"));
    loop {
        // The cut itself is told first, or not, as the client noticed it.
        match within("the deletion", events.next()).await.unwrap() {
            Ok(Event::Delete(pod)) => break assert_eq!(pod.name_any(), "shop-005"),
            Ok(other) => panic!("{other:?}"),
            Err(_) => {}
        }
    }
}

#[tokio::test]
async fn the_watcher_reads_pages_and_then_changes() {
    watcher_sees_all(Config::default().page_size(5)).await;
}

#[tokio::test]
async fn the_watcher_reads_a_streamed_list_and_then_changes() {
    watcher_sees_all(Config::default().streaming_lists()).await;
}

#[tokio::test]
async fn a_watcher_of_metadata_reads_metadata_alone() {
    let server = ApiServer::start();
    create_pods(&server, 3);
    let pods: Api<PartialObjectMeta<Pod>> = Api::all(client(&server).await);
    let mut events = pin!(watch(pods, Config::default().streaming_lists()));
    assert_eq!(until_listed(&mut events).await.len(), 3);
    server.change(|cluster| cluster.delete("pods", "web/shop-001"));
    assert_eq!(next(&mut events).await, "-shop-001");
    let requests = server.all_requests();
    assert!(
        requests.iter().all(|seen| seen.accept.contains("as=PartialObjectMetadata")),
        "{requests:#?}"
    );
}

#[tokio::test]
async fn the_watcher_lists_again_when_its_version_is_gone() {
    let server = ApiServer::start();
    create_pods(&server, 2);
    let pods: Api<Pod> = Api::all(client(&server).await);
    let mut events = pin!(watch(pods, Config::default()));
    assert_eq!(until_listed(&mut events).await, ["shop-000", "shop-001"]);
    server.change(|cluster| {
        server.cut_connections();
        cluster.delete("pods", "web/shop-000");
        cluster.compact();
    });
    while !matches!(within("a new list", events.next()).await.unwrap(), Ok(Event::Init)) {}
    assert_eq!(until_listed(&mut events).await, ["shop-001"]);
}

#[tokio::test]
async fn that_a_version_is_gone_may_be_told_by_the_response() {
    let server = ApiServer::start();
    server.behave(|behaviour| behaviour.gone_as = GoneAs::Response);
    create_pods(&server, 2);
    server.change(Store::compact);
    let path = "/api/v1/pods?watch=true&resourceVersion=2";
    let (code, status) = get(&server, path, &[]).await;
    assert_eq!((code, &status["kind"]), (410, &json!("Status")), "{status}");
}

#[tokio::test]
async fn a_server_may_refuse_streamed_lists() {
    let server = ApiServer::start();
    server.behave(|behaviour| behaviour.streaming = Streaming::Refused);
    let pods: Api<Pod> = Api::all(client(&server).await);
    let mut events = pin!(watch(pods, Config::default().streaming_lists()));
    let error = loop {
        match within("a refusal", events.next()).await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    let watcher::Error::WatchStartFailed(Error::Api(status)) = error else { panic!("{error}") };
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    assert!(status.message.contains("WatchList feature gate"), "{}", status.message);
}

#[tokio::test]
async fn bookmarks_come_where_they_are_asked_for() {
    let server = ApiServer::start();
    server.behave(|behaviour| behaviour.bookmark_every = Duration::from_millis(50));
    create_pods(&server, 1);
    let pods: Api<Pod> = Api::all(client(&server).await);
    let version = server.look(Store::version);
    server.change(|cluster| cluster.create("configmaps", json!({"metadata": {"name": "other"}})));
    let events = pods.watch(&WatchParams::default(), &version.to_string()).await.unwrap();
    let first = within("a bookmark", pin!(events).next()).await.unwrap().unwrap();
    let WatchEvent::Bookmark(bookmark) = first else { panic!("{first:?}") };
    // It stands where the server stands, though nothing happened to pods.
    assert_eq!(bookmark.metadata.resource_version, (version + 1).to_string());
    let path = format!("/api/v1/pods?watch=true&resourceVersion={version}&timeoutSeconds=1");
    assert_eq!(get(&server, &path, &[]).await, (200, json!("")));
}

#[tokio::test]
async fn a_watch_ends_in_its_time_with_a_bookmark() {
    let server = ApiServer::start();
    create_pods(&server, 1);
    let path =
        "/api/v1/pods?watch=true&timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion=0";
    let answer =
        request(&server, reqwest::Method::GET, path, &[], None).await.text().await.unwrap();
    let events: Vec<Value> =
        answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ADDED", "BOOKMARK"]);
    assert_eq!(events[0]["object"]["kind"], "Pod");
    assert_eq!(events[0]["object"]["apiVersion"], "v1");
}

#[tokio::test]
async fn who_falls_behind_a_short_history_is_told_so() {
    let options = api_server::Options { history: 5, ..api_server::Options::default() };
    let server = ApiServer::start_with(options).unwrap();
    create_pods(&server, 20);
    let path = "/api/v1/pods?watch=true&resourceVersion=3&timeoutSeconds=5";
    let (code, event) = get(&server, path, &[]).await;
    assert_eq!(code, 200);
    assert_eq!(event["type"], "ERROR", "{event}");
    assert_eq!(event["object"]["kind"], "Status");
    assert_eq!(
        (&event["object"]["code"], &event["object"]["reason"]),
        (&json!(410), &json!("Expired"))
    );
    // Of other resources nothing is forgotten.
    let path = "/api/v1/nodes?watch=true&resourceVersion=3&timeoutSeconds=1";
    assert_eq!(get(&server, path, &[]).await, (200, json!("")));
}

#[tokio::test]
async fn a_selector_turns_changes_into_comings_and_goings() {
    let server = ApiServer::start();
    create_pods(&server, 2);
    let version = server.look(Store::version);
    server.change(|cluster| {
        cluster
            .update("pods", "web/shop-000", |pod| pod["metadata"]["labels"]["app"] = json!("till"));
        cluster
            .update("pods", "web/shop-000", |pod| pod["metadata"]["labels"]["app"] = json!("shop"));
        cluster.update("pods", "web/shop-001", |pod| pod["metadata"]["labels"]["a"] = json!("b"));
    });
    let path = format!(
        "/api/v1/pods?watch=1&resourceVersion={version}&timeoutSeconds=1&labelSelector=app%3Dshop"
    );
    let answer =
        request(&server, reqwest::Method::GET, &path, &[], None).await.text().await.unwrap();
    let kinds: Vec<Value> = answer
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].clone())
        .collect();
    assert_eq!(kinds, ["DELETED", "ADDED", "MODIFIED"]);
}

#[tokio::test]
async fn options_that_do_not_go_together_are_invalid() {
    let server = ApiServer::start();
    create_pods(&server, 1);
    for query in [
        "watch=true&sendInitialEvents=true",
        "watch=true&resourceVersionMatch=NotOlderThan",
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=1",
        "resourceVersionMatch=Exact",
        "resourceVersionMatch=Exact&resourceVersion=0",
        "resourceVersionMatch=Almost&resourceVersion=1",
    ] {
        let (code, status) = get(&server, &format!("/api/v1/pods?{query}"), &[]).await;
        assert_eq!((code, &status["reason"]), (422, &json!("Invalid")), "{query}: {status}");
    }
    for query in ["limit=many", "continue=%21", "watch=true&resourceVersion=new"] {
        let (code, status) = get(&server, &format!("/api/v1/pods?{query}"), &[]).await;
        assert_eq!((code, &status["reason"]), (400, &json!("BadRequest")), "{query}: {status}");
    }
}
