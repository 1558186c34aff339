use serde::{Deserialize, Serialize};
use service_runtime::{Bytes, ConfigProblem};
use std::path::PathBuf;

/// Less would fall behind a small cluster.
const LEAST_BYTES_A_SECOND: u64 = 64 << 10;

/// The key `audit`: the audit file of a Kubernetes API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// The file as the node names it (`--audit-log-path`), `/var/log/kubernetes/audit/audit.log` with kubeadm's usual
    /// settings. Empty: none is followed. Nodes without the file wait until there is one.
    pub path: PathBuf,
    /// Where the sensor notes how far it has read, that it runs, and what rules learnt. Empty: after a restart the file is followed
    /// from its end, whether the last run was killed is not known, and rules learn anew.
    pub state_directory: PathBuf,
    /// How much is taken in a second. What goes beyond for more than ten seconds is passed over, counted.
    pub bytes_per_second: Bytes,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            state_directory: PathBuf::new(),
            bytes_per_second: Bytes::mebibytes(4),
        }
    }
}

impl AuditConfig {
    /// Whether a file is to be followed.
    pub fn is_on(&self) -> bool {
        !self.path.as_os_str().is_empty()
    }

    /// The file that holds the position.
    pub fn position_file(&self) -> Option<PathBuf> {
        let is_set = !self.state_directory.as_os_str().is_empty();
        is_set.then(|| self.state_directory.join("audit-position.json"))
    }

    /// Finds what cannot be.
    pub fn validate(&self) -> Result<(), ConfigProblem> {
        for (key, path) in
            [("audit.path", &self.path), ("audit.state_directory", &self.state_directory)]
        {
            if !path.as_os_str().is_empty() && !path.is_absolute() {
                let message = format!("{} must be an absolute path, or empty", path.display());
                return Err(ConfigProblem::new(key, message));
            }
        }
        if self.is_on() && self.path.file_name().is_none() {
            let message = format!("{} must name a file", self.path.display());
            return Err(ConfigProblem::new("audit.path", message));
        }
        if self.bytes_per_second.get() < LEAST_BYTES_A_SECOND {
            return Err(ConfigProblem::new("audit.bytes_per_second", "must be at least 64KiB"));
        }
        Ok(())
    }
}
