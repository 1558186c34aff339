use super::{ConversionError, Result, required};
use crate::wire;
use event_model as model;

impl TryFrom<wire::AuditEvent> for model::AuditEvent {
    type Error = ConversionError;

    fn try_from(raw: wire::AuditEvent) -> Result<Self> {
        Ok(Self {
            audit_id: raw.audit_id,
            stage: raw.stage,
            level: raw.level,
            verb: raw.verb,
            request_uri: raw.request_uri,
            user: required(raw.user, "audit.user")?.into(),
            impersonated_user: raw.impersonated_user.map(Into::into),
            source_ips: raw.source_ips,
            user_agent: raw.user_agent,
            object: raw.object.map(Into::into),
            response_code: raw.response_code,
            response_reason: raw.response_reason,
            response_message: raw.response_message,
            response_name: raw.response_name,
            request_object: raw.request_object,
            request_object_dropped: raw.request_object_dropped,
            received_at: model::Timestamp(raw.received_at),
            stage_at: model::Timestamp(raw.stage_at),
            annotations: raw.annotations.into_iter().collect(),
        })
    }
}

impl From<wire::AuditUser> for model::AuditUser {
    fn from(raw: wire::AuditUser) -> Self {
        Self {
            name: raw.name,
            uid: raw.uid,
            groups: raw.groups,
            extra: raw.extra.into_iter().collect(),
        }
    }
}

impl From<wire::AuditObject> for model::AuditObject {
    fn from(raw: wire::AuditObject) -> Self {
        Self {
            resource: raw.resource,
            subresource: raw.subresource,
            namespace: raw.namespace,
            name: raw.name,
            uid: raw.uid,
            api_group: raw.api_group,
            api_version: raw.api_version,
        }
    }
}
