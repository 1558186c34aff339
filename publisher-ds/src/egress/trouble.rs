use crate::dial::DialError;
use crate::files::FileError;
use rustls::CertificateError;
use std::path::{Path, PathBuf};
use tonic::{Code, Status};

/// Why nothing goes to the backend: each says in its message what to look at. What is spooled stays there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "backend.certificate_file {} and backend.key_file {} do not belong together: mount the key that the certificate was made for",
        certificate.display(), key.display()
    )]
    KeyMismatch { certificate: PathBuf, key: PathBuf },
    #[error(
        "backend.server_name (or the host in backend.url) {0:?} is no name that a certificate can have"
    )]
    ServerName(String),
    #[error("backend.url: {0}")]
    Dial(#[from] DialError),
    #[error("the backend did not answer within {seconds} s ({during})")]
    Timeout { during: &'static str, seconds: u64 },
    #[error("the backend's certificate is not trusted: {}", name_problem(.error, .ca_file, .proxy.as_deref()))]
    BackendCertificate { error: CertificateError, ca_file: PathBuf, proxy: Option<String> },
    #[error(
        "the backend refused backend.certificate_file {}: {}",
        certificate.display(), name_alert(*.alert)
    )]
    OurCertificate { certificate: PathBuf, alert: rustls::AlertDescription },
    #[error(
        "the backend wants a client certificate: set backend.certificate_file, or let it take tokens (ingest.tokens_file there)"
    )]
    CertificateWanted,
    #[error(
        "{trouble}; the proxy {proxy} inspects TLS, so that this publisher's certificate never reaches the backend: \
         set backend.token_file, or have the proxy pass this host through"
    )]
    Inspected { proxy: String, trouble: Box<Trouble> },
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    #[error(
        "what listens at backend.url offers no TLS 1.3, and nothing older is taken: upgrade it, or the proxy before it"
    )]
    OldTls,
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
            Self::File(_) | Self::KeyMismatch { .. } => "credentials",
            Self::Dial(error) => error.reason(),
            Self::ServerName(_) => "name",
            Self::Timeout { .. } => "timeout",
            Self::BackendCertificate { .. } => "backend_certificate",
            Self::OurCertificate { .. } | Self::CertificateWanted => "client_certificate",
            Self::Inspected { .. } => "inspected",
            Self::Tls(_) | Self::OldTls => "tls",
            Self::NoHttp2 => "no_http2",
            Self::Transport(_) => "transport",
            Self::Refused(status) if status.code() == Code::FailedPrecondition => "version",
            Self::Refused(_) => "refused",
            Self::Protocol(_) => "protocol",
            Self::Ended(_) => "ended",
            Self::Closed => "closed",
        }
    }

    /// Whether the backend does not believe the certificate that it was shown: another may help.
    pub(crate) fn is_about_our_certificate(&self) -> bool {
        match self {
            Self::OurCertificate { .. } => true,
            Self::Refused(status) | Self::Ended(status) => status.code() == Code::Unauthenticated,
            _ => false,
        }
    }

    /// Files that may be mounted or mended any moment.
    pub(crate) fn is_about_files(&self) -> bool {
        self.reason() == "credentials"
    }
}

fn name_problem(error: &CertificateError, ca_file: &Path, proxy: Option<&str>) -> String {
    let ca_file = ca_file.display();
    match error {
        CertificateError::UnknownIssuer => {
            let of_proxy = proxy.map_or_else(String::new, |proxy| {
                format!(" (where the proxy {proxy} inspects TLS, add its authority to the file)")
            });
            format!(
                "no authority in backend.ca_file {ca_file} signed it: mount the authority that did{of_proxy}"
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
        Alert::CertificateExpired => {
            "it has expired: renew it; or it is not valid yet: compare the clocks of this node and of the backend".into()
        }
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
