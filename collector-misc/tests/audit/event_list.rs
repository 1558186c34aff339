//! What API servers send: lists of events, as `k8s.io/apiserver` writes them.

use event_model::{AuditEvent, AuditUser};
use serde_json::{Value, json};

/// A list of these events.
pub fn list(items: &[Value]) -> Vec<u8> {
    let items: Vec<_> = items.iter().map(Value::to_string).collect();
    let items = items.join(",");
    format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{items}]}}"#
    )
    .into_bytes()
}

/// A request that no rule looks for.
pub fn event(id: &str) -> Value {
    at_path(id, "/api/v1/nodes")
}

/// A request of that path.
pub fn at_path(id: &str, path: &str) -> Value {
    json!({
        "level": "Metadata", "auditID": id, "stage": "ResponseComplete", "requestURI": path, "verb": "list",
        "user": {"username": "system:kube-scheduler", "groups": ["system:authenticated"]},
        "sourceIPs": ["192.0.2.10"], "userAgent": "kube-scheduler/v1.36.0",
        "objectRef": {"resource": "nodes", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-11-23T12:00:00.000000Z", "stageTimestamp": "2026-11-23T12:00:00.001000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"}
    })
}

/// Many of them, numbered.
pub fn events(ids: impl IntoIterator<Item = u32>) -> Vec<Value> {
    ids.into_iter().map(|id| event(&id.to_string())).collect()
}

/// An event of the model, as the server that noted it would send it.
pub fn item(event: &AuditEvent) -> Value {
    let mut object: Option<Value> =
        event.request_object.as_ref().map(|text| serde_json::from_str(text).unwrap());
    if event.request_object_dropped {
        object = Some(json!({"kind": "Pod", "padding": "x".repeat(100 << 10)}));
    }
    let at = jiff::Timestamp::from_nanosecond(event.stage_at.0.into()).unwrap().to_string();
    let reference = event.object.as_ref().map(|object| {
        json!({"resource": object.resource, "subresource": object.subresource, "namespace": object.namespace,
               "name": object.name, "apiGroup": object.api_group, "apiVersion": "v1"})
    });
    let mut item = json!({
        "level": event.level, "auditID": event.audit_id, "stage": event.stage, "requestURI": event.request_uri,
        "verb": event.verb, "user": user(&event.user), "sourceIPs": event.source_ips, "userAgent": event.user_agent,
        "objectRef": reference, "requestObject": object, "requestReceivedTimestamp": at, "stageTimestamp": at,
        "annotations": event.annotations,
    });
    if let Some(code) = event.response_code {
        item["responseStatus"] = json!({"metadata": {}, "code": code});
    }
    if let Some(impersonated) = &event.impersonated_user {
        item["impersonatedUser"] = user(impersonated);
    }
    item
}

fn user(user: &AuditUser) -> Value {
    json!({"username": user.name, "groups": user.groups})
}
