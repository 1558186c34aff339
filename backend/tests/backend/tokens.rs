//! Publishers that prove who they are by a bearer token.

use crate::publisher::{Publisher, channel, hello_of};
use crate::records::numbered;
use crate::running::Backend;
use event_model::{Lane, SourceId};
use std::fs;
use std::path::Path;
use tonic::{Code, Status};

const OF_CLUSTER: &str = "b25lIG9mIGEgd2hvbGUgY2x1c3Rlcg==";
const OF_NODE: &str = "b25lIG9mIGEgc2luZ2xlIG5vZGU=";
const EXPIRED: &str = "b25lIHRoYXQgaGFzIGV4cGlyZWQ=";

/// As `sha256sum` prints them.
const SHA256_OF_CLUSTER: &str = "b77c5ecbbdfaf80a65b0fdce8a9d298517cb0a7c6acb68900d4325c18ad28297";
const SHA256_OF_NODE: &str = "957f33daff93697638ebf7ba09013235db447f6ea58a427e8949157f06375666";
const SHA256_EXPIRED: &str = "b01a44fa4a171df3c44f82007a479beace4ccc45eb39a6d3501f7adc87d52cf5";

fn write_tokens(folder: &Path, lines: &[String]) {
    // As an editor does it: written beside and renamed.
    let beside = folder.join("tokens.new");
    fs::write(&beside, format!("tokens:\n{}\n", lines.join("\n"))).unwrap();
    fs::rename(beside, folder.join("tokens.yaml")).unwrap();
}

fn all() -> Vec<String> {
    vec![
        format!("- {{ cluster: edge-7, sha256: {SHA256_OF_CLUSTER} }}"),
        format!("- {{ cluster: edge-8, node: node-8, sha256: {SHA256_OF_NODE} }}"),
        format!(
            "- {{ cluster: edge-9, sha256: {SHA256_EXPIRED}, expires: '2020-01-01T00:00:00Z' }}"
        ),
    ]
}

async fn backend() -> Backend {
    Backend::start_with(|config, folder| {
        write_tokens(folder, &all());
        config["ingest"]["tokens_file"] = folder.join("tokens.yaml").to_str().unwrap().into();
    })
    .await
}

async fn connect(backend: &Backend, token: &str, node: &str) -> Result<Publisher, Status> {
    let channel = channel(backend, None).await?;
    let bearer = format!("Bearer {token}");
    Publisher::greet_by(channel, hello_of(node, 1, 1), Some(&bearer)).await
}

#[tokio::test]
async fn cluster_and_node_come_from_the_token() {
    let backend = backend().await;
    for (token, says) in [(OF_CLUSTER, "node-1"), (OF_NODE, "node-2")] {
        let mut publisher = connect(&backend, token, says).await.unwrap();
        publisher.send(SourceId::generate(), 1, &[numbered(1)]).await;
        publisher.acknowledged(Lane::Telemetry, 1).await;
    }
    let events = backend.all("/api/v1/events").await;
    let place = |event: &serde_json::Value| {
        format!("{}/{}", event["cluster"].as_str().unwrap(), event["node"].as_str().unwrap())
    };
    let mut places: Vec<_> = events.iter().map(place).collect();
    places.sort_unstable();
    assert_eq!(places, ["edge-7/node-1", "edge-8/node-8"], "{events:#?}");
}

#[tokio::test]
async fn without_a_certificate_only_a_token_that_counts_is_let_in() {
    let backend = backend().await;
    for (authorization, expected) in [
        (None, "neither a client certificate nor a bearer token"),
        (Some("Bearer bm9ib2R5IGtub3dzIHRoaXM="), "is not known here"),
        (Some("Basic am9lOmh1bnRlcjI="), "neither a client certificate nor a bearer token"),
        (Some(&*format!("Bearer {SHA256_OF_CLUSTER}")), "is not known here"),
        (Some(&*format!("Bearer {EXPIRED}")), "has expired"),
    ] {
        let channel = channel(&backend, None).await.unwrap();
        let greeted = Publisher::greet_by(channel, hello_of("n", 1, 1), authorization).await;
        let status = greeted.err().unwrap_or_else(|| panic!("let in: {authorization:?}"));
        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
        assert!(status.message().contains(expected), "{status:?}");
    }
    for token in [OF_CLUSTER, OF_NODE, EXPIRED, "bm9ib2R5IGtub3dzIHRoaXM="] {
        assert!(!backend.log().contains(token), "a token is in the log:\n{}", backend.log());
    }
}

#[tokio::test]
async fn certificates_go_on_to_count_beside_tokens() {
    let backend = backend().await;
    Publisher::connect(&backend, "node-1").await;
    let stranger = crate::authority::Authority::new().publisher("node-1");
    let connected = Publisher::connect_as(&backend, Some(&stranger)).await;
    assert!(connected.is_err(), "a certificate of another authority was let in");
}

#[tokio::test]
async fn a_token_means_nothing_where_none_are_configured() {
    let backend = Backend::start().await;
    assert!(connect(&backend, OF_CLUSTER, "node-1").await.is_err());
}

#[tokio::test]
async fn a_token_that_is_taken_out_ends_its_streams_and_no_others() {
    let backend = backend().await;
    let mut withdrawn = connect(&backend, OF_CLUSTER, "node-1").await.unwrap();
    let mut stays = connect(&backend, OF_NODE, "node-8").await.unwrap();
    write_tokens(backend.folder.path(), &all()[1..]);
    let ended = withdrawn.ended().await;
    assert_eq!(ended.code(), Code::Unauthenticated, "{ended:?}");
    assert!(ended.message().contains("withdrawn"), "{ended:?}");
    assert!(connect(&backend, OF_CLUSTER, "node-1").await.is_err());
    stays.send(SourceId::generate(), 1, &[numbered(1)]).await;
    stays.acknowledged(Lane::Telemetry, 1).await;
}

#[tokio::test]
async fn a_token_that_is_replaced_by_another_of_the_same_cluster_ends_its_streams() {
    let backend = backend().await;
    let mut leaked = connect(&backend, OF_CLUSTER, "node-1").await.unwrap();
    // Whose it is does not matter: that of the node is the cluster's from now on.
    let successor = format!("- {{ cluster: edge-7, sha256: {SHA256_OF_NODE} }}");
    write_tokens(backend.folder.path(), &[successor]);
    let ended = leaked.ended().await;
    assert!(ended.message().contains("withdrawn"), "{ended:?}");
    assert!(connect(&backend, OF_CLUSTER, "node-1").await.is_err());
    connect(&backend, OF_NODE, "node-1").await.unwrap();
}

#[tokio::test]
async fn a_broken_file_of_tokens_changes_nothing_and_is_told() {
    let backend = backend().await;
    fs::write(backend.folder.path().join("tokens.yaml"), "tokens: [{ cluster: a }]").unwrap();
    backend.expect_log("the last good one stays").await;
    connect(&backend, OF_CLUSTER, "node-1").await.unwrap();
}
