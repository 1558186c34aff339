use rustls::CertificateError;
use rustls_pki_types::pem;
use std::io;
use std::path::PathBuf;
use tonic::{Code, Status};

/// Why nothing goes to the backend: each says in its message what to look at. What is spooled stays there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("{key} {}: {error}: mount the file, and let the publisher's user read it", path.display())]
    Unreadable { key: &'static str, path: PathBuf, error: io::Error },
    #[error("{key} {} holds no {what}: it must be a PEM file", path.display())]
    Empty { key: &'static str, path: PathBuf, what: &'static str },
    #[error("{key} {} is no PEM file: {error:?}", path.display())]
    Pem { key: &'static str, path: PathBuf, error: pem::Error },
    #[error("{key} {} can't be used: {error}", path.display())]
    Unusable { key: &'static str, path: PathBuf, error: rustls::Error },
    #[error(
        "backend.certificate_file {} and backend.key_file {} do not belong together: mount the key that the certificate was made for",
        certificate.display(), key.display()
    )]
    KeyMismatch { certificate: PathBuf, key: PathBuf },
    #[error(
        "backend.server_name (or the host in backend.url) {0:?} is no name that a certificate can have"
    )]
    ServerName(String),
    #[error("{host} of backend.url is not found: {error}")]
    Resolve { host: String, error: io::Error },
    #[error("{address} of backend.url is not reachable: {error}")]
    Connect { address: String, error: io::Error },
    #[error("the backend did not answer within {seconds} s ({during})")]
    Timeout { during: &'static str, seconds: u64 },
    #[error("the backend's certificate is not trusted: {}", name_problem(.error, .ca_file))]
    BackendCertificate { error: CertificateError, ca_file: PathBuf },
    #[error(
        "the backend refused backend.certificate_file {}: {}",
        certificate.display(), name_alert(*.alert)
    )]
    OurCertificate { certificate: PathBuf, alert: rustls::AlertDescription },
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    #[error("what listens at backend.url speaks no HTTP/2: is it the backend's ingest port?")]
    NoHttp2,
    #[error("the connection broke: {0}")]
    Transport(String),
    #[error("the backend refused this publisher: {}", .0.message())]
    Refused(Status),
    #[error("the backend broke the protocol: {0}")]
    Protocol(String),
    #[error("the backend ended the connection: {}", .0.message())]
    Ended(Status),
    #[error("the backend closed the connection")]
    Closed,
}

impl Trouble {
    /// The value of the `reason` label in metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable { .. }
            | Self::Empty { .. }
            | Self::Pem { .. }
            | Self::Unusable { .. }
            | Self::KeyMismatch { .. } => "credentials",
            Self::ServerName(_) | Self::Resolve { .. } => "name",
            Self::Connect { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::BackendCertificate { .. } => "backend_certificate",
            Self::OurCertificate { .. } => "client_certificate",
            Self::Tls(_) => "tls",
            Self::NoHttp2 => "no_http2",
            Self::Transport(_) => "transport",
            Self::Refused(status) if status.code() == Code::FailedPrecondition => "version",
            Self::Refused(_) => "refused",
            Self::Protocol(_) => "protocol",
            Self::Ended(_) => "ended",
            Self::Closed => "closed",
        }
    }

    /// Files that may be mounted or mended any moment.
    pub(crate) fn is_about_files(&self) -> bool {
        self.reason() == "credentials"
    }
}

fn name_problem(error: &CertificateError, ca_file: &std::path::Path) -> String {
    let ca_file = ca_file.display();
    match error {
        CertificateError::UnknownIssuer => {
            format!(
                "no authority in backend.ca_file {ca_file} signed it: mount the authority that did"
            )
        }
        CertificateError::BadSignature => format!(
            "backend.ca_file {ca_file} holds an authority of the right name and the wrong key: mount the one that signed it"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired: renew it, or set this node's clock".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet: set this node's clock".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("{error}: set backend.server_name to a name that it has")
        }
        other => other.to_string(),
    }
}

fn name_alert(alert: rustls::AlertDescription) -> String {
    use rustls::AlertDescription as Alert;
    match alert {
        Alert::CertificateExpired => "it has expired: renew it".into(),
        Alert::UnknownCA => {
            "the backend does not know the authority that signed it: use one of its client authority".into()
        }
        Alert::DecryptError => {
            "the backend knows an authority of the right name and another key: use a certificate of its client authority".into()
        }
        Alert::CertificateRequired => "it was not sent, and the backend wants one".into(),
        Alert::CertificateRevoked => "it is revoked: renew it".into(),
        other => format!("{other:?}"),
    }
}
