use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An object of the Kubernetes API, cut down to what detection and inventory need.
///
/// Objects that differ in [`KubernetesObject::resource_version`] alone are the same to us: the API server counts changes
/// of which nothing is told here.
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
    /// The API server's number for this state of the object: a decimal number that grows with each change of any object.
    /// Empty where it is not known: the object was found to be gone.
    pub resource_version: String,
    /// When the API server made the object.
    pub created_at: Option<Timestamp>,
    /// What the object belongs to, and is deleted with.
    pub owners: Vec<OwnerReference>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The node that a pod runs on.
    pub node: Option<String>,
    /// The service account that a pod runs as.
    pub service_account: Option<String>,
    /// A pod's containers, those of all three kinds; those of the template in a workload.
    pub containers: Vec<KubernetesContainer>,
    /// Facts particular to the kind, such as a node's `kubeletVersion`.
    pub attributes: BTreeMap<String, String>,
    /// What the object sets, as a JSON object: the parts of its kind that configure something, such as `spec` or `rules`,
    /// without status and without the contents of secrets. None where the kind's is not told.
    pub configuration: Option<String>,
    /// The object is gone.
    pub deleted: bool,
}

/// An object that another belongs to (`metadata.ownerReferences`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerReference {
    /// Such as `ReplicaSet`.
    pub kind: String,
    /// Name; in the same namespace, or none.
    pub name: String,
    /// The API server's uid.
    pub uid: String,
    /// It is the one that controls the object.
    pub controller: bool,
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

/// Names an object of the Kubernetes API.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectReference {
    /// Such as `v1` or `apps/v1`.
    pub api_version: String,
    /// Such as `Pod`.
    pub kind: String,
    /// None for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// The API server's uid; empty where it is not known.
    pub uid: String,
}

/// Something that a part of Kubernetes noted about an object (`v1` and `events.k8s.io/v1`, kind Event).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesEvent {
    /// The API server's uid of the note.
    pub uid: String,
    /// Its state: the same note is told again where it was made again.
    pub resource_version: String,
    /// About which object.
    pub regarding: ObjectReference,
    /// A word for it, such as `FailedMount`.
    pub reason: String,
    /// Somebody should look at it (`type: Warning`).
    pub is_warning: bool,
    /// In words.
    pub message: String,
    /// Who noted it, such as `kubelet`.
    pub reporter: String,
    /// The node it was noted on.
    pub node: Option<String>,
    /// How often it happened until now.
    pub count: u32,
    /// When it happened first.
    pub first_at: Timestamp,
    /// When it happened last.
    pub last_at: Timestamp,
}
