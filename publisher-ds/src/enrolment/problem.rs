use crate::egress::trouble::Trouble;
use crate::files::FileError;
use std::io;
use std::path::PathBuf;
use tonic::{Code, Status};

/// Why this node has no new certificate: each says in its message what to look at.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("enrolment.token_file {}: {error}: mount the file, and let the publisher's user read it", path.display())]
    TokenFile { path: PathBuf, error: io::Error },
    #[error(
        "enrolment.token_file {} holds no bootstrap token: it must be one line that begins with defender-bootstrap-, as \
         `backend enrolment tokens create` prints it",
        path.display()
    )]
    NoToken { path: PathBuf },
    #[error(
        "backend.ca_file {} holds no authority with the public key that the bootstrap token names: give the authority of the \
         backend, or a token for it",
        ca_file.display()
    )]
    OtherAuthority { ca_file: PathBuf },
    #[error(transparent)]
    Backend(#[from] Trouble),
    #[error("the backend gives this node no certificate: {}", .0.message())]
    Refused(Status),
    #[error("the backend enrols no nodes: set enrolment.enabled there")]
    Unserved,
    #[error("the backend's answer can't be used: {0}")]
    Answer(String),
    #[error("no key could be made: {0}")]
    Key(#[from] rcgen::Error),
    #[error(
        "enrolment.directory: {} can't be written: {error}: free some space, or let the publisher's user write there",
        path.display()
    )]
    Write { path: PathBuf, error: io::Error },
    #[error("{} can't be read: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} holds no key and certificate of this node: {why}", path.display())]
    Identity { path: PathBuf, why: String },
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        Self::Backend(error.into())
    }
}

impl Problem {
    /// What the backend said to a request.
    pub(super) fn of(status: Status) -> Self {
        // A status that tonic made of a broken connection has a source; one that the backend sent has none.
        if std::error::Error::source(&status).is_some() {
            return Trouble::Transport(status.message().to_owned()).into();
        }
        match status.code() {
            Code::Unimplemented => Self::Unserved,
            _ => Self::Refused(status),
        }
    }

    pub(super) fn unfinished(error: &dyn std::error::Error) -> Self {
        Self::Answer(format!("it could not be written: {error}"))
    }

    /// Whether a backend decided, and another of its addresses would say the same.
    pub(super) fn is_decision(&self) -> bool {
        const PASSING: [Code; 4] =
            [Code::Unavailable, Code::Internal, Code::ResourceExhausted, Code::Unknown];
        matches!(self, Self::Refused(status) if !PASSING.contains(&status.code()))
    }

    /// Whether the certificate that was shown is not believed, or is none to renew here: the bootstrap token may help.
    pub(super) fn is_about_certificate(&self) -> bool {
        match self {
            Self::Backend(trouble) => trouble.is_about_our_certificate(),
            Self::Refused(status) => {
                matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied)
            }
            _ => false,
        }
    }
}
