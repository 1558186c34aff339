//! Bootstrap tokens, and the certificates that came of them.

use super::cursor::Cursor;
use super::filters::{self, EnrolmentParameters};
use super::problem::Problem;
use super::schema::{
    Allowed, BootstrapToken, BootstrapTokens, EnrolmentPage, NewBootstrapToken, NewlyMadeToken,
    NodeName, Revoked, TokenRevocation,
};
use super::state::ApiState;
use crate::enrolment::{Enrolment, NewToken, NewTokenError};
use crate::store::Publisher;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use event_model::Timestamp;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// How long a token may be good for.
const LIVES: RangeInclusive<u64> = 60..=365 * 86_400;
const LONGEST_NOTE: usize = 256;

type Answer<T> = Result<Json<T>, Problem>;
type Body<T> = Result<Json<T>, JsonRejection>;

/// Lists certificates that were issued to nodes, the newest first.
#[utoipa::path(
    get, path = "/api/v1/enrolments", tag = "enrolment", params(EnrolmentParameters),
    responses(
        (status = 200, description = "A page of certificates", body = EnrolmentPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn enrolments(State(state): State<ApiState>, uri: Uri) -> Answer<EnrolmentPage> {
    let request = filters::enrolments(&uri)?;
    let page = state.reader.enrolments(request.filter, request.cursor, request.limit).await?;
    Ok(Json(EnrolmentPage {
        items: page.items.into_iter().map(Into::into).collect(),
        next: page.next.as_ref().map(Cursor::to_text),
    }))
}

/// Lists bootstrap tokens, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/enrolment/tokens", tag = "enrolment",
    responses(
        (status = 200, description = "All tokens, the oldest first", body = BootstrapTokens),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn tokens(State(state): State<ApiState>) -> Answer<BootstrapTokens> {
    let now = Timestamp::now();
    let records = state.reader.bootstrap_tokens().await?.into_iter();
    Ok(Json(BootstrapTokens {
        items: records.map(|record| BootstrapToken::new(record, now)).collect(),
    }))
}

/// Makes a bootstrap token. Its secret is told this once.
#[utoipa::path(
    post, path = "/api/v1/enrolment/tokens", tag = "enrolment", request_body = NewBootstrapToken,
    responses(
        (status = 200, description = "The token", body = NewlyMadeToken),
        (status = 400, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "No api.token_file is configured", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Enrolment is off, or there are too many tokens", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_token(
    State(state): State<ApiState>,
    body: Body<NewBootstrapToken>,
) -> Answer<NewlyMadeToken> {
    let enrolment = changeable(&state)?;
    let wanted = read(body)?;
    if !LIVES.contains(&wanted.expires_in_seconds) {
        return Err(bad("expires_in_seconds must be from 60 to 31536000, a year"));
    }
    if wanted.maximum_uses == Some(0) {
        return Err(bad("maximum_uses must be at least 1"));
    }
    if wanted.note.len() > LONGEST_NOTE || wanted.note.contains(char::is_control) {
        return Err(bad("note must be one line of at most 256 bytes"));
    }
    let created = enrolment.create_token(NewToken {
        cluster: wanted.cluster,
        note: wanted.note,
        life: Duration::from_secs(wanted.expires_in_seconds),
        maximum_uses: wanted.maximum_uses,
    });
    let (record, token) = created.await.map_err(|error| match error {
        NewTokenError::Store(error) => error.into(),
        NewTokenError::Cluster(_) => bad(error.to_string()),
        error => Problem::new(StatusCode::CONFLICT, error.to_string()),
    })?;
    let description = BootstrapToken::new(record, Timestamp::now());
    Ok(Json(NewlyMadeToken { token, description }))
}

/// Revokes a bootstrap token and, where asked, the certificates that came of it.
#[utoipa::path(
    post, path = "/api/v1/enrolment/tokens/{id}/revoke", tag = "enrolment", request_body = TokenRevocation,
    params(("id" = String, Path, description = "The token's id.")),
    responses(
        (status = 200, description = "It enrols nobody any more", body = Revoked),
        (status = 400, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "No api.token_file is configured", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such token", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Enrolment is off", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn revoke_token(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    body: Body<TokenRevocation>,
) -> Answer<Revoked> {
    let enrolment = changeable(&state)?;
    let TokenRevocation { certificates } = read(body)?;
    let revoked = enrolment.revoke_token(id, certificates).await?.ok_or_else(|| {
        let detail = "there is no such token: GET /api/v1/enrolment/tokens lists their ids";
        Problem::new(StatusCode::NOT_FOUND, detail)
    })?;
    Ok(Json(Revoked { certificates: revoked }))
}

/// Denies a node's certificates at once, and lets it get no others until it is allowed again.
#[utoipa::path(
    post, path = "/api/v1/enrolment/nodes/revoke", tag = "enrolment", request_body = NodeName,
    responses(
        (status = 200, description = "The node is not let in any more", body = Revoked),
        (status = 400, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "No api.token_file is configured", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Enrolment is off", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn revoke_node(
    State(state): State<ApiState>,
    body: Body<NodeName>,
) -> Answer<Revoked> {
    let enrolment = changeable(&state)?;
    let certificates = enrolment.revoke_node(publisher(read(body)?)?).await?;
    Ok(Json(Revoked { certificates }))
}

/// Lets a node that was revoked enrol again. Its old certificates stay denied.
#[utoipa::path(
    post, path = "/api/v1/enrolment/nodes/allow", tag = "enrolment", request_body = NodeName,
    responses(
        (status = 200, description = "The node may enrol", body = Allowed),
        (status = 400, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "No api.token_file is configured", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Enrolment is off", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn allow_node(
    State(state): State<ApiState>,
    body: Body<NodeName>,
) -> Answer<Allowed> {
    let enrolment = changeable(&state)?;
    let was_revoked = enrolment.allow_node(publisher(read(body)?)?).await?;
    Ok(Json(Allowed { was_revoked }))
}

/// The enrolment, for who may change it. Without a token, being on this machine lets read and no more.
fn changeable(state: &ApiState) -> Result<&Arc<Enrolment>, Problem> {
    if state.access.token.is_none() {
        let detail =
            "without api.token_file nothing can be changed: configure one, and show its token";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    state.enrolment.as_ref().ok_or_else(|| {
        let detail = "enrolment is off: set enrolment.enabled in the backend's configuration";
        Problem::new(StatusCode::CONFLICT, detail)
    })
}

fn read<T>(body: Body<T>) -> Result<T, Problem> {
    body.map(|Json(value)| value).map_err(|rejection| bad(rejection.body_text()))
}

fn publisher(NodeName { cluster, node }: NodeName) -> Result<Publisher, Problem> {
    if !crate::ingest::is_name(&cluster) || !crate::ingest::is_node_name(&node) {
        let detail = "cluster and node must be names: letters, digits, '.', '-' and '_'; a node is not `any`";
        return Err(bad(detail));
    }
    Ok(Publisher { cluster: cluster.into(), node: node.into() })
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
