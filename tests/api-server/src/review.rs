//! Requests that ask about rights or identities and store nothing.

use crate::authentication::User;
use crate::authorization::Attributes;
use crate::request::Asked;
use crate::shared::{Shared, lock};
use crate::status::{Refusal, json_response};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

/// Whether a request is one of these.
pub fn is_asked(asked: &Asked, verb: &str) -> bool {
    let kinds: &[&str] = match asked.group.as_str() {
        "authorization.k8s.io" => &["selfsubjectaccessreviews", "subjectaccessreviews"],
        "authentication.k8s.io" => &["selfsubjectreviews", "tokenreviews"],
        _ => &[],
    };
    verb == "create" && asked.version == "v1" && kinds.contains(&asked.plural.as_str())
}

/// The review with its answer as status.
pub fn answer(
    shared: &Shared,
    user: &User,
    plural: &str,
    mut review: Value,
) -> Result<Response, Refusal> {
    if !review.is_object() {
        return Err(Refusal::bad_request("the body of the request is not an object"));
    }
    review["status"] = match plural {
        "selfsubjectaccessreviews" => access(shared, user, &review["spec"]),
        "subjectaccessreviews" => access(shared, &subject(&review["spec"]), &review["spec"]),
        "tokenreviews" => token(shared, review["spec"]["token"].as_str().unwrap_or_default()),
        _ => json!({"userInfo": info(user)}),
    };
    if review["metadata"].is_null() {
        review["metadata"] = json!({});
    }
    Ok(json_response(StatusCode::CREATED, &review))
}

fn subject(spec: &Value) -> User {
    let groups = spec["groups"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let user = spec["user"].as_str().unwrap_or_default();
    User { name: user.to_owned(), uid: String::new(), groups: groups.map(str::to_owned).collect() }
}

fn access(shared: &Shared, user: &User, spec: &Value) -> Value {
    let text = |of: &str, field: &str| spec[of][field].as_str().unwrap_or_default().to_owned();
    let of_resource = |field: &str| text("resourceAttributes", field);
    let path = text("nonResourceAttributes", "path");
    let verb =
        if path.is_empty() { of_resource("verb") } else { text("nonResourceAttributes", "verb") };
    let attributes = Attributes {
        user: user.name.clone(),
        verb,
        group: of_resource("group"),
        resource: of_resource("resource"),
        subresource: of_resource("subresource"),
        namespace: of_resource("namespace"),
        name: of_resource("name"),
        path,
    };
    let is_allowed = shared.authorizer.would_authorize(&shared.store(), user, &attributes);
    json!({"allowed": is_allowed})
}

fn token(shared: &Shared, token: &str) -> Value {
    let mut headers = http::HeaderMap::new();
    let value = http::HeaderValue::from_str(&format!("Bearer {token}"));
    if let Ok(value) = value {
        headers.insert(http::header::AUTHORIZATION, value);
    }
    match lock(&shared.credentials).user(&headers, None) {
        Some(user) if !token.is_empty() => json!({"authenticated": true, "user": info(&user)}),
        _ => json!({"authenticated": false}),
    }
}

fn info(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = json!(user.uid);
    }
    info
}
