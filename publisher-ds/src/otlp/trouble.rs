use crate::dial::DialError;
use crate::files::FileError;
use std::time::Duration;

/// A receiver may ask for a pause; for a longer one than this it must ask again.
const LONGEST_PAUSE_ASKED_FOR: Duration = Duration::from_mins(5);

/// Files that may be mounted, and tokens that may be renewed any moment.
const PAUSE_FOR_FILES: Duration = Duration::from_secs(3);

/// Why a request was not taken: each says in its message what to look at. What is spooled stays there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("{key}: {problem}")]
    Files { key: &'static str, problem: String },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("no TLS with {address}: {problem}")]
    Tls { address: String, problem: String },
    #[error("the receiver did not answer within {seconds} s")]
    Timeout { seconds: u64 },
    #[error("the connection broke: {0}")]
    Transport(String),
    /// The receiver asks to be asked again later.
    #[error("the receiver is busy ({status}): {message}")]
    Busy { status: String, message: String, after: Option<Duration> },
    /// It takes nothing from us, whatever we send.
    #[error(
        "the receiver lets nothing in ({status}): {message}: look at endpoint, headers and certificate_file"
    )]
    Denied { status: String, message: String },
    /// It failed, and does not say that another try helps.
    #[error("the receiver failed ({status}): {message}")]
    Failed { status: String, message: String },
    /// It will never take what this request holds.
    #[error("the receiver refused a request ({status}): {message}")]
    Refused { status: String, message: String },
}

impl Trouble {
    /// The value of the `reason` label in metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::File(_) | Self::Files { .. } => "credentials",
            Self::Dial(error) => error.reason(),
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::Transport(_) => "transport",
            Self::Busy { .. } => "busy",
            Self::Denied { .. } => "denied",
            Self::Failed { .. } => "failed",
            Self::Refused { .. } => "refused",
        }
    }

    /// The connection ended, for whatever reason.
    pub(crate) const fn is_broken(&self) -> bool {
        matches!(self, Self::Transport(_))
    }

    /// It is over once there is a connection.
    pub(crate) const fn is_about_connecting(&self) -> bool {
        matches!(self, Self::File(_) | Self::Files { .. } | Self::Dial(_) | Self::Tls { .. })
    }

    /// What the receiver asked for.
    pub(crate) fn pause_at_least(&self) -> Duration {
        match self {
            Self::Busy { after: Some(after), .. } => (*after).min(LONGEST_PAUSE_ASKED_FOR),
            Self::File(_) | Self::Files { .. } => PAUSE_FOR_FILES,
            _ => Duration::ZERO,
        }
    }
}
