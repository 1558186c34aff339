use super::authority::AuthorityError;
use super::request::RequestError;
use crate::store::{Publisher, StoreError};
use event_model::Timestamp;
use tonic::{Code, Status};

/// Why somebody gets no certificate, or is not let in with the one it has.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// One answer for all who do not have the secret: it tells nobody which tokens there are.
    #[error(
        "the bootstrap token is not valid: compare enrolment.token_file with what `backend enrolment tokens create` printed"
    )]
    Token,
    #[error("too many attempts failed: wait a minute")]
    TooManyFailures,
    #[error("the bootstrap token {id} expired at {at}: create another")]
    TokenExpired { id: String, at: Timestamp },
    #[error("the bootstrap token {id} was revoked at {at}: create another")]
    TokenRevoked { id: String, at: Timestamp },
    #[error(
        "the bootstrap token {id} was used {uses} times, as often as it may be: create another"
    )]
    TokenUsedUp { id: String, uses: u32 },
    #[error(
        "the bootstrap token {id} is for the cluster {token:?}, this is a node of {cluster:?}: create one for that"
    )]
    OtherCluster { id: String, token: String, cluster: String },
    #[error(
        "{0:?} is no node's name (letters, digits, '.', '-' and '_', and not `any`): set node.name or NODE_NAME"
    )]
    Node(String),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(
        "this signing request, or another with the same key, had its certificate already: make a new key"
    )]
    Replayed,
    #[error(
        "the node {0} is barred: `backend enrolment allow --cluster {cluster} --node {node}` lets it enrol again",
        cluster = .0.cluster, node = .0.node
    )]
    Barred(Publisher),
    #[error(
        "{publisher} has a valid certificate until {until}, and enrolment.existing_nodes is `refuse`: wait, or revoke that and \
         allow the node again"
    )]
    ExistingNode { publisher: Publisher, until: Timestamp },
    #[error(
        "{0} nodes and more have a certificate, and no more are taken: revoke the token that enrols so many"
    )]
    TooMany(usize),
    #[error(
        "a certificate is renewed with the one that it follows: connect with that, or enrol with a bootstrap token"
    )]
    NoCertificate,
    #[error("the certificate that was shown was not issued here: it is renewed where it came from")]
    Foreign,
    #[error(
        "the certificate that was shown is of {publisher}, not of the node {says:?}: enrol with a bootstrap token"
    )]
    OtherNode { publisher: Publisher, says: String },
    #[error(
        "the certificate {serial} of {publisher} was {because} at {at}: the publisher needs another by a bootstrap token that \
         is valid, and a node that was revoked must be allowed first"
    )]
    Denied { serial: String, publisher: Publisher, because: String, at: Timestamp },
    #[error(
        "the certificate {serial} of {publisher} is not among those that this backend issued: enrol again"
    )]
    Unknown { serial: String, publisher: Publisher },
    #[error("the store takes no enrolments: {0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl Refusal {
    /// The value of the `reason` label in metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::TooManyFailures => "too_many_failures",
            Self::TokenExpired { .. } => "token_expired",
            Self::TokenRevoked { .. } => "token_revoked",
            Self::TokenUsedUp { .. } => "token_used_up",
            Self::OtherCluster { .. } => "other_cluster",
            Self::Node(_) => "node",
            Self::Request(_) => "request",
            Self::Replayed => "replayed",
            Self::Barred(_) => "barred",
            Self::ExistingNode { .. } => "existing_node",
            Self::TooMany(_) => "too_many",
            Self::NoCertificate => "no_certificate",
            Self::Foreign => "foreign_certificate",
            Self::OtherNode { .. } => "other_node",
            Self::Denied { .. } => "denied",
            Self::Unknown { .. } => "unknown_certificate",
            Self::Store(_) => "store",
            Self::Authority(_) => "authority",
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Token | Self::NoCertificate | Self::Denied { .. } | Self::Unknown { .. } => {
                Code::Unauthenticated
            }
            Self::TooManyFailures | Self::TooMany(_) => Code::ResourceExhausted,
            Self::Node(_) | Self::Request(_) => Code::InvalidArgument,
            Self::Replayed => Code::AlreadyExists,
            Self::Store(_) => Code::Unavailable,
            Self::Authority(_) => Code::Internal,
            _ => Code::PermissionDenied,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}
