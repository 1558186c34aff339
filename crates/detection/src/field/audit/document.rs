//! An audit event as the API server writes it, put together again of what is kept of it.

use event_model::{AuditEvent, AuditObject, AuditUser};
use serde_json::{Map, Value as Json, json};

/// The event but for the request's object.
pub(super) fn of(event: &AuditEvent) -> Json {
    let mut document = json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": event.level,
        "auditID": event.audit_id,
        "stage": event.stage,
        "requestURI": event.request_uri,
        "verb": event.verb,
        "user": user(&event.user),
        "sourceIPs": event.source_ips,
        "userAgent": event.user_agent,
        "requestReceivedTimestamp": event.received_at.to_string(),
        "stageTimestamp": event.stage_at.to_string(),
        "annotations": event.annotations,
    });
    let impersonated = event.impersonated_user.as_ref().map(user);
    put(&mut document, "impersonatedUser", impersonated);
    put(&mut document, "objectRef", event.object.as_ref().map(object));
    put(&mut document, "responseStatus", status(event));
    let named = event.response_name.as_ref();
    put(&mut document, "responseObject", named.map(|name| json!({"metadata": {"name": name}})));
    document
}

/// The event with the request's object, which is JSON already.
pub(super) fn written(document: &Json, event: &AuditEvent) -> String {
    let mut text = document.to_string();
    if let Some(object) = &event.request_object {
        text.pop();
        text.push_str(",\"requestObject\":");
        text.push_str(object);
        text.push('}');
    }
    text
}

fn put(document: &mut Json, key: &str, value: Option<Json>) {
    if let (Json::Object(fields), Some(value)) = (document, value) {
        fields.insert(key.to_owned(), value);
    }
}

fn user(user: &AuditUser) -> Json {
    json!({"username": user.name, "uid": user.uid, "groups": user.groups, "extra": user.extra})
}

fn object(object: &AuditObject) -> Json {
    let optional = [
        ("subresource", &object.subresource),
        ("namespace", &object.namespace),
        ("name", &object.name),
        ("uid", &object.uid),
        ("apiGroup", &object.api_group),
        ("apiVersion", &object.api_version),
    ];
    let told = optional.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    texts([("resource", &*object.resource)].into_iter().chain(told))
}

fn status(event: &AuditEvent) -> Option<Json> {
    let optional = [("reason", &event.response_reason), ("message", &event.response_message)];
    let told = optional.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    let mut status = texts(told);
    put(&mut status, "code", event.response_code.map(Json::from));
    status.as_object().is_some_and(|fields| !fields.is_empty()).then_some(status)
}

fn texts<'t>(fields: impl Iterator<Item = (&'t str, &'t str)>) -> Json {
    Json::Object(fields.map(|(key, text)| (key.to_owned(), text.into())).collect::<Map<_, _>>())
}
