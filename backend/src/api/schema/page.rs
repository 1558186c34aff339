use super::{
    Alert, AuditEvent, Event, Finding, Image, KubernetesChange, KubernetesEvent, KubernetesObject,
    ListeningPort, Package, PodImage, Sensor, UserAccount,
};
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

/// A page of packages, by their names.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PackagePage {
    /// The packages.
    pub items: Vec<Package>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// A page of images, by their references.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImagePage {
    /// The images.
    pub items: Vec<Image>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// A page of listening ports, by the names of their processes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PortPage {
    /// The ports.
    pub items: Vec<ListeningPort>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// A page of users, by their names.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserPage {
    /// The users.
    pub items: Vec<UserAccount>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// A page of requests to Kubernetes API servers, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// The requests.
    pub items: Vec<AuditEvent>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// A page of objects of the Kubernetes API, by kind, namespace and name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KubernetesObjectPage {
    /// The objects.
    pub items: Vec<KubernetesObject>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// A page of changes of objects, the latest observed first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KubernetesChangePage {
    /// The changes.
    pub items: Vec<KubernetesChange>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// A page of images that pods have.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PodImagePage {
    /// The images.
    pub items: Vec<PodImage>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// A page of what parts of Kubernetes noted, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KubernetesEventPage {
    /// The events.
    pub items: Vec<KubernetesEvent>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// A page of findings, the worst first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FindingPage {
    /// The findings.
    pub items: Vec<Finding>,
    /// Give it as `cursor` for the next page. Null: this was the last.
    pub next: Option<String>,
}

/// What the backend removed to stay within its bounds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Removed {
    /// What kind of record: `event`, `process`, `container`, `kubernetes_object`,
    /// `inventory`, `audit` or `alert`; `source`, a run of a
    /// sensor, also where its node had too many; `former_source`, the last that was known of one.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// When the last went.
    #[schema(value_type = String, format = DateTime)]
    pub last_removed_at: Timestamp,
}
