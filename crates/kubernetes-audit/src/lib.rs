//! Reads audit events of Kubernetes (`audit.k8s.io/v1`), from lines of a log file or the bodies of a webhook.
//!
//! [`parse`] keeps what rules and people ask for, within bounds, and nothing of the contents of secrets. [`EventList`] finds the
//! events in the body of a webhook's request while it comes. No I/O.

mod bounds;
mod event_list;
mod object;
mod raw;

pub use event_list::{EventList, Item, ListError};

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

/// Reads one event, as it stands in a log file.
pub fn parse(json: &[u8]) -> Result<AuditEvent, AuditError> {
    let raw = read(json)?;
    if is_event(&raw) { convert(raw) } else { Err(of_another_kind(&raw)) }
}

/// Reads one event of a list. The list says what it is; events leave it out.
pub fn parse_item(json: &[u8]) -> Result<AuditEvent, AuditError> {
    let raw = read(json)?;
    let says_nothing = raw.kind.is_empty() && raw.api_version.is_empty();
    if says_nothing || is_event(&raw) { convert(raw) } else { Err(of_another_kind(&raw)) }
}

fn read(json: &[u8]) -> Result<raw::Event<'_>, AuditError> {
    if json.len() > MAXIMUM_EVENT_BYTES {
        return Err(AuditError::TooLarge(json.len()));
    }
    Ok(serde_json::from_slice(json)?)
}

fn is_event(raw: &raw::Event<'_>) -> bool {
    raw.kind == "Event" && raw.api_version == "audit.k8s.io/v1"
}

fn of_another_kind(raw: &raw::Event<'_>) -> AuditError {
    let (kind, api_version) = (bounds::text(&raw.kind, 100), bounds::text(&raw.api_version, 100));
    AuditError::Kind { kind, api_version }
}

fn convert(raw: raw::Event<'_>) -> Result<AuditEvent, AuditError> {
    let resource = raw.object_ref.as_ref().map_or("", |object| &object.resource);
    let subresource = raw.object_ref.as_ref().and_then(|object| object.subresource.as_deref());
    let request = object::keep(raw.request_object, resource, subresource);
    let was_dropped = request.dropped || (request.json.is_none() && is_truncated(&raw));
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
        request_object_dropped: was_dropped,
        received_at: time("requestReceivedTimestamp", &raw.request_received_timestamp)?,
        stage_at: time("stageTimestamp", &raw.stage_timestamp)?,
        annotations: bounds::map(raw.annotations),
    })
}

/// Whether the API server left out what was written, since the event was too large for it (`--audit-webhook-truncate-enabled`,
/// `--audit-log-truncate-enabled`).
fn is_truncated(raw: &raw::Event<'_>) -> bool {
    const ANNOTATION: &str = "audit.k8s.io/truncated";
    let is_marked = raw.annotations.get(ANNOTATION).is_some_and(|value| *value == "true");
    is_marked && matches!(&*raw.verb, "create" | "update" | "patch")
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
