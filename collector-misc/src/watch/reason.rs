/// Why a list or watch failed: the `reason` label of `defender_kubernetes_watch_errors_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The server does not know us.
    Unauthorized,
    /// It knows us and refuses.
    Forbidden,
    /// The version that we stood at is too old: all is listed anew. Part of ordinary life.
    Gone,
    /// The request is not one that the server takes.
    Refused,
    /// The server has too much to do.
    Overloaded,
    /// The server failed.
    ServerError,
    /// There is no connection to the server.
    Unreachable,
    /// The server has not answered for long.
    Silent,
    /// A connection broke while it was read. Part of ordinary life.
    Interrupted,
    /// The answer is not what the API promises.
    Undecodable,
    /// An object is larger than any that is read.
    TooLarge,
}

impl Reason {
    /// The label's value.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
            Self::Interrupted => "interrupted",
            Self::Undecodable => "undecodable",
            Self::TooLarge => "too_large",
        }
    }

    /// Whether watching recovers from it at once and by itself, as it does every day.
    pub(crate) const fn is_ordinary(self) -> bool {
        matches!(self, Self::Gone | Self::Interrupted)
    }

    /// What is wrong with the watch of `plural` and the way out, for people.
    pub(crate) fn in_words(self, plural: &str) -> String {
        let (trouble, way_out) = match self {
            Self::Unauthorized => (
                "the Kubernetes API does not accept our credentials (401)",
                "check the service account's token, or the user of the kubeconfig",
            ),
            Self::Forbidden => (
                "the Kubernetes API refuses access (403)",
                "grant list and watch, as the chart's ClusterRole does",
            ),
            Self::Gone => ("the version is too old (410)", "all is listed anew"),
            Self::Refused => ("the Kubernetes API refuses the request", "the log has its words"),
            Self::Overloaded => ("the Kubernetes API is overloaded", "it is asked again later"),
            Self::ServerError => ("the Kubernetes API fails", "see the API server's own logs"),
            Self::Unreachable => (
                "the Kubernetes API cannot be reached",
                "check the address, the certificate authority, and network policies",
            ),
            Self::Silent => ("the Kubernetes API does not answer", "it is asked again"),
            Self::Interrupted => ("the connection broke", "it is made anew"),
            Self::Undecodable => {
                ("the Kubernetes API answers what cannot be read", "is it a Kubernetes API?")
            }
            Self::TooLarge => ("an object is larger than any that is read", "the log names it"),
        };
        format!("cannot watch {plural}: {trouble}; {way_out}")
    }
}

impl Reason {
    /// What a status of HTTP says.
    pub(crate) const fn of_status(code: u16) -> Self {
        match code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            410 => Self::Gone,
            429 => Self::Overloaded,
            400..500 => Self::Refused,
            _ => Self::ServerError,
        }
    }
}
