use super::retention::Retention;
use serde::{Deserialize, Serialize};
use service_runtime::{Bytes, ConfigProblem};
use std::path::PathBuf;
use std::time::Duration;

/// Below this the store could not hold a day of the quietest node.
const LEAST: Bytes = Bytes::mebibytes(64);

const DAY_SECONDS: u64 = 86_400;
/// What comes an hour late must find what was there before.
const LEAST_SECONDS: u64 = DAY_SECONDS;

/// The key `store`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The folder of the database files. One backend at a time uses it.
    pub directory: PathBuf,
    /// When the files pass this many bytes, the oldest day of events goes first.
    pub maximum_bytes: Bytes,
    /// For how long changes of Kubernetes objects are kept, in seconds. How an object is now stays.
    pub kubernetes_changes_seconds: u64,
    /// For how long a finding is kept after it was resolved, in seconds.
    pub resolved_findings_seconds: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            directory: "/var/lib/defender/backend".into(),
            maximum_bytes: Bytes::gibibytes(20),
            kubernetes_changes_seconds: 30 * DAY_SECONDS,
            resolved_findings_seconds: 90 * DAY_SECONDS,
        }
    }
}

impl StoreConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigProblem> {
        if self.maximum_bytes < LEAST {
            return Err(ConfigProblem::new(
                "store.maximum_bytes",
                format!("must be at least {LEAST}"),
            ));
        }
        if self.directory.as_os_str().is_empty() {
            return Err(ConfigProblem::new("store.directory", "must name a folder"));
        }
        for (key, seconds) in [
            ("store.kubernetes_changes_seconds", self.kubernetes_changes_seconds),
            ("store.resolved_findings_seconds", self.resolved_findings_seconds),
        ] {
            if seconds < LEAST_SECONDS {
                return Err(ConfigProblem::new(
                    key,
                    format!("must be at least {LEAST_SECONDS}: a day"),
                ));
            }
        }
        Ok(())
    }

    pub(super) fn retention(&self) -> Retention {
        Retention {
            changes: Duration::from_secs(self.kubernetes_changes_seconds),
            resolved_findings: Duration::from_secs(self.resolved_findings_seconds),
        }
    }
}
