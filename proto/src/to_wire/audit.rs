use crate::wire;
use event_model as model;

impl From<&model::AuditEvent> for wire::AuditEvent {
    fn from(event: &model::AuditEvent) -> Self {
        Self {
            audit_id: event.audit_id.clone(),
            stage: event.stage.clone(),
            level: event.level.clone(),
            verb: event.verb.clone(),
            request_uri: event.request_uri.clone(),
            user: Some((&event.user).into()),
            impersonated_user: event.impersonated_user.as_ref().map(Into::into),
            source_ips: event.source_ips.clone(),
            user_agent: event.user_agent.clone(),
            object: event.object.as_ref().map(Into::into),
            response_code: event.response_code,
            response_reason: event.response_reason.clone(),
            response_message: event.response_message.clone(),
            response_name: event.response_name.clone(),
            request_object: event.request_object.clone(),
            request_object_dropped: event.request_object_dropped,
            received_at: event.received_at.0,
            stage_at: event.stage_at.0,
            annotations: event.annotations.clone().into_iter().collect(),
        }
    }
}

impl From<&model::AuditUser> for wire::AuditUser {
    fn from(user: &model::AuditUser) -> Self {
        Self {
            name: user.name.clone(),
            uid: user.uid.clone(),
            groups: user.groups.clone(),
            extra: user.extra.clone().into_iter().collect(),
        }
    }
}

impl From<&model::AuditObject> for wire::AuditObject {
    fn from(object: &model::AuditObject) -> Self {
        Self {
            resource: object.resource.clone(),
            subresource: object.subresource.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            uid: object.uid.clone(),
            api_group: object.api_group.clone(),
            api_version: object.api_version.clone(),
        }
    }
}
