//! Trouble on demand, as a client meets it.

use crate::client::{client, create_pods, get, pod, poll, request, within};
use api_server::{ApiServer, Effect, Store, Trouble};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::WatchParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use std::pin::pin;
use std::time::{Duration, Instant};

#[tokio::test]
async fn refusals_come_as_often_as_they_are_asked_for() {
    let server = ApiServer::start();
    server
        .trouble(Trouble::of("list", "pods", Effect::Throttle { retry_after_seconds: 7 }).times(1));
    server.trouble(Trouble::of("list", "", Effect::InternalError).times(2));
    let answer = request(&server, reqwest::Method::GET, "/api/v1/pods", &[], None).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    let status: Value = answer.json().await.unwrap();
    assert_eq!(status["details"]["retryAfterSeconds"], 7);
    let (code, status) = get(&server, "/api/v1/nodes", &[]).await;
    assert_eq!((code, &status["reason"]), (500, &json!("InternalError")));
    assert_eq!(get(&server, "/api/v1/nodes", &[]).await.0, 200);
}

#[tokio::test]
async fn bodies_are_cut_ended_or_begun_wrongly() {
    let server = ApiServer::start();
    create_pods(&server, 30);
    server.trouble(Trouble::of("list", "pods", Effect::Cut { after_bytes: 1000 }).times(1));
    let answer = request(&server, reqwest::Method::GET, "/api/v1/pods", &[], None).await;
    let cut = within("the cut", answer.bytes()).await;
    assert!(cut.is_err(), "{cut:?}");
    server.trouble(Trouble::of("list", "pods", Effect::End { after_bytes: 1000 }).times(1));
    let answer = request(&server, reqwest::Method::GET, "/api/v1/pods", &[], None).await;
    assert_eq!(answer.bytes().await.unwrap().len(), 1000);
    let line = b"{\"type\":\"ADDED\",\"object\":{\"kind\"\n\xff\n".to_vec();
    server.trouble(Trouble::of("watch", "pods", Effect::Begin { with: line.clone() }).times(1));
    let path = "/api/v1/pods?watch=true&resourceVersion=0&timeoutSeconds=1";
    let answer =
        request(&server, reqwest::Method::GET, path, &[], None).await.bytes().await.unwrap();
    assert!(answer.starts_with(&line));
    assert_eq!(String::from_utf8_lossy(&answer).lines().count(), 32);
}

#[tokio::test]
async fn answers_are_late_or_slow() {
    let server = ApiServer::start();
    create_pods(&server, 10);
    let began = Instant::now();
    server.trouble(Trouble::of("", "", Effect::Delay(Duration::from_millis(300))).times(1));
    get(&server, "/api/v1/pods", &[]).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    let size = request(&server, reqwest::Method::GET, "/api/v1/pods", &[], None)
        .await
        .bytes()
        .await
        .unwrap()
        .len();
    let began = Instant::now();
    let rate = u32::try_from(size).unwrap() * 2;
    server.trouble(Trouble::of("", "", Effect::Slow { bytes_per_second: rate }).times(1));
    assert_eq!(get(&server, "/api/v1/pods", &[]).await.1["items"].as_array().unwrap().len(), 10);
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_silent_server_tells_all_once_it_speaks_again() {
    let server = ApiServer::start();
    let pods: Api<Pod> = Api::all(client(&server).await);
    let mut events = pin!(pods.watch(&WatchParams::default(), "1").await.unwrap());
    server.behave(|behaviour| behaviour.is_silent = true);
    create_pods(&server, 1);
    let told = tokio::time::timeout(Duration::from_millis(300), events.next()).await;
    assert!(told.is_err(), "{told:?}");
    server.behave(|behaviour| behaviour.is_silent = false);
    within("the pod", events.next()).await.unwrap().unwrap();
}

#[tokio::test]
async fn spoiled_and_huge_objects_are_sent_as_they_are() {
    let server = ApiServer::start();
    create_pods(&server, 2);
    server.change(|cluster| cluster.spoil("pods", "web/shop-001", b"nginx:1", b"\xff\xfe"));
    let answer = request(&server, reqwest::Method::GET, "/api/v1/pods", &[], None)
        .await
        .bytes()
        .await
        .unwrap();
    assert!(String::from_utf8(answer.to_vec()).is_err());
    assert!(answer.ends_with(b"]}\n"));
    let size = 100 << 20;
    let mut huge = pod("huge");
    huge["metadata"]["annotations"] = json!({"a": "x".repeat(size)});
    server.change(|cluster| cluster.create("pods", huge));
    let path = "/api/v1/namespaces/web/pods/huge";
    let answer =
        request(&server, reqwest::Method::GET, path, &[], None).await.bytes().await.unwrap();
    assert!(answer.len() > size, "{}", answer.len());
}

#[tokio::test]
async fn a_restarted_server_has_its_objects_but_no_history() {
    let mut server = ApiServer::start();
    create_pods(&server, 3);
    let version = server.look(Store::version);
    server.restart().await;
    let (_, list) = get(&server, "/api/v1/pods", &[]).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
    let path = format!("/api/v1/pods?watch=true&resourceVersion={version}");
    let (_, event) = get(&server, &path, &[]).await;
    assert_eq!(event["object"]["code"], 410, "{event}");
}

#[tokio::test]
async fn churn_changes_objects_until_it_is_dropped() {
    let server = ApiServer::start();
    server.fill(&api_server::Size::SMALL);
    let before = server.look(Store::version);
    let churn = server.churn(200);
    poll("200 changes", || match server.look(Store::version) - before {
        changes if changes >= 200 => Ok(()),
        changes => Err(format!("{changes} changes")),
    })
    .await;
    drop(churn);
    let pods: Api<Pod> = Api::all(client(&server).await);
    let list = pods.list(&kube::api::ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), 100);
    assert!(list.items.iter().any(|pod| pod.annotations().contains_key(api_server::CHANGED_AT)));
}
