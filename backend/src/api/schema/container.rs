use super::process::known;
use event_model as model;
use model::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A container. What is not known, or not yet, is null.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Container {
    /// The runtime's id.
    pub id: String,
    /// Its name; in a pod, the name in the pod's spec.
    pub name: Option<String>,
    /// The image as it was asked for.
    #[schema(example = "docker.io/library/nginx:1.27")]
    pub image: Option<String>,
    /// The image's digest.
    pub image_digest: Option<String>,
    /// `docker`, `containerd`, `cri-o` or `podman`.
    pub runtime: Option<String>,
    /// Runs with all capabilities.
    pub privileged: Option<bool>,
    /// Its pod, where it is of one.
    pub pod: Option<Pod>,
    /// The runtime's labels.
    pub labels: BTreeMap<String, String>,
    /// Cgroup path, below its hierarchy's root.
    pub cgroup_path: String,
    /// When the runtime made it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
}

/// A Kubernetes pod.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Pod {
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its uid.
    pub uid: String,
    /// The service account it runs as.
    pub service_account: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl From<model::Container> for Container {
    fn from(container: model::Container) -> Self {
        Self {
            id: container.id.to_string(),
            name: container.name,
            image: container.image,
            image_digest: container.image_digest,
            runtime: container.runtime,
            privileged: container.privileged,
            pod: container.pod.map(Into::into),
            labels: container.labels,
            cgroup_path: container.cgroup_path,
            created_at: container.created_at.and_then(known),
        }
    }
}

impl From<model::Pod> for Pod {
    fn from(pod: model::Pod) -> Self {
        Self {
            name: pod.name,
            namespace: pod.namespace,
            uid: pod.uid,
            service_account: pod.service_account,
            labels: pod.labels,
        }
    }
}
