//! What the page's script asks for while the page is open.

use super::card::AlertCard;
use super::sensor_card::SensorCards;
use crate::alerts::complete;
use crate::api::schema::Sensor;
use crate::api::{ApiState, Problem, stream_alerts};
use crate::store::{SensorCursor, SensorFilter};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use event_model::Timestamp;
use uuid::Uuid;

/// Sensors that are judged for the page; the API lists all.
const MOST_SENSORS: usize = 2000;
const SENSORS_A_QUERY: usize = 500;

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

/// The sensors as they are now.
pub(crate) async fn sensor_cards(
    State(state): State<ApiState>,
) -> Result<Json<SensorCards>, Problem> {
    Ok(Json(read_sensors(&state).await?))
}

pub(super) async fn read_sensors(state: &ApiState) -> Result<SensorCards, Problem> {
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
