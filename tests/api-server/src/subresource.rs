//! What hangs below objects: their status, tokens of service accounts, and the doors into pods.

use crate::authentication::User;
use crate::objects::{Operation, body, read};
use crate::shared::lock;
use crate::status::{Refusal, json_response};
use crate::write::{self, DeleteOptions, Part};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Answers a request for `below` of an object.
pub async fn answer(
    operation: &Operation<'_>,
    below: &str,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let known = operation.resource.subresources.iter().find(|known| known.name == below);
    let known = known.ok_or_else(Refusal::no_such_resource)?;
    let verb = operation.info.verb.as_str();
    if !known.verbs.iter().any(|known| known == verb) {
        return Err(Refusal::method_not_allowed());
    }
    let found = operation.found()?;
    match (below, verb) {
        ("status", "get") => operation.get(),
        ("status", "update") => operation.update(&body(request).await?, Part::Status),
        ("status", _) => operation.patch(&body(request).await?, Part::Status),
        ("ephemeralcontainers" | "finalize" | "approval", "update") => {
            operation.update(&body(request).await?, Part::Whole)
        }
        ("ephemeralcontainers" | "approval", "patch") => {
            operation.patch(&body(request).await?, Part::Whole)
        }
        ("token", _) => token(operation, read(&body(request).await?)?),
        ("binding", _) => bind(operation, &read(&body(request).await?)?),
        ("eviction", _) => evict(operation),
        ("log", _) => Ok(String::new().into_response()),
        ("exec" | "attach" | "portforward", _) => connect(&request),
        ("proxy", _) => Err(Refusal::unavailable()),
        _ => Ok(operation.respond(StatusCode::OK, &found)),
    }
}

/// A token of the service account, which this server accepts from now on.
fn token(operation: &Operation, mut request: Value) -> Result<Response, Refusal> {
    if !request.is_object() {
        return Err(Refusal::bad_request("the body of the request is not an object"));
    }
    let (namespace, name) = operation.place();
    let user = User::service_account(namespace.unwrap_or_default(), name);
    let token = lock(&operation.shared.credentials).issue(user);
    let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(3600);
    let expires = Timestamp::now() + SignedDuration::from_secs(seconds);
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    request["status"] = json!({"token": token, "expirationTimestamp": expires});
    Ok(json_response(StatusCode::CREATED, &request))
}

/// Puts a pod on a node, as the scheduler does.
fn bind(operation: &Operation, binding: &Value) -> Result<Response, Refusal> {
    let mut object = operation.found()?.object(&operation.resource);
    object["spec"]["nodeName"] = binding["target"]["name"].clone();
    let options = (Part::Whole, operation.manager.as_str(), operation.dry_run);
    operation.shared.change(|store| {
        write::update(store, &operation.resource, operation.place(), Value::Object(object), options)
    })?;
    Ok(created())
}

fn evict(operation: &Operation) -> Result<Response, Refusal> {
    operation.shared.change(|store| {
        write::delete(store, &operation.resource, operation.place(), &DeleteOptions::default())
    })?;
    Ok(created())
}

fn created() -> Response {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    json_response(StatusCode::CREATED, &status)
}

/// Changes the protocol as is asked, and then has nothing to say in it: no container runs here.
fn connect(request: &Request<Body>) -> Result<Response, Refusal> {
    let protocol = request.headers().get(header::UPGRADE).cloned();
    let protocol = protocol.ok_or_else(|| Refusal::bad_request("Upgrade request required"))?;
    let headers = [(header::CONNECTION, "Upgrade".parse().ok()), (header::UPGRADE, Some(protocol))];
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    for (name, value) in headers {
        response.headers_mut().extend(value.map(|value| (name, value)));
    }
    Ok(response)
}
