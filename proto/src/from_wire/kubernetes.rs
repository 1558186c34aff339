use super::{ConversionError, Result, required};
use crate::wire;
use event_model as model;

impl From<wire::KubernetesObject> for model::KubernetesObject {
    fn from(raw: wire::KubernetesObject) -> Self {
        Self {
            api_version: raw.api_version,
            kind: raw.kind,
            namespace: raw.namespace,
            name: raw.name,
            uid: raw.uid,
            resource_version: raw.resource_version,
            created_at: raw.created_at.map(model::Timestamp),
            owners: raw.owners.into_iter().map(Into::into).collect(),
            labels: raw.labels.into_iter().collect(),
            node: raw.node,
            service_account: raw.service_account,
            containers: raw.containers.into_iter().map(Into::into).collect(),
            attributes: raw.attributes.into_iter().collect(),
            configuration: raw.configuration,
            deleted: raw.deleted,
        }
    }
}

impl From<wire::OwnerReference> for model::OwnerReference {
    fn from(raw: wire::OwnerReference) -> Self {
        Self { kind: raw.kind, name: raw.name, uid: raw.uid, controller: raw.controller }
    }
}

impl From<wire::KubernetesContainer> for model::KubernetesContainer {
    fn from(raw: wire::KubernetesContainer) -> Self {
        Self {
            name: raw.name,
            image: raw.image,
            image_id: raw.image_id,
            container_id: raw.container_id,
        }
    }
}

impl From<wire::ObjectReference> for model::ObjectReference {
    fn from(raw: wire::ObjectReference) -> Self {
        Self {
            api_version: raw.api_version,
            kind: raw.kind,
            namespace: raw.namespace,
            name: raw.name,
            uid: raw.uid,
        }
    }
}

impl TryFrom<wire::KubernetesEvent> for model::KubernetesEvent {
    type Error = ConversionError;

    fn try_from(raw: wire::KubernetesEvent) -> Result<Self> {
        Ok(Self {
            uid: raw.uid,
            resource_version: raw.resource_version,
            regarding: required(raw.regarding, "kubernetes_event.regarding")?.into(),
            reason: raw.reason,
            is_warning: raw.is_warning,
            message: raw.message,
            reporter: raw.reporter,
            node: raw.node,
            count: raw.count,
            first_at: model::Timestamp(raw.first_at),
            last_at: model::Timestamp(raw.last_at),
        })
    }
}
