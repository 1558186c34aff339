//! The configuration of the backend: `backend.yaml`.

use crate::api::ApiConfig;
use crate::enrolment::EnrolmentConfig;
use crate::ingest::IngestConfig;
use crate::store::StoreConfig;
use serde::{Deserialize, Serialize};
use service_runtime::{
    AdminConfig, ConfigProblem, LogConfig, ServiceConfig, SharedConfig, ShutdownConfig,
};

/// Port of the backend's `/metrics`, `/healthz` and `/readyz`.
const ADMIN_PORT: u16 = 9104;

/// All keys of `backend.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Logs.
    pub log: LogConfig,
    /// Metrics and health.
    pub admin: AdminConfig,
    /// How the backend ends.
    pub shutdown: ShutdownConfig,
    /// Where publishers connect.
    pub ingest: IngestConfig,
    /// How nodes get their certificates.
    pub enrolment: EnrolmentConfig,
    /// The JSON API and the console.
    pub api: ApiConfig,
    /// Where everything is kept.
    pub store: StoreConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log: LogConfig::default(),
            admin: AdminConfig::on_port(ADMIN_PORT),
            shutdown: ShutdownConfig::default(),
            ingest: IngestConfig::default(),
            enrolment: EnrolmentConfig::default(),
            api: ApiConfig::default(),
            store: StoreConfig::default(),
        }
    }
}

impl ServiceConfig for Config {
    fn shared(&self) -> SharedConfig<'_> {
        SharedConfig { log: &self.log, admin: &self.admin, shutdown: &self.shutdown }
    }

    fn validate(&self) -> Result<(), ConfigProblem> {
        self.ingest.validate()?;
        self.enrolment.validate()?;
        self.api.validate()?;
        self.store.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::Config;
    use service_runtime::ServiceConfig;

    #[test]
    fn the_defaults_are_valid_and_survive_serialisation() {
        let config = Config::default();
        config.validate().unwrap();
        let json = serde_json::to_value(&config).unwrap();
        assert_eq!(serde_json::from_value::<Config>(json).unwrap(), config);
    }
}
