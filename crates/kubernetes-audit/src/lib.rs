//! Reads audit events of Kubernetes (`audit.k8s.io/v1`), from lines of a log file or the bodies of a webhook.
//!
//! [`parse`] keeps what rules and people ask for, within bounds, and nothing of the contents of secrets. No I/O.

mod bounds;
mod object;
mod raw;

use event_model::{AuditEvent, AuditObject, AuditUser, Timestamp};

/// The largest event that is read: the API server's own bound on a request is 3 MiB, and an event at level
/// RequestResponse holds request and response.
pub const MAXIMUM_EVENT_BYTES: usize = 8 << 20;

/// Why something is no audit event.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum AuditError {
    #[error("{0} bytes are more than the {MAXIMUM_EVENT_BYTES} that an audit event may have")]
    TooLarge(usize),
    #[error("not an audit event: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("kind {kind:?} of {api_version:?} is not Event of audit.k8s.io/v1")]
    Kind { kind: String, api_version: String },
    #[error("{field} is no time: {text:?}")]
    Time { field: &'static str, text: String },
}

/// Reads one event.
pub fn parse(json: &[u8]) -> Result<AuditEvent, AuditError> {
    if json.len() > MAXIMUM_EVENT_BYTES {
        return Err(AuditError::TooLarge(json.len()));
    }
    let raw: raw::Event<'_> = serde_json::from_slice(json)?;
    if raw.kind != "Event" || raw.api_version != "audit.k8s.io/v1" {
        let (kind, api_version) =
            (bounds::text(&raw.kind, 100), bounds::text(&raw.api_version, 100));
        return Err(AuditError::Kind { kind, api_version });
    }
    convert(raw)
}

fn convert(raw: raw::Event<'_>) -> Result<AuditEvent, AuditError> {
    let resource = raw.object_ref.as_ref().map_or("", |object| &object.resource);
    let subresource = raw.object_ref.as_ref().and_then(|object| object.subresource.as_deref());
    let request = object::keep(raw.request_object, resource, subresource);
    let response = raw.response_status.unwrap_or_default();
    // What the server answers to a refused request about a secret names it, and nothing of its content.
    Ok(AuditEvent {
        audit_id: bounds::name(&raw.audit_id),
        stage: bounds::name(&raw.stage),
        level: bounds::name(&raw.level),
        verb: bounds::name(&raw.verb),
        request_uri: bounds::text(&raw.request_uri, bounds::URI),
        user: user(raw.user),
        impersonated_user: raw.impersonated_user.map(user),
        source_ips: bounds::names(&raw.source_ips),
        user_agent: bounds::text(&raw.user_agent, bounds::USER_AGENT),
        response_code: response.code,
        response_reason: response.reason.as_deref().map(bounds::name),
        response_message: response.message.map(|text| bounds::text(&text, bounds::MESSAGE)),
        response_name: raw
            .response_object
            .and_then(|object| object.metadata?.name)
            .map(|name| bounds::name(&name)),
        object: raw.object_ref.map(object_reference),
        request_object: request.json,
        request_object_dropped: request.dropped,
        received_at: time("requestReceivedTimestamp", &raw.request_received_timestamp)?,
        stage_at: time("stageTimestamp", &raw.stage_timestamp)?,
        annotations: bounds::map(raw.annotations),
    })
}

fn time(field: &'static str, text: &str) -> Result<Timestamp, AuditError> {
    let moment = text.parse::<jiff::Timestamp>().ok();
    moment
        .and_then(|moment| u64::try_from(moment.as_nanosecond()).ok())
        .map(Timestamp)
        .ok_or_else(|| AuditError::Time { field, text: bounds::text(text, 64) })
}

fn user(raw: raw::User<'_>) -> AuditUser {
    let extra = raw.extra.into_iter().map(|(key, values)| (key, values.join(",")));
    AuditUser {
        name: bounds::name(&raw.username),
        uid: bounds::name(&raw.uid),
        groups: bounds::names(&raw.groups),
        extra: bounds::map(extra),
    }
}

fn object_reference(raw: raw::ObjectReference<'_>) -> AuditObject {
    let bounded = |text: Option<raw::Text<'_>>| text.as_deref().map(bounds::name);
    AuditObject {
        resource: bounds::name(&raw.resource),
        subresource: bounded(raw.subresource),
        namespace: bounded(raw.namespace),
        name: bounded(raw.name),
        uid: bounded(raw.uid),
        api_group: bounded(raw.api_group),
        api_version: bounded(raw.api_version),
    }
}

#[cfg(test)]
mod tests;
