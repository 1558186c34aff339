use crate::container;
use crate::finding::Source;
use crate::object::Object;
use event_model::{Alert, AuditObject, Container, Pod};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is affected.
pub const AFFECTED: (u32, &str) = (3, "Affected");
/// Where that is.
pub const RELATED: (u32, &str) = (4, "Related");

/// What a finding is about: the container and its pod, or the object of a request; then the node and the cluster.
pub fn resources(alert: &Alert, source: &Source<'_>) -> Vec<Value> {
    let mut resources = Vec::new();
    if let Some(container) = alert.container() {
        resources.push(of_container(container));
        resources.extend(container.pod.as_ref().and_then(of_pod));
    } else if let Some(id) = alert.event().and_then(|event| event.container.as_ref()) {
        resources.push(resource("Container", AFFECTED).with("uid", &*id.0));
    }
    if let Some(object) = alert.audit().and_then(|event| event.object.as_ref()) {
        resources.extend(of_object(object));
    }
    let is_alone = resources.is_empty();
    let role = if is_alone { AFFECTED } else { RELATED };
    let node = source.node.unwrap_or(&alert.host.node);
    if !node.is_empty() {
        resources.push(resource("Kubernetes Node", role).with("name", node));
    }
    if let Some(cluster) = source.cluster.filter(|cluster| !cluster.is_empty()) {
        resources.push(resource("Kubernetes Cluster", RELATED).with("name", cluster));
    }
    resources.into_iter().map(Value::from).collect()
}

pub fn resource(kind: &str, role: (u32, &'static str)) -> Object {
    Object::new().with("type", kind).with_choice("role", role)
}

fn of_container(container: &Container) -> Object {
    let namespace = container.pod.as_ref().and_then(|pod| pod.namespace.clone());
    resource("Container", AFFECTED)
        .with("uid", &*container.id.0)
        .with_some("name", container.name.clone())
        .with_some("namespace", namespace)
        .with("tags", container::tags(&container.labels))
}

/// None where not even its uid is known.
pub fn of_pod(pod: &Pod) -> Option<Object> {
    let account = pod.service_account.as_deref().filter(|name| !name.is_empty());
    let owner =
        account.map(|name| Object::new().with("name", name).with_choice("type", (4, "Service")));
    let resource = resource("Kubernetes Pod", AFFECTED)
        .with("uid", pod.uid.as_str())
        .with_some("name", pod.name.clone())
        .with_some("namespace", pod.namespace.clone())
        .with_some("owner", owner)
        .with("tags", container::tags(&pod.labels));
    (resource.has("uid") || resource.has("name")).then_some(resource)
}

/// None of lists and of requests that let the server choose a name.
pub fn of_object(object: &AuditObject) -> Option<Object> {
    let resource = resource(&object.resource, AFFECTED)
        .with_some("name", object.name.clone())
        .with_some("uid", object.uid.clone())
        .with_some("namespace", object.namespace.clone());
    (resource.has("uid") || resource.has("name")).then_some(resource)
}

/// Labels by name.
pub fn labels(labels: &BTreeMap<String, String>) -> Value {
    let labels = labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    Value::Object(labels.collect())
}
