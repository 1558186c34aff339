use super::finding::Finding;
use crate::store::{
    ChangeRecord, ImagePlace as StoredPlace, ImageRecord, KubernetesEventRecord, ObjectDetail,
    ObjectRecord,
};
use event_model as model;
use model::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// An object of the Kubernetes API as it is, or was when it was deleted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KubernetesObject {
    /// The cluster, as publishers' certificates say.
    pub cluster: String,
    /// What it is.
    #[serde(flatten)]
    pub state: ObjectState,
    /// When it was last told.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// When it was told to be gone.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deleted_at: Option<Timestamp>,
}

/// A state of an object.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ObjectState {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Null for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// The API server's uid.
    pub uid: String,
    /// The API server's number for this state.
    pub resource_version: String,
    /// When the API server made the object.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// What it belongs to.
    pub owners: Vec<Owner>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The node that a pod runs on.
    pub node: Option<String>,
    /// The service account that a pod runs as.
    pub service_account: Option<String>,
    /// Containers of a pod, or of a workload's template.
    pub containers: Vec<KubernetesContainer>,
    /// Facts particular to the kind.
    pub attributes: BTreeMap<String, String>,
    /// What it sets, without status and without the contents of secrets.
    #[schema(value_type = Object)]
    pub configuration: Value,
}

/// An object that another belongs to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Owner {
    /// Such as `ReplicaSet`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// The API server's uid.
    pub uid: String,
    /// It is the one that controls the object.
    pub controller: bool,
}

/// A container as Kubernetes tells it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KubernetesContainer {
    /// Its name.
    pub name: String,
    /// The image as it was asked for.
    pub image: String,
    /// The image that runs, with its digest.
    pub image_id: Option<String>,
    /// The runtime's id.
    pub container_id: Option<String>,
}

/// Names an object.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ObjectReference {
    /// Such as `apps/v1`; empty where it is not known.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Null for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// The API server's uid; empty where it is not known.
    pub uid: String,
}

/// An object, and what is known around it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KubernetesObjectDetail {
    /// The object.
    #[serde(flatten)]
    pub object: KubernetesObject,
    /// What it belongs to, from its controller up to the root workload.
    pub owner_chain: Vec<ObjectReference>,
    /// Its newest changes, 100 at most, the latest first.
    pub changes: Vec<KubernetesChange>,
    /// Findings of it and of what it belongs to, open and resolved, 100 at most.
    pub findings: Vec<Finding>,
}

/// A change of an object.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KubernetesChange {
    /// The cluster.
    pub cluster: String,
    /// `added`, `modified` or `deleted`.
    pub change: &'static str,
    /// The object's kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The first resource version with this content. Empty of a deletion that was only noticed.
    pub resource_version: String,
    /// When the backend first heard of it.
    #[schema(value_type = String, format = DateTime)]
    pub observed_at: Timestamp,
    /// The parts that are other than before, such as `labels` or `configuration.spec`.
    pub parts: Vec<String>,
    /// Containers that have another image than before.
    pub images: Vec<ImageChange>,
    /// The object from then on. Null: it is gone, or the store had no room for it any more.
    pub object: Option<ObjectState>,
}

/// A container's image before and after.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImageChange {
    /// The container.
    pub container: String,
    /// Null: there was no such container.
    pub before: Option<String>,
    /// Null: there is no such container any more.
    pub after: Option<String>,
}

/// An image, and where it runs as Kubernetes tells it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PodImage {
    /// Its digest; what it was asked for by where none is known.
    pub image: String,
    /// What it was asked for by.
    pub references: Vec<String>,
    /// How many pods have it. Which: `/api/v1/kubernetes/objects?kind=Pod&image=…`.
    pub pods: u64,
    /// In how many namespaces.
    pub namespaces: u64,
    /// Where, the most pods first; 100 at most.
    pub places: Vec<ImagePlace>,
}

/// Pods of one image that belong together.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImagePlace {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: Option<String>,
    /// The root of what the pods belong to, such as a Deployment. Null: they stand by themselves.
    pub workload: Option<ObjectReference>,
    /// How many pods.
    pub pods: u64,
}

/// Something that a part of Kubernetes noted about an object.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KubernetesEvent {
    /// The cluster.
    pub cluster: String,
    /// The API server's uid of the note.
    pub uid: String,
    /// Its state: a note that was made again is told again.
    pub resource_version: String,
    /// About which object.
    pub regarding: ObjectReference,
    /// A word for it.
    #[schema(example = "FailedMount")]
    pub reason: String,
    /// Somebody should look at it.
    pub warning: bool,
    /// In words.
    pub message: String,
    /// Who noted it.
    #[schema(example = "kubelet")]
    pub reporter: String,
    /// The node it was noted on.
    pub node: Option<String>,
    /// How often it happened until then.
    pub count: u32,
    /// When it happened first.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// When it happened last.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
}

impl From<ObjectRecord> for KubernetesObject {
    fn from(record: ObjectRecord) -> Self {
        let ObjectRecord { cluster, object, seen, deleted_at } = record;
        Self { cluster, state: object.into(), last_seen: seen, deleted_at }
    }
}

impl From<model::KubernetesObject> for ObjectState {
    fn from(object: model::KubernetesObject) -> Self {
        let configuration = object
            .configuration
            .map_or(Value::Null, |text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        Self {
            api_version: object.api_version,
            kind: object.kind,
            namespace: object.namespace,
            name: object.name,
            uid: object.uid,
            resource_version: object.resource_version,
            created_at: object.created_at,
            owners: object.owners.into_iter().map(Into::into).collect(),
            labels: object.labels,
            node: object.node,
            service_account: object.service_account,
            containers: object.containers.into_iter().map(Into::into).collect(),
            attributes: object.attributes,
            configuration,
        }
    }
}

impl From<model::OwnerReference> for Owner {
    fn from(owner: model::OwnerReference) -> Self {
        let model::OwnerReference { kind, name, uid, controller } = owner;
        Self { kind, name, uid, controller }
    }
}

impl From<model::KubernetesContainer> for KubernetesContainer {
    fn from(container: model::KubernetesContainer) -> Self {
        let model::KubernetesContainer { name, image, image_id, container_id } = container;
        Self { name, image, image_id, container_id }
    }
}

impl From<model::ObjectReference> for ObjectReference {
    fn from(object: model::ObjectReference) -> Self {
        let model::ObjectReference { api_version, kind, namespace, name, uid } = object;
        Self { api_version, kind, namespace, name, uid }
    }
}

impl From<ObjectDetail> for KubernetesObjectDetail {
    fn from(detail: ObjectDetail) -> Self {
        let ObjectDetail { record, owners, changes, findings } = detail;
        Self {
            object: record.into(),
            owner_chain: owners.into_iter().map(Into::into).collect(),
            changes: changes.into_iter().map(Into::into).collect(),
            findings: findings.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ChangeRecord> for KubernetesChange {
    fn from(record: ChangeRecord) -> Self {
        let image = |image: crate::store::ImageChange| ImageChange {
            container: image.container,
            before: image.before,
            after: image.after,
        };
        Self {
            cluster: record.cluster,
            change: record.change.name(),
            kind: record.kind,
            namespace: record.namespace,
            name: record.name,
            uid: record.uid,
            resource_version: record.resource_version,
            observed_at: record.observed_at,
            parts: record.difference.parts,
            images: record.difference.images.into_iter().map(image).collect(),
            object: record.object.map(Into::into),
        }
    }
}

impl From<ImageRecord> for PodImage {
    fn from(record: ImageRecord) -> Self {
        let ImageRecord { key, references, pods, namespaces, places } = record;
        let places = places.into_iter().map(Into::into).collect();
        Self { image: key, references, pods, namespaces, places }
    }
}

impl From<StoredPlace> for ImagePlace {
    fn from(place: StoredPlace) -> Self {
        let StoredPlace { cluster, namespace, workload, pods } = place;
        Self { cluster, namespace, workload: workload.map(Into::into), pods }
    }
}

impl From<KubernetesEventRecord> for KubernetesEvent {
    fn from(record: KubernetesEventRecord) -> Self {
        let KubernetesEventRecord { cluster, event } = record;
        Self {
            cluster,
            uid: event.uid,
            resource_version: event.resource_version,
            regarding: event.regarding.into(),
            reason: event.reason,
            warning: event.is_warning,
            message: event.message,
            reporter: event.reporter,
            node: event.node,
            count: event.count,
            first_at: event.first_at,
            last_at: event.last_at,
        }
    }
}
