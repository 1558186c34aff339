use crate::store::AuditRecord;
use event_model as model;
use model::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A request to a Kubernetes API server, as its audit log tells it. The contents of secrets are not in it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditEvent {
    /// The cluster, as the publisher's certificate says.
    pub cluster: String,
    /// The node that read the log.
    pub node: String,
    /// The same for all stages of one request.
    pub audit_id: String,
    /// `RequestReceived`, `ResponseStarted`, `ResponseComplete` or `Panic`.
    pub stage: String,
    /// How much the server noted.
    pub level: String,
    /// When the request reached this stage.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// When it reached the server.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// Such as `create`.
    pub verb: String,
    /// Path and query.
    pub request_uri: String,
    /// Who asked.
    pub user: AuditUser,
    /// As whom.
    pub impersonated_user: Option<AuditUser>,
    /// Where from.
    pub source_ips: Vec<String>,
    /// What the client calls itself.
    pub user_agent: String,
    /// Which object.
    pub object: Option<AuditObject>,
    /// HTTP status.
    pub response_code: Option<u32>,
    /// Why it failed, in a word.
    pub response_reason: Option<String>,
    /// Why it failed, in words.
    pub response_message: Option<String>,
    /// The name of the object in the response.
    pub response_name: Option<String>,
    /// The object of the request, as JSON in a text.
    pub request_object: Option<String>,
    /// The object was too large to be kept.
    pub request_object_dropped: bool,
    /// What authorization and admission noted.
    pub annotations: BTreeMap<String, String>,
}

/// A user as the API server knows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditUser {
    /// Name.
    pub name: String,
    /// The uid, which may be empty.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// What the authenticator added.
    pub extra: BTreeMap<String, String>,
}

/// The object of a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditObject {
    /// Such as `pods`.
    pub resource: String,
    /// Such as `exec`.
    pub subresource: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its uid.
    pub uid: Option<String>,
    /// The API group.
    pub api_group: Option<String>,
    /// Such as `v1`.
    pub api_version: Option<String>,
}

impl From<AuditRecord> for AuditEvent {
    fn from(record: AuditRecord) -> Self {
        let AuditRecord { publisher, event } = record;
        Self {
            cluster: publisher.cluster.to_string(),
            node: publisher.node.to_string(),
            audit_id: event.audit_id,
            stage: event.stage,
            level: event.level,
            time: event.stage_at,
            received_at: event.received_at,
            verb: event.verb,
            request_uri: event.request_uri,
            user: event.user.into(),
            impersonated_user: event.impersonated_user.map(Into::into),
            source_ips: event.source_ips,
            user_agent: event.user_agent,
            object: event.object.map(Into::into),
            response_code: event.response_code,
            response_reason: event.response_reason,
            response_message: event.response_message,
            response_name: event.response_name,
            request_object: event.request_object,
            request_object_dropped: event.request_object_dropped,
            annotations: event.annotations,
        }
    }
}

impl From<model::AuditUser> for AuditUser {
    fn from(user: model::AuditUser) -> Self {
        Self { name: user.name, uid: user.uid, groups: user.groups, extra: user.extra }
    }
}

impl From<model::AuditObject> for AuditObject {
    fn from(object: model::AuditObject) -> Self {
        Self {
            resource: object.resource,
            subresource: object.subresource,
            namespace: object.namespace,
            name: object.name,
            uid: object.uid,
            api_group: object.api_group,
            api_version: object.api_version,
        }
    }
}
