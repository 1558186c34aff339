use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A request to the Kubernetes API as its server noted it (`audit.k8s.io/v1`, kind Event), cut down to what rules
/// and people ask for. The contents of secrets and tokens are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// The same for all stages of one request.
    pub audit_id: String,
    /// `RequestReceived`, `ResponseStarted`, `ResponseComplete` or `Panic`.
    pub stage: String,
    /// `Metadata`, `Request` or `RequestResponse`: how much the server noted.
    pub level: String,
    /// Such as `create`; for requests that are of no resource the HTTP method in lower case.
    pub verb: String,
    /// Path and query.
    pub request_uri: String,
    /// Who asked.
    pub user: AuditUser,
    /// As whom, where the user impersonates another.
    pub impersonated_user: Option<AuditUser>,
    /// Where from: the first is the client's own, as far as proxies tell the truth.
    pub source_ips: Vec<String>,
    /// What the client calls itself.
    pub user_agent: String,
    /// Which object.
    pub object: Option<AuditObject>,
    /// HTTP status.
    pub response_code: Option<u32>,
    /// Why it failed, in a word, such as `Forbidden`.
    pub response_reason: Option<String>,
    /// Why it failed, in words.
    pub response_message: Option<String>,
    /// The name of the object in the response: the server's own where the request asked for `generateName`.
    pub response_name: Option<String>,
    /// The object of the request as JSON, without managed fields and without the contents of secrets.
    pub request_object: Option<String>,
    /// There was an object, and it was too large to be kept.
    pub request_object_dropped: bool,
    /// When the request reached the server.
    pub received_at: Timestamp,
    /// When it reached this stage.
    pub stage_at: Timestamp,
    /// What authorization and admission noted, such as `authorization.k8s.io/decision`.
    pub annotations: BTreeMap<String, String>,
}

/// A user as the API server knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditUser {
    /// Name, such as `system:serviceaccount:shop:web`.
    pub name: String,
    /// The uid, which may be empty.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// What the authenticator added, such as the pod that a service account's token is bound to.
    pub extra: BTreeMap<String, String>,
}

/// The object of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditObject {
    /// Such as `pods`.
    pub resource: String,
    /// Such as `exec`.
    pub subresource: Option<String>,
    /// None for cluster-scoped objects.
    pub namespace: Option<String>,
    /// None for lists, and where the server makes the name.
    pub name: Option<String>,
    /// Its uid, where the request told it.
    pub uid: Option<String>,
    /// The API group; None for the core group.
    pub api_group: Option<String>,
    /// Such as `v1`.
    pub api_version: Option<String>,
}
