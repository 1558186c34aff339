use super::{Alert, Event, Sensor};
use event_model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A page of alerts, the newest act first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertPage {
    /// The alerts.
    pub items: Vec<Alert>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// A page of events, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// The events.
    pub items: Vec<Event>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// A page of sensors, by cluster, node and component.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SensorPage {
    /// The sensors.
    pub items: Vec<Sensor>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
    /// What the backend removed to stay within its bounds.
    pub removed: Vec<Removed>,
}

/// What the backend removed to stay within its bounds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Removed {
    /// What kind of record: `event`, `process`, `container`, `kubernetes_object` or `alert`; `source`, a run of a
    /// sensor, also where its node had too many; `former_source`, the last that was known of one.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// When the last went.
    #[schema(value_type = String, format = DateTime)]
    pub last_removed_at: Timestamp,
}
