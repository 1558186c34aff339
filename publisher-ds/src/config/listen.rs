use node_link::ListenConfig;
use serde::{Deserialize, Serialize};
use service_runtime::{Bytes, ConfigProblem};
use std::path::PathBuf;

const LEAST_BYTES_PER_SECOND: u64 = 64 << 10;

/// The key `listen`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenSection {
    /// Path of the Unix socket for collectors; its directory is made where it is missing.
    pub socket: PathBuf,
    /// Users whose processes may send records.
    pub allowed_uids: Vec<u32>,
    /// Groups whose processes may send records, whoever runs them.
    pub allowed_gids: Vec<u32>,
    /// Collectors connected at once.
    pub maximum_connections: usize,
    /// Of them, collectors of one user.
    pub maximum_connections_per_uid: usize,
    /// Bytes a second that one collector may send. What comes faster waits with the collector.
    pub maximum_bytes_per_second: Bytes,
    /// Cgroups that collectors must run in or below, such as `/system.slice/defender-collector.service`; empty: any.
    /// The publisher must run in the node's PID namespace to know.
    pub allowed_cgroups: Vec<PathBuf>,
}

impl Default for ListenSection {
    fn default() -> Self {
        ListenConfig::default().into()
    }
}

impl ListenSection {
    pub(super) fn validate(&self) -> Result<(), ConfigProblem> {
        if !self.socket.is_absolute() {
            return Err(ConfigProblem::new("listen.socket", "must be an absolute path"));
        }
        if self.allowed_uids.is_empty() && self.allowed_gids.is_empty() {
            let message = "is empty, and so is listen.allowed_gids: no collector could connect";
            return Err(ConfigProblem::new("listen.allowed_uids", message));
        }
        self.validate_limits()?;
        match self.allowed_cgroups.iter().find(|path| !path.is_absolute()) {
            None => Ok(()),
            Some(path) => {
                let message =
                    format!("{} must begin with a /, as in /proc/PID/cgroup", path.display());
                Err(ConfigProblem::new("listen.allowed_cgroups", message))
            }
        }
    }

    fn validate_limits(&self) -> Result<(), ConfigProblem> {
        if !(1..=1024).contains(&self.maximum_connections) {
            return Err(ConfigProblem::new("listen.maximum_connections", "must be from 1 to 1024"));
        }
        if self.maximum_connections_per_uid == 0 {
            let message = "must be at least 1: no collector could connect";
            return Err(ConfigProblem::new("listen.maximum_connections_per_uid", message));
        }
        if self.maximum_bytes_per_second.get() < LEAST_BYTES_PER_SECOND {
            let message = "must be at least 64KiB: collectors would never catch up";
            return Err(ConfigProblem::new("listen.maximum_bytes_per_second", message));
        }
        Ok(())
    }
}

impl From<ListenConfig> for ListenSection {
    fn from(config: ListenConfig) -> Self {
        Self {
            socket: config.socket,
            allowed_uids: config.allowed_uids,
            allowed_gids: config.allowed_gids,
            maximum_connections: config.maximum_connections,
            maximum_connections_per_uid: config.maximum_connections_per_uid,
            maximum_bytes_per_second: Bytes::new(config.bytes_per_second),
            allowed_cgroups: config.allowed_cgroups,
        }
    }
}

impl From<ListenSection> for ListenConfig {
    fn from(section: ListenSection) -> Self {
        Self {
            socket: section.socket,
            allowed_uids: section.allowed_uids,
            allowed_gids: section.allowed_gids,
            maximum_connections: section.maximum_connections,
            maximum_connections_per_uid: section.maximum_connections_per_uid,
            bytes_per_second: section.maximum_bytes_per_second.get(),
            allowed_cgroups: section.allowed_cgroups,
            ..Self::default()
        }
    }
}
