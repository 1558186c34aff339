//! A request to the API server of Kubernetes, in words.

use super::card::Fact;
use super::visible::visible;
use event_model::{AuditEvent, AuditObject, AuditUser};

/// What was asked, in a line: `create pods/exec web`.
pub(super) fn summary(event: &AuditEvent) -> String {
    let Some(object) = &event.object else {
        return visible(&format!("{} {}", event.verb, event.request_uri));
    };
    let name = name_of(event, object).unwrap_or_default();
    visible(format!("{} {} {name}", event.verb, kind_of(object)).trim_end())
}

/// Where the object lies.
pub(super) fn place(event: &AuditEvent) -> String {
    let namespace = event.object.as_ref().and_then(|object| object.namespace.as_deref());
    match namespace {
        Some(namespace) => visible(&format!("Kubernetes API › namespace {namespace}")),
        None => "Kubernetes API".to_owned(),
    }
}

/// Who asked for what, from where, and what came of it.
pub(super) fn facts(event: &AuditEvent) -> Vec<Fact> {
    let object = event.object.as_ref();
    let impersonated = event.impersonated_user.as_ref();
    let told = [
        ("User", Some(event.user.name.clone())),
        ("Groups", Some(event.user.groups.join(", "))),
        ("Pod of the user", pod_of(&event.user)),
        ("Acts as", impersonated.map(|user| user.name.clone())),
        ("Verb", Some(event.verb.clone())),
        ("Object", object.map(|object| object_in_words(event, object))),
        ("Request", Some(event.request_uri.clone())),
        ("Source address", Some(event.source_ips.join(", "))),
        ("Client", Some(event.user_agent.clone())),
        ("Response", response(event)),
        ("Audit id", Some(event.audit_id.clone())),
    ];
    let told = told.into_iter().filter_map(|(name, value)| Some((name, value?)));
    told.filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| Fact::new(name, value))
        .collect()
}

fn kind_of(object: &AuditObject) -> String {
    match &object.subresource {
        Some(part) => format!("{}/{part}", object.resource),
        None => object.resource.clone(),
    }
}

/// Where the server makes the name, only the response tells it.
fn name_of<'e>(event: &'e AuditEvent, object: &'e AuditObject) -> Option<&'e str> {
    object.name.as_deref().or(event.response_name.as_deref())
}

fn object_in_words(event: &AuditEvent, object: &AuditObject) -> String {
    let name = name_of(event, object).unwrap_or_default();
    let named = format!("{} {name}", kind_of(object));
    match &object.namespace {
        Some(namespace) => format!("{} in {namespace}", named.trim_end()),
        None => named.trim_end().to_owned(),
    }
}

/// The pod that a service account's token is bound to.
fn pod_of(user: &AuditUser) -> Option<String> {
    user.extra.get("authentication.kubernetes.io/pod-name").cloned()
}

fn response(event: &AuditEvent) -> Option<String> {
    let code = event.response_code?.to_string();
    let reason = event.response_reason.as_deref().unwrap_or_default();
    Some(format!("{code} {reason}").trim_end().to_owned())
}
