//! Failures as the API tells them: `Status` objects.
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>

use crate::resource::Resource;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// A request that is not granted, or not possible.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub code: u16,
    /// `NotFound`, `Conflict`…: what clients decide by.
    pub reason: &'static str,
    pub message: String,
    pub details: Value,
    /// Where a list whose token expired can go on, though not consistently.
    pub continue_token: Option<String>,
    pub retry_after_seconds: Option<u32>,
}

impl Refusal {
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: Value::Null,
            continue_token: None,
            retry_after_seconds: None,
        }
    }

    fn about(mut self, resource: &Resource, name: &str) -> Self {
        let mut details = json!({"kind": resource.plural});
        if !name.is_empty() {
            details["name"] = json!(name);
        }
        if !resource.group.is_empty() {
            details["group"] = json!(resource.group);
        }
        self.details = details;
        self
    }

    fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        if self.details.is_null() {
            self.details = json!({});
        }
        self.details["retryAfterSeconds"] = json!(seconds);
        self
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// `why` follows after the colon, such as `User "eve" cannot list resource "pods"…`.
    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let what = if name.is_empty() {
            resource.full_name()
        } else {
            format!("{} {name:?}", resource.full_name())
        };
        Self::new(403, "Forbidden", format!("{what} is forbidden: {why}")).about(resource, name)
    }

    pub fn forbidden_path(user: &str, verb: &str, path: &str) -> Self {
        let why = format!("forbidden: User {user:?} cannot {verb} path {path:?}");
        Self { details: json!({}), ..Self::new(403, "Forbidden", why) }
    }

    pub fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} {name:?} not found", resource.full_name());
        Self::new(404, "NotFound", message).about(resource, name)
    }

    /// No such resource, or no such subresource.
    pub fn no_such_resource() -> Self {
        let message = "the server could not find the requested resource";
        Self { details: json!({}), ..Self::new(404, "NotFound", message) }
    }

    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self { details: json!({}), ..Self::new(405, "MethodNotAllowed", message) }
    }

    pub fn not_acceptable() -> Self {
        let message = "only the following media types are accepted: application/json";
        Self::new(406, "NotAcceptable", message)
    }

    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", resource.full_name());
        Self::new(409, "AlreadyExists", message).about(resource, name)
    }

    pub fn modified(resource: &Resource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let what = resource.full_name();
        let message = format!("Operation cannot be fulfilled on {what} {name:?}: {why}");
        Self::new(409, "Conflict", message).about(resource, name)
    }

    /// A watch from a version whose history is gone.
    pub fn too_old(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// A list at a version whose history is gone.
    pub fn list_too_old(version: u64) -> Self {
        Self::new(
            410,
            "Expired",
            format!("The resourceVersion for the provided list is too old: {version}"),
        )
    }

    /// The next page of a list whose history is gone; `token` goes on without it.
    pub fn continue_expired(token: String) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list \
            result. You can start a new list without the continue parameter, or use the continue \
            token in this response to retrieve the remainder of the results. Continuing with the \
            provided token results in an inconsistent list - objects that were created, modified, \
            or deleted between the time the first chunk was returned and now may show up in the \
            list.";
        Self { continue_token: Some(token), ..Self::new(410, "Expired", message) }
    }

    pub fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::new(413, "RequestEntityTooLarge", message)
    }

    pub fn unsupported_media_type(asked: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format ({asked}) - accepted media types \
             include: application/json, application/json-patch+json, application/merge-patch+json"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// An object, or the options of a request, that break a rule; `why` names field and rule.
    pub fn invalid(kind: &str, group: &str, name: &str, why: &str) -> Self {
        let of = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let mut refusal = Self::new(422, "Invalid", format!("{of} {name:?} is invalid: {why}"));
        let (field, message) = why.split_once(": ").unwrap_or(("", why));
        refusal.details = json!({
            "name": name, "group": group, "kind": kind,
            "causes": [{"reason": "FieldValueInvalid", "field": field, "message": message}],
        });
        refusal
    }

    pub fn invalid_options(why: &str) -> Self {
        Self::invalid("ListOptions", "meta.k8s.io", "", why)
    }

    pub fn too_many_requests(retry_after_seconds: u32) -> Self {
        let message = "Too many requests, please try again later.";
        Self::new(429, "TooManyRequests", message).retry_after(retry_after_seconds)
    }

    pub fn internal(why: &str) -> Self {
        let mut refusal =
            Self::new(500, "InternalError", format!("Internal error occurred: {why}"));
        refusal.details = json!({"causes": [{"message": why}]});
        refusal
    }

    pub fn unavailable() -> Self {
        let message = "the server is currently unable to handle the request";
        Self::new(503, "ServiceUnavailable", message)
    }

    /// A version that this server has not reached.
    pub fn version_too_large(asked: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {asked}, current: {current}");
        let mut refusal = Self::new(504, "Timeout", message).retry_after(1);
        refusal.details["causes"] =
            json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
        refusal
    }

    /// The `Status` object.
    pub fn status(&self) -> Value {
        let mut metadata = json!({});
        if let Some(token) = &self.continue_token {
            metadata["continue"] = json!(token);
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json_response(code, &self.status());
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The answer to a deletion.
pub fn success(resource: &Resource, name: &str, uid: &str) -> Value {
    let mut details = json!({"name": name, "kind": resource.plural, "uid": uid});
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

/// `value`, as an answer.
pub fn json_response(code: StatusCode, value: &Value) -> Response {
    bytes_response(code, serde_json::to_vec(value).unwrap_or_default())
}

/// JSON that is already written, as an answer.
pub fn bytes_response(code: StatusCode, json: impl Into<Body>) -> Response {
    let mut response = (code, json.into()).into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}
