use serde::{Deserialize, Serialize};
use service_runtime::{Bytes, ConfigProblem};
use std::path::PathBuf;

/// Below this the store could not hold a day of the quietest node.
const LEAST: Bytes = Bytes::mebibytes(64);

/// The key `store`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The folder of the database files. One backend at a time uses it.
    pub directory: PathBuf,
    /// When the files pass this many bytes, the oldest day of events goes first.
    pub maximum_bytes: Bytes,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { directory: "/var/lib/defender/backend".into(), maximum_bytes: Bytes::gibibytes(20) }
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
        Ok(())
    }
}
