//! What each path answers.

use super::cursor::Cursor;
use super::filters::{self, AlertParameters, EventParameters, SensorParameters};
use super::problem::Problem;
use super::schema::{Alert, AlertPage, Event, EventPage, Removed, Sensor, SensorPage};
use super::state::ApiState;
use crate::alerts::complete;
use crate::store::StoredAlert;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use event_model::Timestamp;
use uuid::Uuid;

/// Lists alerts, the newest act first.
#[utoipa::path(
    get, path = "/api/v1/alerts", tag = "alerts", params(AlertParameters),
    responses(
        (status = 200, description = "A page of alerts", body = AlertPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn alerts(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<AlertPage>, Problem> {
    let request = filters::alerts(&uri)?;
    let page = state.reader.alerts(request.filter, request.cursor, request.limit).await?;
    Ok(Json(AlertPage {
        items: page.items.into_iter().map(complete).map(Alert::from).collect(),
        next: page.next.as_ref().map(Cursor::to_text),
    }))
}

/// Tells one alert.
#[utoipa::path(
    get, path = "/api/v1/alerts/{id}", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id: a UUID.", format = "uuid")),
    responses(
        (status = 200, description = "The alert", body = Alert),
        (status = 400, description = "The id is no UUID", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such alert", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn alert(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Json<Alert>, Problem> {
    Ok(Json(complete(stored_alert(&state, &id).await?).into()))
}

/// The alert that a path names.
pub(super) async fn stored_alert(state: &ApiState, id: &str) -> Result<StoredAlert, Problem> {
    let uuid: Uuid = id
        .parse()
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the alert's id must be a UUID"))?;
    state.reader.alert(uuid).await?.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            format!("there is no alert {uuid}: it may have been removed"),
        )
    })
}

/// Lists events, the newest first, with the process and the container that each refers to.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", params(EventParameters),
    responses(
        (status = 200, description = "A page of events", body = EventPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn events(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<EventPage>, Problem> {
    let request = filters::events(&uri)?;
    let page =
        state.reader.events(request.filter, request.cursor, request.limit, |page| EventPage {
            items: page.items.into_iter().map(Event::from).collect(),
            next: page.next.as_ref().map(Cursor::to_text),
        });
    Ok(Json(page.await?))
}

/// Lists sensors: how each is, what it sees, how far its streams are held, what was lost.
#[utoipa::path(
    get, path = "/api/v1/sensors", tag = "sensors", params(SensorParameters),
    responses(
        (status = 200, description = "A page of sensors", body = SensorPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn sensors(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<SensorPage>, Problem> {
    let request = filters::sensors(&uri)?;
    let page = state.reader.sensors(request.filter, request.cursor, request.limit).await?;
    let removed = state.reader.removed().await?.into_iter().map(|record| Removed {
        kind: record.kind,
        count: record.count,
        last_removed_at: record.last_removed_at,
    });
    let now = Timestamp::now();
    Ok(Json(SensorPage {
        items: page.items.into_iter().map(|record| Sensor::new(record, now)).collect(),
        next: page.next.as_ref().map(Cursor::to_text),
        removed: removed.collect(),
    }))
}
