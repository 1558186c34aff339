use serde::{Deserialize, Serialize};

/// The key `node`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSection {
    /// The node's name as Kubernetes knows it. Empty: the environment's NODE_NAME, else the host name.
    pub name: String,
}
