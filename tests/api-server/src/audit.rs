//! Audit events to a webhook, as the API server's `--audit-webhook-*` flags have it.
//! <https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/>

mod backend;
mod event;
mod policy;
mod webhook;

pub use backend::{AuditCounts, Batch};
pub use policy::{AuditLevel, AuditPolicy};
pub use webhook::AuditConfig;

use crate::authentication::User;
use crate::request::RequestInfo;
use axum::body::Body;
use axum::response::Response;
use backend::Backend;
use event::EventBase;
use futures::StreamExt;
use http::{Request, header};
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::Arc;

/// What a server audits, and where to.
#[derive(Debug)]
pub struct Audit {
    policy: AuditPolicy,
    backend: Arc<Backend>,
}

/// The events of one request, from its reception on.
#[derive(Debug)]
pub struct Audited {
    base: EventBase,
    level: AuditLevel,
    policy: AuditPolicy,
    backend: Arc<Backend>,
}

impl Audit {
    pub fn begin(config: AuditConfig) -> anyhow::Result<Self> {
        Ok(Self { policy: config.policy.clone(), backend: Arc::new(Backend::begin(config)?) })
    }

    pub fn counts(&self) -> AuditCounts {
        self.backend.counts()
    }

    /// Notes that a request came. None where the policy wants to know nothing of it.
    pub fn receive(
        &self,
        info: &RequestInfo,
        user: Option<&User>,
        request: &Request<Body>,
    ) -> Option<Audited> {
        let level = self.policy.level(info, user);
        if level == AuditLevel::None {
            return None;
        }
        let audited = Audited {
            base: EventBase::new(level, info, user, request),
            level,
            policy: self.policy.clone(),
            backend: Arc::clone(&self.backend),
        };
        audited.tell("RequestReceived");
        Some(audited)
    }
}

impl Audited {
    fn tell(&self, stage: &str) {
        if !self.policy.omit_stages.iter().any(|omitted| omitted == stage) {
            self.backend.send(self.base.at(stage));
        }
    }

    /// The request, with its body noted where the level wants that.
    pub async fn take_request(&mut self, request: Request<Body>) -> Request<Body> {
        if self.level < AuditLevel::Request {
            return request;
        }
        let (mut parts, body) = request.into_parts();
        // What is answered is to be read here.
        parts.headers.remove(header::ACCEPT_ENCODING);
        let bytes =
            body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        self.base.set_request(serde_json::from_slice(&bytes).unwrap_or(Value::Null));
        Request::from_parts(parts, Body::from(bytes))
    }

    /// Notes the answer, and returns it. Of a watch the end is told when it ends.
    pub async fn finish(mut self, response: Response, verb: &str) -> Response {
        self.base.set_code(response.status().as_u16());
        if verb == "watch" && response.status().is_success() {
            self.tell("ResponseStarted");
            let (parts, body) = response.into_parts();
            let completion = Completion(self);
            let lines = body.into_data_stream().map(move |piece| {
                // Held until the body is over, or nobody reads it any more.
                let _ = &completion;
                piece
            });
            return Response::from_parts(parts, Body::from_stream(lines));
        }
        let response = self.take_response(response).await;
        self.tell("ResponseComplete");
        response
    }

    async fn take_response(&mut self, response: Response) -> Response {
        let is_failure = !response.status().is_success();
        if self.level < AuditLevel::RequestResponse && !is_failure {
            return response;
        }
        let (parts, body) = response.into_parts();
        let bytes =
            body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if is_failure {
            self.base.set_failure(&answer);
        }
        if self.level >= AuditLevel::RequestResponse {
            self.base.set_response(answer);
        }
        Response::from_parts(parts, Body::from(bytes))
    }
}

/// Tells the end of a watch when it is dropped.
struct Completion(Audited);

impl Drop for Completion {
    fn drop(&mut self) {
        self.0.tell("ResponseComplete");
    }
}
