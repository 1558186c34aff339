use node_link::ListenConfig;
use serde::{Deserialize, Serialize};
use service_runtime::ConfigProblem;
use std::path::PathBuf;

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
        if (1..=1024).contains(&self.maximum_connections) {
            return Ok(());
        }
        Err(ConfigProblem::new("listen.maximum_connections", "must be from 1 to 1024"))
    }
}

impl From<ListenConfig> for ListenSection {
    fn from(config: ListenConfig) -> Self {
        Self {
            socket: config.socket,
            allowed_uids: config.allowed_uids,
            allowed_gids: config.allowed_gids,
            maximum_connections: config.maximum_connections,
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
            ..Self::default()
        }
    }
}
