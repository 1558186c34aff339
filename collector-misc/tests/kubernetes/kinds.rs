//! What is told of each kind, and which kinds are watched.

use crate::harness::{Collector, Publisher, poll};
use api_server::{ApiServer, TOKEN};
use event_model::InventoryItem;
use serde_json::{Value, json};

/// A definition of a kind with one version, as the API server takes it.
pub fn definition(group: &str, kind: &str, plural: &str, version: &str, scope: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": scope, "names": {"kind": kind, "plural": plural},
            "versions": [{"name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]},
    })
}

fn role(api_version: &str, kind: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]})
}

#[tokio::test]
async fn what_configures_the_cluster_is_told_with_its_configuration() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    server.change(|cluster| {
        cluster.apply([
            role("rbac.authorization.k8s.io/v1", "ClusterRole"),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": "readers", "namespace": "web"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
                "subjects": [{"kind": "ServiceAccount", "name": "shop", "namespace": "web"}]}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "namespace": "web"},
                "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "shop"}}}),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": "none", "namespace": "web"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "namespace": "web"},
                "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "shop"}}, "template": {
                    "metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [
                        {"name": "main", "image": "nginx:1", "env": [{"name": "PASSWORD", "value": "hunter2"}]}]}}}}),
        ]);
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    for (kind, name, words) in [
        ("ClusterRole", "reader", r#""resources":["secrets"]"#),
        ("RoleBinding", "readers", r#""name":"shop""#),
        ("Service", "shop", r#""type":"LoadBalancer""#),
        ("NetworkPolicy", "none", r#""policyTypes":["Ingress"]"#),
        ("Deployment", "shop", r#""replicas":2"#),
    ] {
        let object = publisher.expect(kind, |it| it.kind == kind && it.name == name).await;
        let configuration = object.configuration.unwrap_or_default();
        assert!(configuration.contains(words), "{kind}: {configuration}");
        assert!(!configuration.contains("hunter2"), "{configuration}");
        assert!(!object.resource_version.is_empty() && object.created_at.is_some(), "{kind}");
    }
    collector.stop().await;
}

#[tokio::test]
async fn of_secrets_and_config_maps_the_contents_never_come() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let object = |kind: &str| {
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "it", "namespace": "web", "labels": {"app": "shop"}},
            "data": {"password": "aHVudGVyMg=="}})
    };
    server.change(|cluster| cluster.apply([object("Secret"), object("ConfigMap")]));
    let collector = Collector::start_with(&server, &publisher, TOKEN, |config| {
        config.kubernetes.secrets = true;
    });
    collector.expect_ready().await;
    for kind in ["Secret", "ConfigMap"] {
        let told = publisher.expect(kind, |it| it.kind == kind && it.name == "it").await;
        assert_eq!((told.labels["app"].as_str(), told.configuration), ("shop", None));
    }
    for seen in server.all_requests() {
        if matches!(seen.resource.as_deref(), Some("secrets" | "configmaps")) {
            assert!(seen.accept.contains("as=PartialObjectMetadata"), "{seen:?}");
        }
    }
    collector.stop().await;
}

#[tokio::test]
async fn secrets_are_not_asked_for_unless_they_are_wanted() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    assert_eq!(server.requests("secrets"), [""; 0]);
    assert!(!server.requests("configmaps").is_empty());
    collector.stop().await;
}

#[tokio::test]
async fn a_kind_that_is_defined_later_is_watched_until_its_definition_goes() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    let group = "gateway.networking.k8s.io";
    server.change(|cluster| {
        cluster.apply([definition(group, "Gateway", "gateways", "v1", "Namespaced")]);
        cluster.apply([json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "front", "namespace": "web"}, "spec": {"listeners": [{"port": 443}]}})]);
    });
    let gateway = publisher.expect("the gateway", |it| it.kind == "Gateway").await;
    assert!(gateway.configuration.is_some_and(|text| text.contains("443")));
    let crd = publisher.expect("its definition", |it| it.kind == "CustomResourceDefinition").await;
    assert_eq!(crd.attributes["plural"], "gateways");
    server.change(|cluster| {
        cluster.delete("customresourcedefinitions", &format!("gateways.{group}"));
    });
    publisher.expect("the gateway's end", |it| it.kind == "Gateway" && it.deleted).await;
    collector.expect_ready().await;
    collector.stop().await;
}

#[tokio::test]
async fn a_kind_that_is_served_in_another_version_keeps_its_objects() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let group = "gateway.networking.k8s.io";
    server.change(|cluster| {
        cluster.apply([definition(group, "Gateway", "gateways", "v1beta1", "Namespaced")]);
        cluster.apply([json!({"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "Gateway",
            "metadata": {"name": "front", "namespace": "web"}, "spec": {"listeners": [{"port": 443}]}})]);
    });
    let collector = Collector::start(&server, &publisher);
    publisher.expect("the gateway", |it| it.api_version.ends_with("/v1beta1")).await;
    server.change(|cluster| {
        cluster.update("customresourcedefinitions", &format!("gateways.{group}"), |definition| {
            let mut newer = definition["spec"]["versions"][0].clone();
            newer["name"] = json!("v1");
            newer["storage"] = json!(false);
            definition["spec"]["versions"].as_array_mut().unwrap().push(newer);
        });
    });
    poll("a watch of the newer version", || {
        let paths: Vec<_> = server.all_requests().into_iter().map(|seen| seen.path).collect();
        let path = format!("/apis/{group}/v1/gateways");
        if paths.contains(&path) { Ok(()) } else { Err(format!("{paths:?}")) }
    })
    .await;
    server.change(|cluster| {
        cluster.update(&format!("gateways.{group}"), "web/front", |gateway| {
            gateway["spec"]["listeners"][0]["port"] = json!(8443);
        });
    });
    publisher
        .expect("the change", |it| {
            it.configuration.as_ref().is_some_and(|text| text.contains("8443"))
        })
        .await;
    assert!(publisher.objects().iter().all(|it| !it.deleted), "{:#?}", publisher.objects());
    collector.stop().await;
}

#[tokio::test]
async fn a_definition_named_like_a_kind_of_ours_is_no_such_kind() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    server.change(|cluster| {
        cluster.apply([definition("evil.example", "Pod", "pods", "v1", "Namespaced")]);
        cluster.apply([json!({"apiVersion": "evil.example/v1", "kind": "Pod",
            "metadata": {"name": "impostor", "namespace": "web"}, "spec": {"containers": "none"}})]);
        cluster.create("pods", json!({"metadata": {"name": "real", "namespace": "web"},
            "spec": {"containers": [{"name": "main", "image": "nginx"}]}}));
    });
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    publisher.expect("the real pod", |it| it.name == "real").await;
    assert!(publisher.objects().iter().all(|it| it.name != "impostor"));
    collector.stop().await;
}

#[tokio::test]
async fn warnings_of_kubernetes_are_told_once() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let event = |name: &str, kind: &str| {
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "web"},
            "involvedObject": {"kind": "Pod", "namespace": "web", "name": "shop-1"}, "type": kind,
            "reason": "BackOff", "message": "restarting", "source": {"component": "kubelet"}, "count": 1})
    };
    server.change(|cluster| cluster.apply([event("old", "Warning"), event("usual", "Normal")]));
    let collector = Collector::start(&server, &publisher);
    collector.expect_ready().await;
    server.change(|cluster| cluster.apply([event("new", "Warning")]));
    poll("two warnings", || match publisher.events().len() {
        2 => Ok(()),
        count => Err(format!("{count}")),
    })
    .await;
    assert!(publisher.events().iter().all(|it| it.is_warning && it.regarding.name == "shop-1"));
    collector.stop().await;
}

#[tokio::test]
async fn the_cluster_tells_what_it_is() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let uid = server.change(|cluster| {
        cluster.create(
            "nodes",
            json!({"metadata": {"name": "worker-1", "labels": {"eks.amazonaws.com/nodegroup": "a"}},
            "spec": {"providerID": "aws:///eu-west-1a/i-0"}}),
        );
        match cluster.get("namespaces", "kube-system") {
            Some(namespace) => namespace["metadata"]["uid"].as_str().unwrap().to_owned(),
            None => cluster.create("namespaces", json!({"metadata": {"name": "kube-system"}})),
        }
    });
    let collector = Collector::start(&server, &publisher);
    let facts = poll("facts of the cluster", || {
        let facts = publisher.inventory().into_iter().find_map(|item| match item {
            InventoryItem::Cluster(facts) if facts.nodes > 0 => Some(facts),
            _ => None,
        });
        facts.ok_or_else(|| format!("{:?}", publisher.inventory()))
    })
    .await;
    assert_eq!((facts.uid, facts.nodes), (uid, 1));
    assert_eq!((facts.distribution.as_str(), facts.cloud.as_deref()), ("eks", Some("aws")));
    assert!(facts.version.starts_with("v1."), "{}", facts.version);
    collector.stop().await;
}
