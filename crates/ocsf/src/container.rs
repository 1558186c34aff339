use crate::object::Object;
use event_model::{Container, ContainerId};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A container, with its image and pod.
pub fn container(container: &Container) -> Object {
    let pod = container.pod.as_ref();
    // Static pods have a hash for a uid, and the schema wants a UUID.
    let pod_uuid = pod.map(|pod| pod.uid.as_str()).filter(|uid| Uuid::parse_str(uid).is_ok());
    id_alone(&container.id)
        .with_some("name", container.name.clone())
        .with_some("runtime", container.runtime.clone())
        .with_some("image", image(container))
        .with_some("orchestrator", pod.map(|_| "Kubernetes"))
        .with_some("pod_uuid", pod_uuid)
        .with("tags", tags(&container.labels))
}

/// A container of which no more is known.
pub fn id_alone(id: &ContainerId) -> Object {
    Object::new().with("uid", &*id.0)
}

/// The schema wants a uid: the digest, or what the image is called by.
fn image(container: &Container) -> Option<Object> {
    let name = container.image.as_deref().filter(|name| !name.is_empty());
    let digest = container.image_digest.as_deref().filter(|digest| !digest.is_empty());
    let uid = digest.or(name)?;
    Some(Object::new().with("uid", uid).with_some("name", name))
}

/// Labels as names and values. One without a value has none that the schema takes.
pub fn tags(labels: &BTreeMap<String, String>) -> Vec<Value> {
    let known = labels.iter().filter(|(name, value)| !name.is_empty() && !value.is_empty());
    known
        .map(|(name, value)| {
            Object::new().with("name", name.as_str()).with("value", value.as_str()).into()
        })
        .collect()
}
