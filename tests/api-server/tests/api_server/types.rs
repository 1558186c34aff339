//! What the server sends, read by the types of the published OpenAPI document and written again:
//! nothing may be unknown to them, nothing lost.

use crate::client::{get, request, within};
use api_server::{ApiServer, Size};
use k8s_openapi::api::admissionregistration::v1 as admission;
use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch,
    certificates::v1 as certificates, coordination::v1 as coordination, core::v1 as core,
    discovery::v1 as discovery, networking::v1 as networking, policy::v1 as policy,
    rbac::v1 as rbac, scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Fails where `value`, read as `T` and written again, is not the same. Fields that are null are as
/// if they were not there.
fn must_be<T: DeserializeOwned + Serialize>(value: &Value) {
    let read: T =
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value:#}"));
    let written = serde_json::to_value(read).unwrap();
    let different = differences(value, &written, "");
    assert!(different.is_empty(), "{}: {different:#?}", std::any::type_name::<T>());
}

/// The paths at which two values differ.
fn differences(sent: &Value, written: &Value, path: &str) -> Vec<String> {
    match (sent, written) {
        (Value::Object(sent), Value::Object(written)) => {
            let names: BTreeSet<&String> = sent.keys().chain(written.keys()).collect();
            let field =
                |of: &Map<String, Value>, name: &str| of.get(name).cloned().unwrap_or_default();
            names
                .into_iter()
                .flat_map(|name| {
                    differences(
                        &field(sent, name),
                        &field(written, name),
                        &format!("{path}.{name}"),
                    )
                })
                .collect()
        }
        (Value::Array(sent), Value::Array(written)) if sent.len() == written.len() => {
            let pairs = sent.iter().zip(written).enumerate();
            pairs
                .flat_map(|(at, (sent, written))| {
                    differences(sent, written, &format!("{path}[{at}]"))
                })
                .collect()
        }
        _ if sent == written => Vec::new(),
        _ => vec![format!("{path}: {sent} was sent, {written} is what the type has of it")],
    }
}

/// Asks for an object by all doors, and reads each answer as `T`.
async fn must_be_served_as<T>(server: &ApiServer, name: &str)
where
    T: DeserializeOwned + Serialize,
{
    let resource = server.look(|cluster| cluster.resource(name));
    let path = resource.path(None);
    let (_, list) = get(server, &path, &[]).await;
    let items = list["items"].as_array().unwrap();
    assert!(!items.is_empty(), "no {name} to look at");
    assert_eq!(list["kind"], json!(resource.list_kind));
    must_be::<meta::ListMeta>(&list["metadata"]);
    for item in items {
        let mut item = item.clone();
        assert!(item["kind"].is_null(), "items of lists have no kind: {item}");
        item["kind"] = json!(resource.kind);
        item["apiVersion"] = json!(resource.api_version());
        must_be::<T>(&item);
    }
    let metadata = &items[0]["metadata"];
    let object = format!(
        "{}/{}",
        resource.path(metadata["namespace"].as_str()),
        metadata["name"].as_str().unwrap()
    );
    must_be::<T>(&get(server, &object, &[]).await.1);
    let events = streamed_list(server, &path).await;
    let (bookmark, added) = events.split_last().unwrap();
    assert_eq!(
        (&bookmark["type"], &bookmark["object"]["kind"]),
        (&json!("BOOKMARK"), &json!(resource.kind))
    );
    assert_eq!(added.len(), items.len());
    for event in added {
        assert_eq!(event["type"], "ADDED");
        must_be::<T>(&event["object"]);
    }
}

/// The events of a watch up to the end of the initial ones.
async fn streamed_list(server: &ApiServer, path: &str) -> Vec<Value> {
    let query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut answer =
        request(server, reqwest::Method::GET, &format!("{path}?{query}"), &[], None).await;
    let mut text = String::new();
    while !text.contains("k8s.io/initial-events-end") || !text.ends_with('\n') {
        let piece = within("the end of the initial events", answer.chunk()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Creates the sample of each kind that has one, and returns the names of all.
macro_rules! every_kind {
    ($server:expr, $($resource:literal: $kind:ty = $sample:tt;)*) => {{
        $(
            let sample = json!($sample);
            if !sample.is_null() {
                $server.change(|cluster| cluster.create($resource, sample));
            }
            must_be_served_as::<$kind>($server, $resource).await;
        )*
        [$($resource),*]
    }};
}

#[tokio::test]
async fn every_built_in_kind_is_as_the_openapi_document_has_it() {
    let server = ApiServer::start();
    server.fill(&Size::SMALL);
    let webhook = json!({
        "name": "a.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "clientConfig": {"url": "https://a.example.com"},
    });
    let pod = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}], "restartPolicy": "Never"}});
    let selector = json!({"matchLabels": {"a": "b"}});
    let seen = every_kind!(&server,
        "configmaps": core::ConfigMap = {"metadata": {"name": "a"}, "data": {"a": "b"}};
        "endpoints": core::Endpoints = {"metadata": {"name": "a"}, "subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]};
        "events": core::Event = {"metadata": {"name": "a"}, "involvedObject": {"kind": "Pod", "name": "a"}, "reason": "Killing", "count": 2};
        "namespaces": core::Namespace = null;
        "nodes": core::Node = null;
        "persistentvolumeclaims": core::PersistentVolumeClaim = {"metadata": {"name": "a"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}};
        "persistentvolumes": core::PersistentVolume = {"metadata": {"name": "a"}, "spec": {"capacity": {"storage": "1Gi"}, "hostPath": {"path": "/data"}}};
        "pods": core::Pod = null;
        "replicationcontrollers": core::ReplicationController = {"metadata": {"name": "a"}, "spec": {"replicas": 1, "selector": {"a": "b"}, "template": pod}};
        "resourcequotas": core::ResourceQuota = {"metadata": {"name": "a"}, "spec": {"hard": {"pods": "10"}}};
        "secrets": core::Secret = {"metadata": {"name": "a"}, "type": "Opaque", "data": {"a": "Yg=="}};
        "serviceaccounts": core::ServiceAccount = null;
        "services": core::Service = null;
        "mutatingwebhookconfigurations": admission::MutatingWebhookConfiguration = {"metadata": {"name": "a"}, "webhooks": [webhook]};
        "validatingadmissionpolicies": admission::ValidatingAdmissionPolicy = {"metadata": {"name": "a"}, "spec": {"validations": [{"expression": "true"}]}};
        "validatingadmissionpolicybindings": admission::ValidatingAdmissionPolicyBinding = {"metadata": {"name": "a"}, "spec": {"policyName": "a", "validationActions": ["Deny"]}};
        "validatingwebhookconfigurations": admission::ValidatingWebhookConfiguration = {"metadata": {"name": "a"}, "webhooks": [webhook]};
        "customresourcedefinitions": CustomResourceDefinition = {"metadata": {"name": "widgets.example.com"}, "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        }};
        "apiservices": APIService = {"metadata": {"name": "v1.a.example.com"}, "spec": {"group": "a.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10}};
        "controllerrevisions": apps::ControllerRevision = {"metadata": {"name": "a"}, "revision": 1};
        "daemonsets": apps::DaemonSet = {"metadata": {"name": "a"}, "spec": {"selector": selector, "template": pod}};
        "deployments": apps::Deployment = null;
        "replicasets": apps::ReplicaSet = null;
        "statefulsets": apps::StatefulSet = {"metadata": {"name": "a"}, "spec": {"serviceName": "a", "selector": selector, "template": pod}};
        "horizontalpodautoscalers": autoscaling::HorizontalPodAutoscaler = {"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "a"}}};
        "cronjobs": batch::CronJob = {"metadata": {"name": "a"}, "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": pod}}}};
        "jobs": batch::Job = {"metadata": {"name": "a"}, "spec": {"template": pod}};
        "certificatesigningrequests": certificates::CertificateSigningRequest = {"metadata": {"name": "a"}, "spec": {"request": "YQ==", "signerName": "example.com/a"}};
        "leases": coordination::Lease = {"metadata": {"name": "a"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}};
        "endpointslices": discovery::EndpointSlice = null;
        "ingressclasses": networking::IngressClass = {"metadata": {"name": "a"}, "spec": {"controller": "example.com/a"}};
        "ingresses": networking::Ingress = {"metadata": {"name": "a"}, "spec": {"rules": [{"host": "a.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "a", "port": {"number": 80}}}}]}}]}};
        "networkpolicies": networking::NetworkPolicy = {"metadata": {"name": "a"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}};
        "poddisruptionbudgets": policy::PodDisruptionBudget = {"metadata": {"name": "a"}, "spec": {"minAvailable": "50%"}};
        "clusterrolebindings": rbac::ClusterRoleBinding = {"metadata": {"name": "a"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"}, "subjects": [{"kind": "ServiceAccount", "namespace": "a", "name": "a"}]};
        "clusterroles": rbac::ClusterRole = {"metadata": {"name": "a"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]};
        "rolebindings": rbac::RoleBinding = {"metadata": {"name": "a"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}};
        "roles": rbac::Role = {"metadata": {"name": "a"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]};
        "priorityclasses": scheduling::PriorityClass = {"metadata": {"name": "a"}, "value": 10};
        "storageclasses": storage::StorageClass = {"metadata": {"name": "a"}, "provisioner": "example.com/a"};
    );
    let (_, told) = get(&server, "/apis", &[]).await;
    let groups = told["groups"].as_array().unwrap().iter().map(|group| {
        format!("/apis/{}", group["preferredVersion"]["groupVersion"].as_str().unwrap())
    });
    for path in groups.chain(["/api/v1".to_owned()]).filter(|path| !path.contains("example.com")) {
        for resource in get(&server, &path, &[]).await.1["resources"].as_array().unwrap() {
            let name = resource["name"].as_str().unwrap();
            assert!(
                name.contains('/') || seen.contains(&name),
                "{name} is served, but not looked at here"
            );
        }
    }
}

#[tokio::test]
async fn discovery_and_failures_are_as_the_openapi_document_has_them() {
    let server = ApiServer::start();
    let (_, mut groups) = get(&server, "/apis", &[]).await;
    for group in groups["groups"].as_array_mut().unwrap() {
        // The type writes these for groups inside the list as well, which servers do not.
        group["kind"] = json!("APIGroup");
        group["apiVersion"] = json!("v1");
    }
    must_be::<meta::APIGroupList>(&groups);
    must_be::<meta::APIGroup>(&get(&server, "/apis/apps", &[]).await.1);
    must_be::<meta::APIResourceList>(&get(&server, "/apis/apps/v1", &[]).await.1);
    must_be::<meta::APIResourceList>(&get(&server, "/api/v1", &[]).await.1);
    for (path, expected) in [
        ("/api/v1/nodes/none", 404),
        ("/api/v1/none", 404),
        ("/api/v1/pods?continue=x", 400),
        ("/api/v1/pods?resourceVersion=99999", 504),
        ("/api/v1/pods?resourceVersionMatch=Exact", 422),
    ] {
        let (code, status) = get(&server, path, &[]).await;
        assert_eq!(code, expected, "{path}: {status}");
        must_be::<meta::Status>(&status);
    }
    let (_, version) = get(&server, "/version", &[]).await;
    must_be::<k8s_openapi::apimachinery::pkg::version::Info>(&version);
}

#[tokio::test]
async fn generated_pods_are_of_a_realistic_size() {
    let server = ApiServer::start();
    server.fill(&Size::SMALL);
    let (_, list) = get(&server, "/api/v1/pods", &[]).await;
    let pods = list["items"].as_array().unwrap();
    assert_eq!(pods.len(), 100);
    for pod in pods {
        let size = pod.to_string().len();
        assert!((4096..6144).contains(&size), "{size} bytes: {pod}");
    }
}
