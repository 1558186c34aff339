use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The runtime's id of a container (64 hexadecimal digits with docker, containerd and CRI-O). Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerId(pub Arc<str>);

impl ContainerId {
    /// The first 12 characters, as docker and Falco print it.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl From<&str> for ContainerId {
    fn from(id: &str) -> Self {
        Self(Arc::from(id))
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A container. What only the runtime knows comes later than the cgroup: such fields are
/// None until then, and the entity is sent again when they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The runtime's id.
    pub id: ContainerId,
    /// `docker`, `containerd`, `cri-o`, `podman`: from the shape of the cgroup path, else from the runtime's socket.
    pub runtime: Option<String>,
    /// The container's name (in a pod: the name in the pod's spec).
    pub name: Option<String>,
    /// The image as it was asked for, such as `docker.io/library/nginx:1.27`.
    pub image: Option<String>,
    /// The image's digest, such as `sha256:…`.
    pub image_digest: Option<String>,
    /// The pod, where there is one.
    pub pod: Option<Pod>,
    /// The runtime's labels.
    pub labels: BTreeMap<String, String>,
    /// Runs with all capabilities.
    pub privileged: Option<bool>,
    /// Cgroup path, below its hierarchy's root.
    pub cgroup_path: String,
    /// When the runtime made it.
    pub created_at: Option<Timestamp>,
    /// What is mounted in it. Known on its node alone, to rules: it goes neither over the wire nor into a store.
    #[serde(skip)]
    pub mounts: Option<Vec<Mount>>,
}

/// Something of the node, or of a volume, that a container has at a place of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted: a path of the node, or the name of a file system.
    pub source: String,
    /// Where, in the container.
    pub destination: String,
    /// Further options, as the runtime tells them.
    pub mode: String,
    /// It may be written to.
    pub writable: bool,
    /// How mounts below it spread, such as `rprivate`.
    pub propagation: String,
}

/// The Kubernetes pod of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// The pod's uid; the cgroup path tells it before the runtime does.
    pub uid: String,
    /// Name; None until the runtime told it.
    pub name: Option<String>,
    /// Namespace; None until the runtime told it.
    pub namespace: Option<String>,
    /// The pod's labels.
    pub labels: BTreeMap<String, String>,
    /// Service account, where known.
    pub service_account: Option<String>,
}
