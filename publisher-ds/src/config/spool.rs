use crate::spool::SpoolConfig;
use serde::{Deserialize, Serialize};
use service_runtime::{Bytes, ConfigProblem};
use std::path::PathBuf;
use std::time::Duration;

/// A segment must hold the largest envelope (1 MiB).
const SMALLEST_SEGMENT: u64 = 1 << 20;

/// Recovery reads a segment into memory.
const LARGEST_SEGMENT: u64 = 64 << 20;

/// Each of four lanes may have a segment that is written and one that is sent.
const SEGMENTS_AT_LEAST: u64 = 8;

const LONGEST_PATIENCE: u32 = 60;

const DAY: Duration = Duration::from_hours(24);

/// The key `spool`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolSection {
    /// Directory of its own, on a disk that survives a restart of the pod.
    pub directory: PathBuf,
    /// Bytes on disk at most. Beyond it the least worthy lane loses its oldest, counted and reported.
    pub maximum_bytes: Bytes,
    /// Size at which a file is closed and another begun; what is dropped is dropped in such pieces.
    pub segment_bytes: Bytes,
    /// Days after which what no destination took is dropped, counted and reported; alerts never are. Only time in
    /// which the publisher runs counts, so that no clock that jumps costs a record. 0: no bound.
    pub maximum_age_days: u32,
    /// How long collectors wait for room while a destination takes what there is, before the oldest is dropped. They
    /// keep what waits, within their own bounds. Alerts never wait. 0: nothing does.
    pub patience_seconds: u32,
}

impl Default for SpoolSection {
    fn default() -> Self {
        Self {
            directory: "/var/lib/defender/spool".into(),
            maximum_bytes: Bytes::gibibytes(2),
            segment_bytes: Bytes::mebibytes(16),
            maximum_age_days: 7,
            patience_seconds: 5,
        }
    }
}

impl SpoolSection {
    pub(super) fn validate(&self) -> Result<(), ConfigProblem> {
        if !self.directory.is_absolute() {
            return Err(ConfigProblem::new("spool.directory", "must be an absolute path"));
        }
        if !(SMALLEST_SEGMENT..=LARGEST_SEGMENT).contains(&self.segment_bytes.get()) {
            return Err(ConfigProblem::new("spool.segment_bytes", "must be from 1MiB to 64MiB"));
        }
        if self.patience_seconds > LONGEST_PATIENCE {
            let message = "must be at most 60: collectors keep in memory what waits";
            return Err(ConfigProblem::new("spool.patience_seconds", message));
        }
        let least = Bytes::new(self.segment_bytes.get() * SEGMENTS_AT_LEAST);
        if self.maximum_bytes < least {
            let message = format!("must be at least {least}, eight times spool.segment_bytes");
            return Err(ConfigProblem::new("spool.maximum_bytes", message));
        }
        Ok(())
    }
}

impl From<SpoolSection> for SpoolConfig {
    fn from(section: SpoolSection) -> Self {
        Self {
            directory: section.directory,
            maximum_bytes: section.maximum_bytes.get(),
            segment_bytes: section.segment_bytes.get(),
            maximum_age: DAY * section.maximum_age_days,
            patience: Duration::from_secs(section.patience_seconds.into()),
        }
    }
}
