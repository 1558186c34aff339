use super::AuditLevel;
use crate::answer::text;
use crate::authentication::User;
use crate::request::{Asked, RequestInfo};
use axum::body::Body;
use http::{Request, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// What the events of all stages of a request have in common.
#[derive(Debug)]
pub(super) struct EventBase(Value);

impl EventBase {
    pub(super) fn new(
        level: AuditLevel,
        info: &RequestInfo,
        user: Option<&User>,
        request: &Request<Body>,
    ) -> Self {
        let uri = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let mut event = json!({
            "level": level, "auditID": Uuid::new_v4().to_string(), "requestURI": uri,
            "verb": info.verb, "user": user.map_or(json!({}), user_info), "sourceIPs": ["127.0.0.1"],
            "requestReceivedTimestamp": now(),
        });
        let agent = text(request.headers(), header::USER_AGENT);
        if !agent.is_empty() {
            event["userAgent"] = json!(agent);
        }
        if let Some(asked) = &info.resource {
            event["objectRef"] = object_reference(asked);
        }
        Self(event)
    }

    /// The event of a stage.
    pub(super) fn at(&self, stage: &str) -> Value {
        let mut event = self.0.clone();
        event["stage"] = json!(stage);
        event["stageTimestamp"] = json!(now());
        event
    }

    pub(super) fn set_code(&mut self, code: u16) {
        self.0["responseStatus"] = json!({"metadata": {}, "code": code});
        let decision = match code {
            // Nobody was there to decide about.
            401 => return,
            403 => "forbid",
            _ => "allow",
        };
        self.0["annotations"] = json!({
            "authorization.k8s.io/decision": decision, "authorization.k8s.io/reason": "",
        });
    }

    pub(super) fn set_failure(&mut self, status: &Value) {
        for field in ["status", "message", "reason", "details"] {
            if !status[field].is_null() {
                self.0["responseStatus"][field] = status[field].clone();
            }
        }
    }

    pub(super) fn set_request(&mut self, body: Value) {
        if !body.is_null() {
            let name = &body["metadata"]["name"];
            if self.0["objectRef"]["name"].is_null() && name.is_string() {
                self.0["objectRef"]["name"] = name.clone();
            }
            self.0["requestObject"] = body;
        }
    }

    pub(super) fn set_response(&mut self, body: Value) {
        if !body.is_null() {
            self.0["responseObject"] = body;
        }
    }
}

fn user_info(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = json!(user.uid);
    }
    info
}

fn object_reference(asked: &Asked) -> Value {
    let mut reference = json!({"resource": asked.plural, "apiVersion": asked.version});
    let optional = [
        ("namespace", &asked.namespace),
        ("name", &asked.name),
        ("subresource", &asked.subresource),
    ];
    for (field, value) in optional {
        if let Some(value) = value {
            reference[field] = json!(value);
        }
    }
    if !asked.group.is_empty() {
        reference["apiGroup"] = json!(asked.group);
    }
    reference
}

/// The present time, in microseconds.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
