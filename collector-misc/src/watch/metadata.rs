use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// The annotation that the kubelet puts on the mirror of a static pod: the uid by which the
/// container runtime knows the pod, where the API server gave the mirror another.
pub(crate) const STATIC_POD_UID: &str = "kubernetes.io/config.hash";

/// `metadata` without what makes it long: managed fields, and annotations (which hold whole
/// manifests) but one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeanMetadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<Annotations>,
    owner_references: Option<Vec<OwnerReference>>,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "kubernetes.io/config.hash")]
    static_pod_uid: Option<String>,
}

/// For `#[serde(deserialize_with)]`: reads only what we use of `metadata`.
pub(crate) fn lean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let lean = LeanMetadata::deserialize(deserializer)?;
    let static_pod_uid = lean.annotations.and_then(|annotations| annotations.static_pod_uid);
    Ok(ObjectMeta {
        name: lean.name,
        namespace: lean.namespace,
        uid: lean.uid,
        resource_version: lean.resource_version,
        labels: lean.labels,
        annotations: static_pod_uid.map(|uid| BTreeMap::from([(STATIC_POD_UID.to_owned(), uid)])),
        owner_references: lean.owner_references,
        ..ObjectMeta::default()
    })
}
