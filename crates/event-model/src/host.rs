use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A node, from one boot to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The kernel's boot id.
    pub boot_id: Uuid,
    /// The node's name as Kubernetes knows it, else the host name.
    pub node: String,
    /// Host name.
    pub hostname: String,
    /// `/etc/machine-id`, where there is one.
    pub machine_id: Option<String>,
    /// Kernel release, as `uname -r` prints it.
    pub kernel: String,
    /// PRETTY_NAME of os-release.
    pub operating_system: String,
    /// Machine architecture, as `uname -m` prints it.
    pub architecture: String,
}
