//! The configuration file, a struct for each of its sections.

mod backend;
mod enrolment;
mod listen;
mod otlp;
mod proxy;
mod spool;

pub use backend::{BackendSection, BackendUrls};
pub use enrolment::EnrolmentSection;
pub use listen::ListenSection;
pub use otlp::{Body, Compression, HeaderSection, OtlpSection, Protocol};
pub use proxy::ProxySection;
pub(crate) use proxy::is_set;
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
    /// What lies on the way there.
    pub proxy: ProxySection,
    /// Receivers of OpenTelemetry logs that it goes to besides, or, where `backend.url` is empty, alone.
    pub otlp: Vec<OtlpSection>,
    /// How this node gets its certificate.
    pub enrolment: EnrolmentSection,
}

impl Config {
    /// Whether there is a backend to send to.
    pub fn has_backend(&self) -> bool {
        !self.backend.url.is_empty()
    }
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
            proxy: ProxySection::default(),
            otlp: Vec::new(),
            enrolment: EnrolmentSection::default(),
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
        otlp::validate(&self.otlp)?;
        self.proxy.validate()?;
        if self.has_backend() {
            if self.enrolment.enabled && is_set(&self.backend.token_file) {
                let message =
                    "is true, and backend.token_file is set: the backend takes one of both";
                return Err(ConfigProblem::new("enrolment.enabled", message));
            }
            if !self.enrolment.enabled {
                return self.backend.validate();
            }
            let mut led = self.backend.clone();
            self.enrolment.lead(&mut led);
            led.validate()?;
            return self.enrolment.validate();
        }
        if self.enrolment.enabled {
            let message = "is true, and backend.url is empty: nobody could give a certificate";
            return Err(ConfigProblem::new("enrolment.enabled", message));
        }
        if self.otlp.is_empty() {
            let message =
                "is empty, and so is otlp: nothing would leave the node; name a destination";
            return Err(ConfigProblem::new("backend.url", message));
        }
        Ok(())
    }
}
