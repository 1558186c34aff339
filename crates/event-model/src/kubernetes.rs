use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An object of the Kubernetes API, cut down to what detection and inventory need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesObject {
    /// Such as `v1` or `apps/v1`.
    pub api_version: String,
    /// Such as `Pod`.
    pub kind: String,
    /// None for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// The API server's uid.
    pub uid: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The node that a pod runs on.
    pub node: Option<String>,
    /// The service account that a pod runs as.
    pub service_account: Option<String>,
    /// A pod's containers, those of all three kinds.
    pub containers: Vec<KubernetesContainer>,
    /// Facts particular to the kind, such as a node's `kubeletVersion`.
    pub attributes: BTreeMap<String, String>,
    /// The object is gone.
    pub deleted: bool,
}

/// A container of a pod, as its spec and status tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesContainer {
    /// Name in the pod's spec.
    pub name: String,
    /// Image in the pod's spec.
    pub image: String,
    /// Resolved image of the status.
    pub image_id: Option<String>,
    /// The runtime's id, without its `containerd://` prefix: joins to [`crate::Container`].
    pub container_id: Option<String>,
}
