//! Requests to the API server of Kubernetes.

use crate::object::Object;
use event_model::AuditEvent;
use serde_json::Value;
use std::net::IpAddr;

/// What was asked, and what was answered.
pub fn api(event: &AuditEvent) -> Object {
    let object = event.object.as_ref();
    let group = object.and_then(|object| object.api_group.as_deref());
    let version = object.and_then(|object| object.api_version.as_deref());
    let data: Option<Value> =
        event.request_object.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let uid = if event.audit_id.is_empty() { "unknown" } else { &event.audit_id };
    let request = Object::new().with("uid", uid).with_some("data", data);
    let response = Object::new()
        .with_some("code", event.response_code)
        .with_some("error", event.response_reason.clone())
        .with_some("error_message", event.response_message.clone());
    let operation = if event.verb.is_empty() { "unknown" } else { &event.verb };
    Object::new()
        .with("operation", operation)
        .with("service", Object::new().with("name", "kube-apiserver").with("uid", "kube-apiserver"))
        .with_some("group", group.map(|name| Object::new().with("name", name)))
        .with_some("version", version)
        .with("request", request)
        .with("response", response)
}

/// The words of HTTP for it.
pub fn http(event: &AuditEvent) -> Object {
    let (path, query) = match event.request_uri.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (event.request_uri.as_str(), None),
    };
    let url = Object::new().with("path", path).with_some("query_string", query);
    Object::new().with("url", url).with("user_agent", event.user_agent.as_str())
}

/// Where it came from: the first address is the client's own.
pub fn source(event: &AuditEvent) -> Option<Object> {
    let addresses = event.source_ips.iter().filter_map(|text| text.parse::<IpAddr>().ok());
    let mut addresses = addresses.map(|address| address.to_string());
    let first = addresses.next()?;
    let others: Vec<Value> = addresses.map(Value::from).collect();
    Some(Object::new().with("ip", first).with("intermediate_ips", others))
}
