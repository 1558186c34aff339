//! What the page's script asks for while the page is open.

use super::card::AlertCard;
use super::posture_card::{MOST_FINDINGS, PostureCards};
use super::sensor_card::SensorCards;
use crate::alerts::complete;
use crate::api::schema::Sensor;
use crate::api::{ApiState, Problem, stream_alerts};
use crate::store::{FindingFilter, SensorCursor, SensorFilter};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use event_model::{Priority, Timestamp};
use serde::Serialize;
use uuid::Uuid;

/// Sensors that are judged for the page; the API lists all.
const MOST_SENSORS: usize = 2000;
const SENSORS_A_QUERY: usize = 500;
const DAY_NANOSECONDS: u64 = 86_400_000_000_000;

/// New alerts as cards.
pub(crate) async fn live_alerts(
    State(state): State<ApiState>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<impl IntoResponse, Problem> {
    stream_alerts(state, &headers, &uri, AlertCard::from)
}

/// An alert's card as it would be now.
pub(crate) async fn alert_card(
    State(state): State<ApiState>,
    Path(id): Path<Uuid>,
) -> Result<Json<AlertCard>, Problem> {
    let alert = state.reader.alert(id).await?;
    let gone = || Problem::new(StatusCode::NOT_FOUND, "there is no such alert");
    Ok(Json(complete(alert.ok_or_else(gone)?).into()))
}

/// What the page shows beside the alerts.
#[derive(Serialize)]
pub(crate) struct Status {
    pub(super) today: Vec<Count>,
    pub(super) sensors: SensorCards,
    pub(super) posture: PostureCards,
}

/// How many alerts of a priority there were in the last 24 hours.
#[derive(Serialize)]
pub(crate) struct Count {
    pub(super) priority: &'static str,
    pub(super) words: String,
}

/// The day's counts and the sensors as they are now.
pub(crate) async fn status(State(state): State<ApiState>) -> Result<Json<Status>, Problem> {
    Ok(Json(read_status(&state).await?))
}

pub(super) async fn read_status(state: &ApiState) -> Result<Status, Problem> {
    let since = Timestamp(Timestamp::now().0.saturating_sub(DAY_NANOSECONDS));
    let counts = state.reader.alert_counts(since).await?.into_iter();
    let count = |(priority, count): (Priority, u64)| Count {
        priority: priority.name(),
        words: format!("{count} {priority}"),
    };
    Ok(Status {
        today: counts.map(count).collect(),
        sensors: read_sensors(state).await?,
        posture: read_posture(state).await?,
    })
}

async fn read_posture(state: &ApiState) -> Result<PostureCards, Problem> {
    let open = FindingFilter { resolved: Some(false), ..FindingFilter::default() };
    let findings = state.reader.findings(open, None, MOST_FINDINGS).await?.items;
    let clusters = state.reader.clusters().await?;
    let findings = findings.into_iter().map(Into::into).collect();
    Ok(PostureCards::new(clusters.into_iter().map(Into::into).collect(), findings))
}

async fn read_sensors(state: &ApiState) -> Result<SensorCards, Problem> {
    let mut sensors = Vec::new();
    let mut next: Option<SensorCursor> = None;
    loop {
        let page = state.reader.sensors(SensorFilter::default(), next, SENSORS_A_QUERY).await?;
        let now = Timestamp::now();
        sensors.extend(page.items.into_iter().map(|record| Sensor::new(record, now)));
        next = page.next;
        if next.is_none() || sensors.len() >= MOST_SENSORS {
            return Ok(SensorCards::new(sensors));
        }
    }
}
