use super::{Size, nodes, pods, services};
use crate::history::key;
use crate::store::Store;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// When all of it was made.
pub(super) const CREATED: &str = "2026-01-05T08:30:00Z";
pub(super) const PODS_OF_DEPLOYMENT: usize = 10;

pub(super) fn fill(store: &mut Store, size: &Size) {
    let namespaces = size.namespaces.max(1);
    for number in 0..namespaces {
        put(store, "namespaces", None, namespace(number));
        let name = namespace_name(number);
        put(
            store,
            "serviceaccounts",
            Some(&name),
            json!({"metadata": metadata("ServiceAccount", Some(&name), "workload")}),
        );
    }
    for number in 0..size.nodes {
        put(store, "nodes", None, nodes::node(number));
    }
    for number in 0..size.pods.div_ceil(PODS_OF_DEPLOYMENT) {
        let namespace = namespace_name(number % namespaces);
        put(store, "deployments.apps", Some(&namespace), pods::deployment(&namespace, number));
        put(store, "replicasets.apps", Some(&namespace), pods::replica_set(&namespace, number));
    }
    for number in 0..size.pods {
        let namespace = namespace_name(number / PODS_OF_DEPLOYMENT % namespaces);
        put(store, "pods", Some(&namespace), pods::pod(&namespace, number, size.nodes.max(1)));
    }
    for number in 0..size.services {
        let namespace = namespace_name(number % namespaces);
        put(store, "services", Some(&namespace), services::service(&namespace, number));
        put(
            store,
            "endpointslices.discovery.k8s.io",
            Some(&namespace),
            services::slice(&namespace, number),
        );
    }
}

pub(super) fn namespace_name(number: usize) -> String {
    format!("team-{number:04}")
}

fn namespace(number: usize) -> Value {
    let name = namespace_name(number);
    let mut metadata = metadata("Namespace", None, &name);
    metadata["labels"] = json!({"kubernetes.io/metadata.name": name});
    json!({"metadata": metadata, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
}

/// What all objects have.
pub(super) fn metadata(kind: &str, namespace: Option<&str>, name: &str) -> Value {
    let mut metadata =
        json!({"name": name, "uid": uid(kind, namespace, name), "creationTimestamp": CREATED});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata
}

/// The same for the same object, each time.
pub(super) fn uid(kind: &str, namespace: Option<&str>, name: &str) -> String {
    let name = format!("{kind}/{}/{name}", namespace.unwrap_or_default());
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}

/// A digest of an image, the same for the same name.
pub(super) fn digest(name: &str) -> String {
    let half = |of: &str| Uuid::new_v5(&Uuid::NAMESPACE_URL, of.as_bytes()).simple().to_string();
    format!("sha256:{}{}", half(name), half(&format!("{name}/2")))
}

fn put(store: &mut Store, resource: &str, namespace: Option<&str>, object: Value) {
    let resource = store.resource(resource);
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut fields = Map::new();
    if let Value::Object(object) = object {
        fields = object;
    }
    store.load(&resource, key(namespace, &name), fields);
}
