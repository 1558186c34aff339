use serde::{Deserialize, Serialize};
use service_runtime::{Bytes, ConfigProblem, Flag};
use std::path::PathBuf;

/// Less holds no more than the rules.
const MINIMUM_BYTES: u64 = 64 << 10;

/// The flags of the command line that set this section's keys.
pub const FLAGS: [Flag; 2] = [
    Flag {
        name: "record",
        value_name: "FILE",
        key: "record.file",
        help: "Record what the rules are asked, and their alerts, for defender-rules replay and why",
    },
    Flag {
        name: "record-bytes",
        value_name: "SIZE",
        key: "record.maximum_bytes",
        help: "Where the recording ends, such as 256MiB",
    },
];

/// The key `record`. A capture holds command lines, paths and requests as they were: keep it as you would keep a memory dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordConfig {
    /// The file to record to, made with mode 0600. One that exists already is never written over: nothing is recorded
    /// then. Empty: nothing is recorded.
    pub file: PathBuf,
    /// The recording ends before the file is larger.
    pub maximum_bytes: Bytes,
}

impl Default for RecordConfig {
    fn default() -> Self {
        Self { file: PathBuf::new(), maximum_bytes: Bytes::mebibytes(256) }
    }
}

impl RecordConfig {
    /// Finds what cannot be.
    pub fn validate(&self) -> Result<(), ConfigProblem> {
        if self.maximum_bytes.get() < MINIMUM_BYTES {
            return Err(ConfigProblem::new("record.maximum_bytes", "must be at least 64KiB"));
        }
        Ok(())
    }
}
