use crate::hexadecimal;
use crate::store::{EnrolmentRecord, TokenRecord};
use event_model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A bootstrap token, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BootstrapToken {
    /// Names it; no secret.
    #[schema(example = "0f3a92c41b7d")]
    pub id: String,
    /// The only cluster whose nodes it enrols.
    pub cluster: String,
    /// What whoever made it wrote to it.
    pub note: String,
    /// Whether it enrols nodes.
    pub state: TokenState,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// From when on it enrols nobody.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// How many certificates it may bring; renewals are none. Null: any number.
    pub maximum_uses: Option<u32>,
    /// How many it brought.
    pub uses: u32,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

/// Whether a bootstrap token enrols nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It does.
    Valid,
    /// Its time is over.
    Expired,
    /// It was used as often as it may be.
    UsedUp,
    /// It was revoked.
    Revoked,
}

impl BootstrapToken {
    /// As it is at a moment.
    pub fn new(record: TokenRecord, now: Timestamp) -> Self {
        let state = if record.revoked_at.is_some() {
            TokenState::Revoked
        } else if record.expires_at <= now {
            TokenState::Expired
        } else if record.maximum_uses.is_some_and(|maximum| record.uses >= maximum) {
            TokenState::UsedUp
        } else {
            TokenState::Valid
        };
        Self {
            id: record.id,
            cluster: record.cluster,
            note: record.note,
            state,
            created_at: record.created_at,
            expires_at: record.expires_at,
            maximum_uses: record.maximum_uses,
            uses: record.uses,
            revoked_at: record.revoked_at,
        }
    }
}

/// All bootstrap tokens, the oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BootstrapTokens {
    /// The tokens.
    pub items: Vec<BootstrapToken>,
}

/// What a new bootstrap token is to be good for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBootstrapToken {
    /// The only cluster whose nodes it enrols.
    pub cluster: String,
    /// For how long, in seconds: from a minute to a year.
    #[serde(default = "a_month")]
    #[schema(default = 2_592_000, minimum = 60, maximum = 31_536_000)]
    pub expires_in_seconds: u64,
    /// How many certificates it may bring; renewals are none. Null: any number.
    #[serde(default)]
    pub maximum_uses: Option<u32>,
    /// What it is for, for whoever reads the list.
    #[serde(default)]
    pub note: String,
}

fn a_month() -> u64 {
    30 * 86_400
}

/// A bootstrap token that was just made. It is told this once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewlyMadeToken {
    /// The token whole: a secret.
    #[schema(example = "defender-bootstrap-ID.SECRET")]
    pub token: String,
    /// What is kept of it.
    pub description: BootstrapToken,
}

/// How far a revocation goes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRevocation {
    /// The certificates that came of the token, renewed ones too, are denied at once.
    pub certificates: bool,
}

/// A node of a cluster.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeName {
    /// The cluster.
    pub cluster: String,
    /// The node.
    pub node: String,
}

/// What was revoked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Revoked {
    /// Certificates that are denied from now on.
    pub certificates: usize,
}

/// What was allowed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Allowed {
    /// Whether the node had been revoked.
    pub was_revoked: bool,
}

/// A certificate that was issued to a node.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EnrolledCertificate {
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// The cluster.
    pub cluster: String,
    /// The node.
    pub node: String,
    /// The id of the bootstrap token that the node's first certificate came of.
    pub token: String,
    /// `token`, `replacement` (by a token, while the node had a valid certificate) or `renewal`.
    pub kind: String,
    /// From which address it was asked for.
    pub address: String,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    pub issued_at: Timestamp,
    /// Until when it may be believed.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// Since when it is denied.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub denied_at: Option<Timestamp>,
    /// Why: `revoked`, or `replaced` by another certificate of the node.
    pub denied_because: Option<String>,
}

impl From<EnrolmentRecord> for EnrolledCertificate {
    fn from(record: EnrolmentRecord) -> Self {
        let (denied_at, denied_because) = record.denied.unzip();
        Self {
            serial: hexadecimal::encode(&record.serial),
            cluster: record.publisher.cluster.to_string(),
            node: record.publisher.node.to_string(),
            token: record.token,
            kind: record.kind,
            address: record.address,
            issued_at: record.issued_at,
            not_after: record.not_after,
            denied_at,
            denied_because,
        }
    }
}

/// A page of certificates, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EnrolmentPage {
    /// The certificates.
    pub items: Vec<EnrolledCertificate>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}
