use event_model::SourceId;
use proto::{EnvelopeError, NODE_VERSIONS};
use tonic::{Code, Status};

/// Why a peer, or something it sent, is refused. Each is counted, and told to the peer in words.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub(crate) enum Refusal {
    #[error(
        "uid {uid} (gid {gid}) may not send records here: add it to listen.allowed_uids or listen.allowed_gids of the publisher, or run the collector as one of {allowed:?}"
    )]
    Uid { uid: u32, gid: u32, allowed: Vec<u32> },
    #[error(
        "the peer (uid {uid}) runs in none of listen.allowed_cgroups of the publisher: {found}"
    )]
    Cgroup { uid: u32, found: String },
    #[error(
        "{maximum} collectors of uid {uid} are connected already: raise listen.maximum_connections_per_uid of the publisher"
    )]
    ConnectionsOfUser { uid: u32, maximum: usize },
    #[error(
        "{maximum} collectors are connected already: raise listen.maximum_connections of the publisher"
    )]
    Connections { maximum: usize },
    #[error("the first message must be Hello, with a source")]
    NoGreeting,
    #[error("the source's description is malformed: {0}")]
    Source(proto::ConversionError),
    #[error("the source's {field} has {bytes} bytes, at most {maximum} are taken")]
    LongName { field: &'static str, bytes: usize, maximum: usize },
    #[error(
        "the collector speaks protocol versions {minimum} to {maximum}, this publisher speaks {} to {}: bring both to the same release",
        NODE_VERSIONS.start(), NODE_VERSIONS.end()
    )]
    Version { minimum: u32, maximum: u32 },
    #[error("a message is over {maximum} bytes, the most that is taken: {detail}")]
    Oversized { maximum: usize, detail: String },
    #[error("a message is malformed: {0}")]
    Malformed(String),
    #[error("an envelope is malformed: {0}")]
    Envelope(#[from] EnvelopeError),
    #[error("an envelope of source {0} came over the connection of source {1}")]
    ForeignSource(SourceId, SourceId),
    #[error("{sent} bytes were sent with a credit of {credit}")]
    Credit { sent: u64, credit: u64 },
    #[error("{0}")]
    Rejected(String),
}

impl Refusal {
    /// The value of the `reason` label in metrics.
    const fn reason(&self) -> &'static str {
        match self {
            Self::Uid { .. } => "uid",
            Self::Cgroup { .. } => "cgroup",
            Self::ConnectionsOfUser { .. } => "connections_of_uid",
            Self::Connections { .. } => "connections",
            Self::NoGreeting => "no_greeting",
            Self::Version { .. } => "version",
            Self::Oversized { .. } => "oversized",
            Self::Malformed(_) | Self::Envelope(_) | Self::Source(_) | Self::LongName { .. } => {
                "malformed"
            }
            Self::ForeignSource(..) => "foreign_source",
            Self::Credit { .. } => "credit",
            Self::Rejected(_) => "rejected",
        }
    }

    const fn code(&self) -> Code {
        match self {
            Self::Uid { .. } | Self::Cgroup { .. } => Code::PermissionDenied,
            Self::Connections { .. } | Self::ConnectionsOfUser { .. } => Code::ResourceExhausted,
            Self::NoGreeting | Self::Version { .. } => Code::FailedPrecondition,
            Self::Oversized { .. } => Code::OutOfRange,
            _ => Code::InvalidArgument,
        }
    }

    /// Whether an envelope is at fault, and not the peer: what comes behind it may be taken.
    pub(crate) const fn is_of_one_envelope(&self) -> bool {
        matches!(self, Self::Oversized { .. } | Self::Envelope(_))
    }

    /// Counts and logs the refusal, and makes the answer to the peer.
    pub(crate) fn into_status(self) -> Status {
        count(self.reason());
        tracing::warn!(reason = self.reason(), "refused on the collectors' socket: {self}");
        Status::new(self.code(), self.to_string())
    }
}

/// Counts a refusal that can't be answered.
pub(crate) fn count(reason: &'static str) {
    metrics::counter!("defender_link_refused_total", "reason" => reason).increment(1);
}
