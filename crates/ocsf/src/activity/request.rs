use super::{FAILURE, SUCCESS};
use crate::class::{API_ACTIVITY, Activity, OTHER, metadata};
use crate::finding::Source;
use crate::object::Object;
use crate::scene::INFORMATIONAL;
use crate::{request, resource, user};
use event_model::AuditEvent;
use serde_json::Value;

/// A request to the API server of Kubernetes.
pub fn of_request(request: &AuditEvent, source: &Source<'_>) -> Value {
    let who = if user::is_known(&request.user) {
        user::of_request(&request.user)
    } else {
        Object::new().with("name", "unknown").with_choice("type", (0, "Unknown"))
    };
    let came_from =
        request::source(request).unwrap_or_else(|| Object::new().with("name", "unknown"));
    let resources: Vec<Value> =
        request.object.iter().filter_map(resource::of_object).map(Value::from).collect();
    let response = request.response_code.map(|code| Object::new().with("code", code));
    let at = request.received_at;
    let event = API_ACTIVITY
        .event(activity(&request.verb), at, INFORMATIONAL)
        .with("metadata", metadata(source.version, "audit", "kubernetes_audit", at, false))
        .with("actor", Object::new().with("user", who))
        .with("api", request::api(request))
        .with("http_request", request::http(request))
        .with_some("http_response", response)
        .with("src_endpoint", came_from)
        .with("resources", resources);
    with_answer(event, request).with("unmapped", unmapped(request, source)).into()
}

fn activity(verb: &str) -> Activity<'_> {
    match verb {
        "create" => (1, "Create"),
        "get" | "list" | "watch" => (2, "Read"),
        "update" | "patch" => (3, "Update"),
        "delete" | "deletecollection" => (4, "Delete"),
        "" => (0, "Unknown"),
        other => (OTHER, other),
    }
}

fn with_answer(event: Object, request: &AuditEvent) -> Object {
    match request.response_code {
        None => event,
        Some(code) => event
            .with_choice("status", if code < 400 { SUCCESS } else { FAILURE })
            .with("status_code", code.to_string())
            .with_some("status_detail", request.response_message.clone()),
    }
}

fn unmapped(request: &AuditEvent, source: &Source<'_>) -> Object {
    let impersonated = request.impersonated_user.as_ref().map(|user| user.name.as_str());
    Object::new()
        .with("stage", request.stage.as_str())
        .with("level", request.level.as_str())
        .with_some("impersonated_user", impersonated)
        .with_some("response_name", request.response_name.clone())
        .with("annotations", resource::labels(&request.annotations))
        .with_some("cluster", source.cluster.filter(|cluster| !cluster.is_empty()))
}
