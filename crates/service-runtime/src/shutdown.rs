use crate::ConfigProblem;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The key `shutdown`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShutdownConfig {
    /// How many seconds the parts have to finish after the first SIGTERM or SIGINT. Keep it below
    /// the pod's `terminationGracePeriodSeconds`.
    pub grace_seconds: u64,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { grace_seconds: 10 }
    }
}

impl ShutdownConfig {
    pub(crate) fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigProblem> {
        if (1..=3600).contains(&self.grace_seconds) {
            return Ok(());
        }
        Err(ConfigProblem::new("shutdown.grace_seconds", "must be from 1 to 3600"))
    }
}
