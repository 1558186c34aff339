use serde::{Deserialize, Serialize};
use service_runtime::ConfigProblem;
use std::time::Duration;

/// Counts that are told later than this are no news.
const LONGEST_SECONDS: u64 = 3600;
/// More would be no limit.
const MOST_A_MINUTE: u32 = 10_000;

/// The key `alerts`: how many alerts are sent one by one. The rest is counted, and each count is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertsConfig {
    /// An alert that tells what one before it told within this time is counted, not sent: the same rule about the same
    /// act of the same program, command line and user in the same container. 0 sends each.
    pub repeat_seconds: u64,
    /// The most alerts of one rule that are sent within a minute of one container; outside containers, of one program; of
    /// requests to the API server of Kubernetes, of one user. 0 sets no limit.
    pub per_minute: u32,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self { repeat_seconds: 60, per_minute: 60 }
    }
}

impl AlertsConfig {
    /// None where repeats are sent too.
    pub(super) fn repeat_within(&self) -> Option<Duration> {
        (self.repeat_seconds > 0).then(|| Duration::from_secs(self.repeat_seconds))
    }

    /// Finds what cannot be.
    pub fn validate(&self) -> Result<(), ConfigProblem> {
        if self.repeat_seconds > LONGEST_SECONDS {
            let message = format!("must be 0 to {LONGEST_SECONDS}");
            return Err(ConfigProblem::new("alerts.repeat_seconds", message));
        }
        if self.per_minute > MOST_A_MINUTE {
            let message = format!("must be 0 (no limit) to {MOST_A_MINUTE}");
            return Err(ConfigProblem::new("alerts.per_minute", message));
        }
        Ok(())
    }
}
