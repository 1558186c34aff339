use crate::{
    Alert, AuditEvent, Container, Event, HeldAlerts, Host, Inventory, KubernetesCensus,
    KubernetesEvent, KubernetesObject, Lane, Loss, Process, SensorStatus,
};
use serde::{Deserialize, Serialize};

/// One item of a stream. Each record has a sequence number of its own within its (source, lane).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
#[allow(missing_docs)] // Each variant is named by the type that it holds.
pub enum Record {
    Alert(Box<Alert>),
    HeldAlerts(Box<HeldAlerts>),
    Loss(Loss),
    SensorStatus(Box<SensorStatus>),
    Host(Host),
    Container(Box<Container>),
    Process(Box<Process>),
    KubernetesObject(Box<KubernetesObject>),
    Inventory(Box<Inventory>),
    KubernetesCensus(Box<KubernetesCensus>),
    Event(Event),
    Audit(Box<AuditEvent>),
    KubernetesEvent(Box<KubernetesEvent>),
}

impl Record {
    /// The lane that records of this kind travel in.
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Alert(_) | Self::HeldAlerts(_) | Self::Loss(_) | Self::SensorStatus(_) => {
                Lane::Alert
            }
            Self::Host(_) | Self::Container(_) | Self::Process(_) | Self::KubernetesObject(_) => {
                Lane::Entity
            }
            Self::Inventory(_) | Self::KubernetesCensus(_) => Lane::Inventory,
            Self::Event(_) | Self::Audit(_) | Self::KubernetesEvent(_) => Lane::Telemetry,
        }
    }

    /// The kind's name, as in metrics and in [`Loss::kind`].
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Alert(_) => "alert",
            Self::HeldAlerts(_) => "held_alerts",
            Self::Loss(_) => "loss",
            Self::SensorStatus(_) => "sensor_status",
            Self::Host(_) => "host",
            Self::Container(_) => "container",
            Self::Process(_) => "process",
            Self::KubernetesObject(_) => "kubernetes_object",
            Self::Inventory(_) => "inventory",
            Self::KubernetesCensus(_) => "kubernetes_census",
            Self::Event(event) => event.kind.name(),
            Self::Audit(_) => "audit",
            Self::KubernetesEvent(_) => "kubernetes_event",
        }
    }
}
