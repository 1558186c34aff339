//! Creation, change and deletion, custom resources, and discovery.

use crate::client::{client, get, request};
use api_server::{ApiServer, Store};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions,
};
use kube::core::Status;
use kube::discovery::{Discovery, Scope};
use kube::{Api, Error, ResourceExt};
use serde_json::{Value, json};

fn config_map(value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": "settings"}, "data": {"a": value}})).unwrap()
}

fn status(error: Error) -> Status {
    match error {
        Error::Api(status) => *status,
        other => panic!("not told by the server: {other}"),
    }
}

#[tokio::test]
async fn the_server_gives_identity_time_and_version() {
    let server = ApiServer::start();
    let maps: Api<ConfigMap> = Api::default_namespaced(client(&server).await);
    let created = maps.create(&PostParams::default(), &config_map("1")).await.unwrap();
    assert_eq!(created.uid().unwrap().len(), 36);
    assert!(created.creation_timestamp().is_some());
    assert_eq!(created.namespace().as_deref(), Some("default"));
    assert_eq!(created.managed_fields().len(), 1);
    assert_eq!(created.resource_version(), Some(server.look(Store::version).to_string()));
    let refused = status(maps.create(&PostParams::default(), &config_map("1")).await.unwrap_err());
    assert_eq!((refused.code, refused.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(refused.message, "configmaps \"settings\" already exists");
}

#[tokio::test]
async fn who_changes_what_he_read_too_long_ago_is_refused() {
    let server = ApiServer::start();
    let maps: Api<ConfigMap> = Api::default_namespaced(client(&server).await);
    let mut stale = maps.create(&PostParams::default(), &config_map("1")).await.unwrap();
    let patch = Patch::Merge(json!({"data": {"a": "2", "b": "3"}}));
    let patched = maps.patch("settings", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(patched.data.as_ref().unwrap()["a"], "2");
    stale.data = None;
    let refused = maps.replace("settings", &PostParams::default(), &stale).await.unwrap_err();
    let refused = status(refused);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    assert!(refused.message.contains("the object has been modified"), "{}", refused.message);
    let replaced = maps.replace("settings", &PostParams::default(), &patched).await.unwrap();
    assert_eq!(replaced.resource_version(), patched.resource_version(), "nothing was changed");
}

#[tokio::test]
async fn a_lease_is_replaced_only_by_who_states_its_version() {
    let server = ApiServer::start();
    let leases: Api<Lease> = Api::default_namespaced(client(&server).await);
    let lease = |holder: &str| -> Lease {
        serde_json::from_value(
            json!({"metadata": {"name": "leader"}, "spec": {"holderIdentity": holder}}),
        )
        .unwrap()
    };
    let first = leases.create(&PostParams::default(), &lease("a")).await.unwrap();
    let refused = leases.replace("leader", &PostParams::default(), &lease("b")).await.unwrap_err();
    assert_eq!(status(refused).code, 422);
    let mut next = lease("b");
    next.metadata.resource_version = first.resource_version();
    leases.replace("leader", &PostParams::default(), &next).await.unwrap();
    let refused = leases.replace("leader", &PostParams::default(), &next).await.unwrap_err();
    assert_eq!(status(refused).reason, "Conflict");
}

#[tokio::test]
async fn a_deletion_may_demand_what_it_deletes_and_waits_for_finalizers() {
    let server = ApiServer::start();
    let maps: Api<ConfigMap> = Api::default_namespaced(client(&server).await);
    let mut held = config_map("1");
    held.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
    maps.create(&PostParams::default(), &held).await.unwrap();
    let preconditions = Preconditions { uid: Some("another".to_owned()), resource_version: None };
    let other = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    assert_eq!(status(maps.delete("settings", &other).await.unwrap_err()).reason, "Conflict");
    maps.delete("settings", &DeleteParams::default()).await.unwrap();
    assert!(maps.get("settings").await.unwrap().metadata.deletion_timestamp.is_some());
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("settings", &PatchParams::default(), &patch).await.unwrap();
    let gone = status(maps.get("settings").await.unwrap_err());
    assert_eq!((gone.code, gone.message.as_str()), (404, "configmaps \"settings\" not found"));
}

#[tokio::test]
async fn status_is_written_by_its_own_door() {
    let server = ApiServer::start();
    let pods: Api<Pod> = Api::default_namespaced(client(&server).await);
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "a"}]},
        "status": {"phase": "Running"},
    }))
    .unwrap();
    let created = pods.create(&PostParams::default(), &pod).await.unwrap();
    assert_eq!(created.status, None);
    let patch = Patch::Merge(json!({"status": {"phase": "Failed"}, "spec": {"nodeName": "x"}}));
    let patched = pods.patch_status("a", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(patched.status.unwrap().phase.as_deref(), Some("Failed"));
    assert_eq!(patched.spec.unwrap().node_name, None);
}

fn definition() -> CustomResourceDefinition {
    let version = |name: &str, is_stored: bool| {
        let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        json!({"name": name, "served": true, "storage": is_stored, "schema": schema})
    };
    serde_json::from_value(json!({
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [version("v1beta1", false), version("v1", true)],
        },
    }))
    .unwrap()
}

#[tokio::test]
async fn a_definition_makes_its_resource_served_until_it_is_deleted() {
    let server = ApiServer::start();
    let client = client(&server).await;
    assert_eq!(get(&server, "/apis/example.com/v1/widgets", &[]).await.0, 404);
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let defined = definitions.create(&PostParams::default(), &definition()).await.unwrap();
    let conditions = defined.status.unwrap().conditions.unwrap();
    assert!(conditions.iter().any(|one| one.type_ == "Established" && one.status == "True"));
    let discovery = Discovery::new(client.clone()).run().await.unwrap();
    let group = discovery.get("example.com").unwrap();
    assert_eq!(group.preferred_version_or_latest(), "v1");
    let (resource, capabilities) = group.recommended_kind("Widget").unwrap();
    assert_eq!(capabilities.scope, Scope::Namespaced);
    let widgets: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
    let widget = DynamicObject::new("a", &resource).data(json!({"spec": {"size": 3}}));
    widgets.create(&PostParams::default(), &widget).await.unwrap();
    let (_, other) = get(&server, "/apis/example.com/v1beta1/widgets", &[]).await;
    assert_eq!(other["items"][0]["apiVersion"], "example.com/v1beta1");
    assert_eq!(
        widgets.list(&ListParams::default()).await.unwrap().items[0].data["spec"]["size"],
        3
    );
    definitions.delete("widgets.example.com", &DeleteParams::default()).await.unwrap();
    assert_eq!(get(&server, "/apis/example.com/v1/widgets", &[]).await.0, 404);
    definitions.create(&PostParams::default(), &definition()).await.unwrap();
    assert_eq!(widgets.list(&ListParams::default()).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn a_definition_whose_names_are_taken_is_not_served() {
    let server = ApiServer::start();
    let pods_again = json!({
        "metadata": {"name": "deployments.apps"},
        "spec": {
            "group": "apps", "scope": "Cluster", "names": {"plural": "deployments", "kind": "Deployment"},
            "versions": [{"name": "v1", "served": true, "storage": true}],
        },
    });
    server.change(|cluster| cluster.create("customresourcedefinitions", pods_again));
    let definition = server
        .look(|cluster| cluster.get("customresourcedefinitions", "deployments.apps").unwrap());
    assert_eq!(definition["status"]["conditions"][0]["status"], "False", "{definition}");
    let (_, list) = get(&server, "/apis/apps/v1", &[]).await;
    let named: Vec<&Value> = list["resources"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["name"] == "deployments")
        .collect();
    assert_eq!(named.len(), 1);
    assert_eq!(named[0]["namespaced"], true);
}

#[tokio::test]
async fn discovery_says_the_same_at_once_and_one_by_one() {
    let server = ApiServer::start();
    let client = client(&server).await;
    let one_by_one = Discovery::new(client.clone()).run().await.unwrap();
    let at_once = Discovery::new(client.clone()).run_aggregated().await.unwrap();
    let told = |discovery: &Discovery| {
        let mut told = Vec::new();
        for group in discovery.groups() {
            let resources = group.recommended_resources();
            told.extend(resources.iter().map(|(resource, capabilities)| {
                (
                    resource.api_version.clone(),
                    resource.plural.clone(),
                    capabilities.scope.clone() == Scope::Namespaced,
                )
            }));
        }
        told.sort();
        told
    };
    assert_eq!(told(&one_by_one), told(&at_once));
    assert!(told(&at_once).contains(&("apps/v1".to_owned(), "deployments".to_owned(), true)));
    assert!(told(&at_once).contains(&("v1".to_owned(), "nodes".to_owned(), false)));
    assert_eq!(client.apiserver_version().await.unwrap().minor, "34");
}

#[tokio::test]
async fn a_namespace_takes_with_it_what_is_in_it() {
    let server = ApiServer::start();
    server.change(|cluster| {
        cluster.create("namespaces", json!({"metadata": {"name": "web"}}));
        cluster.create("configmaps", json!({"metadata": {"name": "a", "namespace": "web"}}));
        cluster.create("configmaps", json!({"metadata": {"name": "a", "namespace": "web-2"}}));
        cluster.delete("namespaces", "web");
    });
    assert_eq!(server.look(|cluster| cluster.count("configmaps")), 1);
}

#[tokio::test]
async fn what_is_malformed_is_refused_with_a_reason() {
    let server = ApiServer::start();
    let post = async |path: &str, headers: &[(&str, &str)], body: Value| {
        let answer = request(&server, reqwest::Method::POST, path, headers, Some(body)).await;
        let code = answer.status().as_u16();
        (code, answer.json::<Value>().await.unwrap()["reason"].as_str().unwrap().to_owned())
    };
    let maps = "/api/v1/namespaces/default/configmaps";
    let expect = |code, reason: &str| (code, reason.to_owned());
    assert_eq!(post(maps, &[], json!([])).await, expect(400, "BadRequest"));
    assert_eq!(post(maps, &[], json!({"kind": "Secret"})).await, expect(400, "BadRequest"));
    assert_eq!(post(maps, &[], json!({"metadata": {}})).await, expect(422, "Invalid"));
    let slash = json!({"metadata": {"name": "a/b"}});
    assert_eq!(post(maps, &[], slash).await, expect(422, "Invalid"));
    let elsewhere = json!({"metadata": {"name": "a", "namespace": "b"}});
    assert_eq!(post(maps, &[], elsewhere).await, expect(400, "BadRequest"));
    let yaml = [("content-type", "application/yaml")];
    assert_eq!(post(maps, &yaml, json!({})).await, expect(415, "UnsupportedMediaType"));
    let large = json!({"metadata": {"name": "a"}, "data": {"a": "x".repeat(4 << 20)}});
    assert_eq!(post(maps, &[], large).await, expect(413, "RequestEntityTooLarge"));
    assert_eq!(post("/api/v1/nodes/a/b/c", &[], json!({})).await.0, 404);
}

#[tokio::test]
async fn a_service_account_gets_tokens_that_are_accepted() {
    let server = ApiServer::start();
    server.change(|cluster| {
        cluster.create("serviceaccounts", json!({"metadata": {"name": "a", "namespace": "web"}}))
    });
    let accounts: Api<ServiceAccount> = Api::namespaced(client(&server).await, "web");
    let request = k8s_openapi::api::authentication::v1::TokenRequest::default();
    let issued =
        accounts.create_token_request("a", &PostParams::default(), &request).await.unwrap();
    let bearer = format!("Bearer {}", issued.status.unwrap().token);
    let (code, _) = get(&server, "/api/v1/pods", &[("authorization", &bearer)]).await;
    assert_eq!(code, 200);
    let user = server.all_requests().last().unwrap().user.clone();
    assert_eq!(user.as_deref(), Some("system:serviceaccount:web:a"));
}
