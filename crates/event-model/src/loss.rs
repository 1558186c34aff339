use crate::{Lane, Timestamp};
use serde::{Deserialize, Serialize};

/// Something that was seen and could not be kept. Loss is data: it travels in the stream it happened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The lane that lost records.
    pub lane: Lane,
    /// What kind of record was lost, such as `exec`; `any` where that is not known.
    pub kind: String,
    /// Why.
    pub reason: LossReason,
    /// How many records.
    pub count: u64,
    /// When the first was lost.
    pub since: Timestamp,
    /// When the last was lost.
    pub until: Timestamp,
}

/// Why records were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// The kernel's ring buffer was full.
    RingFull,
    /// A record from the kernel could not be decoded.
    Undecodable,
    /// The collector's queue to the publisher was full.
    QueueFull,
    /// The spool had reached its bound.
    SpoolFull,
    /// A segment of the spool was damaged.
    SpoolCorrupt,
    /// The disk refused to take the record.
    DiskError,
    /// A sender passed its rate limit.
    RateLimited,
    /// A batch was larger than the receiver takes.
    TooLarge,
    /// The receiver found the batch malformed.
    Rejected,
    /// It lay in the spool for longer than it may.
    SpoolExpired,
    /// One that this version does not know: a newer program told it.
    Other,
}

impl LossReason {
    /// All reasons.
    pub const ALL: [Self; 11] = [
        Self::RingFull,
        Self::Undecodable,
        Self::QueueFull,
        Self::SpoolFull,
        Self::SpoolCorrupt,
        Self::DiskError,
        Self::RateLimited,
        Self::TooLarge,
        Self::Rejected,
        Self::SpoolExpired,
        Self::Other,
    ];

    /// The value of the `reason` label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RingFull => "ring_full",
            Self::Undecodable => "undecodable",
            Self::QueueFull => "queue_full",
            Self::SpoolFull => "spool_full",
            Self::SpoolCorrupt => "spool_corrupt",
            Self::DiskError => "disk_error",
            Self::RateLimited => "rate_limited",
            Self::TooLarge => "too_large",
            Self::Rejected => "rejected",
            Self::SpoolExpired => "spool_expired",
            Self::Other => "other",
        }
    }
}
