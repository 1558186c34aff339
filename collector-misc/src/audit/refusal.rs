use kubernetes_audit::ListError;

/// Why a request is not taken, or not all of it. An API server sends a batch again whatever the answer is, five times with growing
/// pauses; where `Retry-After` is set it comes again sooner, and more often.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("events are sent to /audit: put that path into the server's URL of the kubeconfig")]
    Path,
    #[error("events are sent by POST")]
    Method,
    #[error(
        "show a certificate that audit.client_ca_file signed, or the token of audit.token_file"
    )]
    Unauthorised,
    #[error("a body is JSON (Content-Type: application/json)")]
    ContentType,
    #[error("a body is not compressed (no Content-Encoding)")]
    ContentEncoding,
    #[error(
        "the body is larger than audit.maximum_body_bytes: set --audit-webhook-truncate-enabled at the API server"
    )]
    TooLarge,
    #[error("{0}")]
    Malformed(#[from] ListError),
    #[error("the body did not come in time")]
    Slow,
    #[error("the connection broke within the body")]
    Broken,
    #[error("as many bodies as may be are being read: come again")]
    Busy,
    #[error("the publisher does not take events as fast as they come: come again")]
    Crowded,
    #[error("the publisher has not stored all events yet: come again")]
    Unacknowledged,
    #[error("the collector is ending: come again")]
    Ending,
}

impl Refusal {
    /// RFC 9110.
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Broken => 400,
            Self::Unauthorised => 401,
            Self::Path => 404,
            Self::Method => 405,
            Self::Slow => 408,
            Self::TooLarge => 413,
            Self::ContentType | Self::ContentEncoding => 415,
            Self::Busy => 429,
            Self::Crowded | Self::Unacknowledged | Self::Ending => 503,
        }
    }

    /// When to come again, in seconds.
    pub(super) const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Busy | Self::Unacknowledged | Self::Ending => Some(1),
            Self::Crowded => Some(5),
            _ => None,
        }
    }

    /// The name in metrics.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Path | Self::Method | Self::ContentType | Self::ContentEncoding => "unsupported",
            Self::Unauthorised => "unauthorised",
            Self::TooLarge => "too_large",
            Self::Malformed(_) => "malformed",
            Self::Slow => "slow",
            Self::Broken => "broken",
            Self::Busy => "busy",
            Self::Crowded => "crowded",
            Self::Unacknowledged => "unacknowledged",
            Self::Ending => "ending",
        }
    }
}
