//! The configuration file, a struct for each of its sections.

mod backend;
mod listen;
mod spool;

pub use backend::BackendSection;
pub use listen::ListenSection;
pub use spool::SpoolSection;

use serde::{Deserialize, Serialize};
use service_runtime::{
    AdminConfig, ConfigProblem, LogConfig, NodeConfig, ServiceConfig, SharedConfig, ShutdownConfig,
};

const ADMIN_PORT: u16 = 9102;

/// publisher-ds.yaml
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Logging.
    pub log: LogConfig,
    /// Metrics, health, readiness.
    pub admin: AdminConfig,
    /// The end of the program.
    pub shutdown: ShutdownConfig,
    /// The node that this publisher serves.
    pub node: NodeConfig,
    /// The socket for collectors.
    pub listen: ListenSection,
    /// The queue on disk.
    pub spool: SpoolSection,
    /// Where everything goes.
    pub backend: BackendSection,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log: LogConfig::default(),
            admin: AdminConfig::on_port(ADMIN_PORT),
            shutdown: ShutdownConfig::default(),
            node: NodeConfig::default(),
            listen: ListenSection::default(),
            spool: SpoolSection::default(),
            backend: BackendSection::default(),
        }
    }
}

impl ServiceConfig for Config {
    fn shared(&self) -> SharedConfig<'_> {
        SharedConfig { log: &self.log, admin: &self.admin, shutdown: &self.shutdown }
    }

    fn validate(&self) -> Result<(), ConfigProblem> {
        self.listen.validate()?;
        self.spool.validate()?;
        self.backend.validate()
    }
}
