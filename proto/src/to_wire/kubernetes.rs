use crate::wire;
use event_model as model;

impl From<&model::KubernetesObject> for wire::KubernetesObject {
    fn from(object: &model::KubernetesObject) -> Self {
        Self {
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            uid: object.uid.clone(),
            resource_version: object.resource_version.clone(),
            created_at: object.created_at.map(|time| time.0),
            owners: object.owners.iter().map(Into::into).collect(),
            labels: object.labels.clone().into_iter().collect(),
            node: object.node.clone(),
            service_account: object.service_account.clone(),
            containers: object.containers.iter().map(Into::into).collect(),
            attributes: object.attributes.clone().into_iter().collect(),
            configuration: object.configuration.clone(),
            deleted: object.deleted,
        }
    }
}

impl From<&model::OwnerReference> for wire::OwnerReference {
    fn from(owner: &model::OwnerReference) -> Self {
        Self {
            kind: owner.kind.clone(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
            controller: owner.controller,
        }
    }
}

impl From<&model::KubernetesContainer> for wire::KubernetesContainer {
    fn from(container: &model::KubernetesContainer) -> Self {
        Self {
            name: container.name.clone(),
            image: container.image.clone(),
            image_id: container.image_id.clone(),
            container_id: container.container_id.clone(),
        }
    }
}

impl From<&model::ObjectReference> for wire::ObjectReference {
    fn from(object: &model::ObjectReference) -> Self {
        Self {
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            uid: object.uid.clone(),
        }
    }
}

impl From<&model::KubernetesEvent> for wire::KubernetesEvent {
    fn from(event: &model::KubernetesEvent) -> Self {
        Self {
            uid: event.uid.clone(),
            resource_version: event.resource_version.clone(),
            regarding: Some((&event.regarding).into()),
            reason: event.reason.clone(),
            is_warning: event.is_warning,
            message: event.message.clone(),
            reporter: event.reporter.clone(),
            node: event.node.clone(),
            count: event.count,
            first_at: event.first_at.0,
            last_at: event.last_at.0,
        }
    }
}
