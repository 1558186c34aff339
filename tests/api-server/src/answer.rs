//! A request's way through the server: who asks, may he, and what does he get.

use crate::authentication::User;
use crate::authorization::Attributes;
use crate::discovery;
use crate::objects;
use crate::request::{Asked, RequestInfo};
use crate::resource::Resource;
use crate::shared::{Seen, Shared, lock};
use crate::status::{Refusal, json_response};
use crate::trouble::{Effect, effects};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Request, StatusCode, header};
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a connection knows of its client.
#[derive(Clone, Debug)]
pub struct Connection {
    /// By its certificate.
    pub user: Option<User>,
    /// Ends the connection as it stands.
    pub cut: CancellationToken,
}

/// Answers `request`.
pub async fn answer(
    shared: Arc<Shared>,
    connection: Connection,
    request: Request<Body>,
) -> Response {
    let info = RequestInfo::new(request.method(), request.uri());
    let user = lock(&shared.credentials).user(request.headers(), connection.user.as_ref());
    shared.see(seen(&request, &info, user.as_ref()));
    let effects = effects(&mut lock(&shared.troubles), &info);
    for effect in &effects {
        if let Effect::Delay(time) = effect {
            tokio::time::sleep(*time).await;
        }
    }
    let response = audited(&shared, user.as_ref(), &info, &effects, request).await;
    effects.iter().fold(response, |response, effect| spoiled(response, effect, &connection.cut))
}

/// Responds, and tells of it as the audit policy says.
async fn audited(
    shared: &Arc<Shared>,
    user: Option<&User>,
    info: &RequestInfo,
    effects: &[Effect],
    request: Request<Body>,
) -> Response {
    let audited = shared.audit.as_ref().and_then(|audit| audit.receive(info, user, &request));
    let Some(mut audited) = audited else {
        return respond(shared, user, info, effects, request).await;
    };
    let request = audited.take_request(request).await;
    let response = respond(shared, user, info, effects, request).await;
    audited.finish(response, &info.verb).await
}

fn spoiled(response: Response, effect: &Effect, cut: &CancellationToken) -> Response {
    let is_of_body = matches!(
        effect,
        Effect::Slow { .. }
            | Effect::Cut { .. }
            | Effect::End { .. }
            | Effect::Silence { .. }
            | Effect::Begin { .. }
    );
    if is_of_body { effect.spoil(response, cut.clone()) } else { response }
}

fn seen(request: &Request<Body>, info: &RequestInfo, user: Option<&User>) -> Seen {
    Seen {
        method: request.method().to_string(),
        path: info.path.clone(),
        resource: info.resource.as_ref().map(|asked| asked.plural.clone()),
        query: request.uri().query().unwrap_or_default().to_owned(),
        accept: text(request.headers(), header::ACCEPT).to_owned(),
        user: user.map(|user| user.name.clone()),
    }
}

/// A header's text; empty where there is none.
pub fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn respond(
    shared: &Arc<Shared>,
    user: Option<&User>,
    info: &RequestInfo,
    effects: &[Effect],
    request: Request<Body>,
) -> Response {
    let Some(user) = user else { return Refusal::unauthorized().into_response() };
    if let Some(refusal) = effects.iter().find_map(|effect| effect.refusal(info)) {
        return refusal.into_response();
    }
    if let Err(refusal) = authorize(shared, user, info) {
        return refusal.into_response();
    }
    let answered = match &info.resource {
        Some(asked) => objects::answer(shared, user, info, asked, request).await,
        None => Ok(path(shared, info, request.headers())),
    };
    answered.unwrap_or_else(IntoResponse::into_response)
}

fn authorize(shared: &Shared, user: &User, info: &RequestInfo) -> Result<(), Refusal> {
    let store = shared.store();
    let attributes = Attributes::new(user, info);
    if shared.authorizer.authorizes(&store, user, &attributes) {
        return Ok(());
    }
    let Some(asked) = &info.resource else {
        return Err(Refusal::forbidden_path(&user.name, &info.verb, &info.path));
    };
    let resource = named(asked);
    Err(Refusal::forbidden(
        &resource,
        asked.name.as_deref().unwrap_or_default(),
        &attributes.why_not(),
    ))
}

/// A resource of which only the names are known.
fn named(asked: &Asked) -> Resource {
    Resource {
        group: asked.group.clone(),
        version: asked.version.clone(),
        plural: asked.plural.clone(),
        singular: String::new(),
        kind: String::new(),
        list_kind: String::new(),
        is_namespaced: asked.namespace.is_some(),
        short_names: Vec::new(),
        categories: Vec::new(),
        subresources: Vec::new(),
        is_custom: false,
    }
}

/// What is served that is no resource.
fn path(shared: &Shared, info: &RequestInfo, headers: &HeaderMap) -> Response {
    match info.path.trim_end_matches('/') {
        "/version" => json_response(StatusCode::OK, &version(&shared.kubernetes)),
        "/healthz" | "/livez" | "/readyz" => "ok".into_response(),
        path => discovery::document(shared.store().catalogue(), path, headers)
            .unwrap_or_else(|| (StatusCode::NOT_FOUND, "404 page not found\n").into_response()),
    }
}

/// `v1.34.2`, as `/version` tells it.
fn version(kubernetes: &str) -> serde_json::Value {
    let mut numbers = kubernetes.trim_start_matches('v').split('.');
    let mut number = || numbers.next().unwrap_or_default();
    json!({
        "major": number(), "minor": number(), "gitVersion": kubernetes,
        "gitCommit": "8cc511e399b929453cd98ae65b419c3cc227ec79", "gitTreeState": "clean",
        "buildDate": "2025-11-11T19:09:26Z", "goVersion": "go1.24.9", "compiler": "gc",
        "platform": "linux/amd64",
    })
}
