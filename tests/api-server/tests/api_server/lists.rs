//! Lists, as kube's client reads them.

use crate::client::{client, create_pods, get, pod};
use api_server::ApiServer;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, VersionMatch};
use kube::{Api, Error, ResourceExt};
use serde_json::json;

fn names(pods: &[Pod]) -> Vec<String> {
    pods.iter().map(ResourceExt::name_any).collect()
}

fn code(error: Error) -> (u16, String) {
    match error {
        Error::Api(status) => (status.code, status.reason.clone()),
        other => panic!("not told by the server: {other}"),
    }
}

#[tokio::test]
async fn pages_show_the_cluster_as_it_was_at_the_first() {
    let server = ApiServer::start();
    create_pods(&server, 10);
    let pods: Api<Pod> = Api::all(client(&server).await);
    let first = pods.list(&ListParams::default().limit(4)).await.unwrap();
    assert_eq!(names(&first.items), ["shop-000", "shop-001", "shop-002", "shop-003"]);
    assert_eq!(first.metadata.remaining_item_count, Some(6));
    server.change(|cluster| {
        cluster.delete("pods", "web/shop-005");
        cluster.create("pods", pod("shop-0055"));
        cluster.update("pods", "web/shop-006", |pod| {
            pod["metadata"]["labels"] = json!({"new": "yes"});
        });
    });
    let mut token = first.metadata.continue_.clone();
    let mut rest = Vec::new();
    while let Some(next) = token.filter(|token| !token.is_empty()) {
        let page = pods.list(&ListParams::default().limit(4).continue_token(&next)).await.unwrap();
        assert_eq!(page.metadata.resource_version, first.metadata.resource_version);
        token = page.metadata.continue_.clone();
        rest.extend(page.items);
    }
    let expected = ["shop-004", "shop-005", "shop-006", "shop-007", "shop-008", "shop-009"];
    assert_eq!(names(&rest), expected);
    assert!(!rest[2].labels().contains_key("new"), "{:?}", rest[2].labels());
    let now = pods.list(&ListParams::default()).await.unwrap();
    assert!(names(&now.items).contains(&"shop-0055".to_owned()));
    assert!(!names(&now.items).contains(&"shop-005".to_owned()));
}

#[tokio::test]
async fn a_token_that_expired_comes_with_one_to_go_on_by() {
    let server = ApiServer::start();
    create_pods(&server, 10);
    let pods: Api<Pod> = Api::all(client(&server).await);
    let first = pods.list(&ListParams::default().limit(4)).await.unwrap();
    server.change(|cluster| {
        cluster.delete("pods", "web/shop-004");
        cluster.compact();
    });
    let token = first.metadata.continue_.unwrap();
    let error =
        pods.list(&ListParams::default().limit(4).continue_token(&token)).await.unwrap_err();
    assert_eq!(code(error), (410, "Expired".to_owned()));
    let path = format!("/api/v1/pods?limit=100&continue={token}");
    let (_, status) = get(&server, &path, &[]).await;
    let fresh = status["metadata"]["continue"].as_str().unwrap();
    let rest = pods.list(&ListParams::default().continue_token(fresh)).await.unwrap();
    assert_eq!(names(&rest.items)[0], "shop-005");
    assert_eq!(rest.items.len(), 5);
}

#[tokio::test]
async fn a_list_of_an_exact_version_is_that_of_then() {
    let server = ApiServer::start();
    create_pods(&server, 3);
    let pods: Api<Pod> = Api::namespaced(client(&server).await, "web");
    let before =
        pods.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    server.change(|cluster| cluster.delete("pods", "web/shop-001"));
    let exact = ListParams::default().at(&before).matching(VersionMatch::Exact);
    assert_eq!(pods.list(&exact).await.unwrap().items.len(), 3);
    let fresh = ListParams::default().at(&before).matching(VersionMatch::NotOlderThan);
    assert_eq!(pods.list(&fresh).await.unwrap().items.len(), 2);
    server.change(api_server::Store::compact);
    assert_eq!(code(pods.list(&exact).await.unwrap_err()), (410, "Expired".to_owned()));
    let future = ListParams::default().at("1000000").matching(VersionMatch::NotOlderThan);
    assert_eq!(code(pods.list(&future).await.unwrap_err()), (504, "Timeout".to_owned()));
}

#[tokio::test]
async fn lists_are_of_a_namespace_and_of_what_selectors_select() {
    let server = ApiServer::start();
    create_pods(&server, 2);
    server.change(|cluster| {
        cluster.create(
            "pods",
            json!({"metadata": {"name": "till", "namespace": "web-2", "labels": {"app": "till"}}}),
        )
    });
    let all: Api<Pod> = Api::all(client(&server).await);
    let web: Api<Pod> = Api::namespaced(client(&server).await, "web");
    let selected =
        async |api: &Api<Pod>, parameters| names(&api.list(&parameters).await.unwrap().items);
    assert_eq!(selected(&web, ListParams::default()).await, ["shop-000", "shop-001"]);
    assert_eq!(selected(&all, ListParams::default().labels("app=till")).await, ["till"]);
    assert_eq!(selected(&all, ListParams::default().labels("app in (till,x)")).await, ["till"]);
    assert_eq!(selected(&all, ListParams::default().labels("app,app!=shop")).await, ["till"]);
    assert_eq!(
        selected(&all, ListParams::default().fields("metadata.name=shop-001")).await,
        ["shop-001"]
    );
    assert_eq!(
        selected(&all, ListParams::default().fields("metadata.namespace!=web")).await,
        ["till"]
    );
    assert_eq!(
        selected(&all, ListParams::default().fields("spec.nodeName=worker-1")).await.len(),
        2
    );
    let error = all.list(&ListParams::default().fields("spec.hostname=a")).await.unwrap_err();
    assert_eq!(code(error), (400, "BadRequest".to_owned()));
}

#[tokio::test]
async fn metadata_alone_is_sent_where_it_is_asked_for() {
    let server = ApiServer::start();
    create_pods(&server, 3);
    let pods: Api<Pod> = Api::all(client(&server).await);
    let listed = pods.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items.len(), 3);
    assert_eq!(listed.items[0].labels()["app"], "shop");
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let (_, list) = get(&server, "/api/v1/pods", &[("accept", accept)]).await;
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["apiVersion"], "meta.k8s.io/v1");
    assert_eq!(list["items"][0]["kind"], "PartialObjectMetadata");
    assert!(list["items"][0]["spec"].is_null(), "{}", list["items"][0]);
    let accept = "application/vnd.kubernetes.protobuf";
    let (code, status) = get(&server, "/api/v1/pods", &[("accept", accept)]).await;
    assert_eq!((code, &status["reason"]), (406, &json!("NotAcceptable")));
}

#[tokio::test]
async fn a_list_is_compressed_only_where_it_is_asked_for() {
    let server = ApiServer::start();
    create_pods(&server, 3);
    let plain =
        crate::client::request(&server, reqwest::Method::GET, "/api/v1/pods", &[], None).await;
    assert!(plain.headers().get("content-encoding").is_none());
    let headers = [("accept-encoding", "gzip")];
    let response =
        crate::client::request(&server, reqwest::Method::GET, "/api/v1/pods", &headers, None).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let bytes = response.bytes().await.unwrap();
    let list: serde_json::Value =
        serde_json::from_reader(flate2::read::GzDecoder::new(&bytes[..])).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
}
