use crate::files::FileError;
use http::StatusCode;
use std::io;

/// Why a host can't be reached, and the way out. No message holds a user or a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("{host} is not found: {error}")]
    Resolve { host: String, error: io::Error },
    #[error("{address} is not reachable: {error}")]
    Connect { address: String, error: io::Error },
    #[error("{peer} did not answer within {seconds} s ({during})")]
    Timeout { during: &'static str, peer: String, seconds: u64 },
    #[error(
        "the environment's {variable} is no URL of a proxy: write it like http://proxy.example.com:3128, or set \
         proxy.from_environment to false"
    )]
    Environment { variable: &'static str },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{key} must hold one line without control characters{}", if *.is_name { " and without ':'" } else { "" })]
    UserOrPassword { key: &'static str, is_name: bool },
    #[error(
        "the environment's proxy {proxy} wants TLS: set proxy.url, and proxy.ca_file to the authority that signed its certificate"
    )]
    NoProxyAuthority { proxy: String },
    #[error(
        "the TLS handshake with the proxy {proxy} failed: {error}; its authority belongs into proxy.ca_file"
    )]
    ProxyTls { proxy: String, error: io::Error },
    #[error(
        "the proxy {proxy} wants a user and password (407): set proxy.username_file and proxy.password_file"
    )]
    ProxyWantsUser { proxy: String },
    #[error(
        "the proxy {proxy} refused the user and password that it was given (407): mend proxy.username_file and \
         proxy.password_file (or the environment's proxy URL)"
    )]
    ProxyRefusesUser { proxy: String },
    #[error(
        "the proxy {proxy} wants another authentication than Basic (407, {offered}): allow Basic for this user there, \
         or an address without authentication"
    )]
    ProxyWantsOther { proxy: String, offered: String },
    #[error(
        "the proxy {proxy} refuses to connect to {target} ({status}): allow it there, or name the host in proxy.no_proxy"
    )]
    ProxyForbids { proxy: String, target: String, status: StatusCode },
    #[error("the proxy {proxy} can't connect to {target} ({status})")]
    ProxyFails { proxy: String, target: String, status: StatusCode },
    #[error("what listens at {proxy} is no HTTP proxy: {error}")]
    NoProxy { proxy: String, error: hyper::Error },
}

impl DialError {
    /// The value of the `reason` label in metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Resolve { .. } => "name",
            Self::Connect { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::File(_) => "credentials",
            Self::Environment { .. }
            | Self::UserOrPassword { .. }
            | Self::NoProxyAuthority { .. }
            | Self::ProxyTls { .. }
            | Self::ProxyWantsUser { .. }
            | Self::ProxyRefusesUser { .. }
            | Self::ProxyWantsOther { .. }
            | Self::ProxyForbids { .. }
            | Self::ProxyFails { .. }
            | Self::NoProxy { .. } => "proxy",
        }
    }
}
