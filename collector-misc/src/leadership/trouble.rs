use kube::Error as ClientError;

/// Why the Lease could not be read or written: the `reason` label of `defender_lease_errors_total`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// Another wrote the Lease at the same time, or made it. Part of ordinary life.
    #[error("another replica wrote it at the same time (409)")]
    Conflict,
    /// The server refuses.
    #[error(
        "the Kubernetes API refuses access (403): grant get, create and update of it, as the chart's Role does"
    )]
    Forbidden,
    /// The namespace is not there, say.
    #[error("the Kubernetes API refuses the request ({code}): {message}")]
    Refused { code: u16, message: String },
    /// The server failed.
    #[error("the Kubernetes API fails ({code})")]
    ServerError { code: u16 },
    /// No answer in time.
    #[error("the Kubernetes API does not answer in time")]
    TimedOut,
    /// There is no connection, or an answer that cannot be read.
    #[error("the Kubernetes API cannot be reached: {0}")]
    Unreachable(String),
}

impl Trouble {
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Forbidden => "forbidden",
            Self::Refused { .. } => "refused",
            Self::ServerError { .. } => "server_error",
            Self::TimedOut => "timed_out",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        let ClientError::Api(status) = error else { return Self::Unreachable(error.to_string()) };
        match status.code {
            409 => Self::Conflict,
            403 => Self::Forbidden,
            code @ 400..500 => Self::Refused { code, message: status.message },
            code => Self::ServerError { code },
        }
    }
}
