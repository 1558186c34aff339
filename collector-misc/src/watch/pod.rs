use super::metadata::{self, STATIC_POD_UID};
use super::watched::{Watched, core_resource};
use event_model::{KubernetesContainer, KubernetesObject};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What we use of a Pod.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Pod {
    #[serde(deserialize_with = "metadata::lean")]
    metadata: ObjectMeta,
    spec: Option<Spec>,
    status: Option<Status>,
}

core_resource!(Pod, NamespaceResourceScope);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    node_name: Option<String>,
    service_account_name: Option<String>,
    host_network: Option<bool>,
    #[serde(rename = "hostPID")]
    host_pid: Option<bool>,
    #[serde(rename = "hostIPC")]
    host_ipc: Option<bool>,
    init_containers: Option<Vec<Container>>,
    containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Container {
    name: String,
    image: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(rename = "hostIP")]
    host_ip: Option<String>,
    init_container_statuses: Option<Vec<ContainerStatus>>,
    container_statuses: Option<Vec<ContainerStatus>>,
    ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Deserialize)]
struct ContainerStatus {
    name: String,
    #[serde(rename = "imageID")]
    image_id: Option<String>,
    #[serde(rename = "containerID")]
    container_id: Option<String>,
}

impl Watched for Pod {
    const KIND: &'static str = "Pod";
    const API_VERSION: &'static str = "v1";
    const PLURAL: &'static str = "pods";

    fn into_object(self) -> KubernetesObject {
        let (spec, status) = (self.spec.unwrap_or_default(), self.status.unwrap_or_default());
        let attributes = attributes(&self.metadata, &spec, &status);
        KubernetesObject {
            api_version: Self::API_VERSION.to_owned(),
            kind: Self::KIND.to_owned(),
            namespace: self.metadata.namespace,
            name: self.metadata.name.unwrap_or_default(),
            uid: self.metadata.uid.unwrap_or_default(),
            labels: self.metadata.labels.unwrap_or_default(),
            node: spec.node_name.clone(),
            service_account: spec.service_account_name.clone(),
            containers: containers(spec, status),
            attributes,
            deleted: false,
        }
    }
}

/// Named as the API names the fields.
fn attributes(metadata: &ObjectMeta, spec: &Spec, status: &Status) -> BTreeMap<String, String> {
    let owners = metadata.owner_references.iter().flatten();
    let controller = owners.clone().find(|owner| owner.controller == Some(true));
    let static_pod_uid =
        metadata.annotations.as_ref().and_then(|annotations| annotations.get(STATIC_POD_UID));
    let flag = |flag: Option<bool>| flag.filter(|flag| *flag).map(|_| "true".to_owned());
    [
        ("phase", status.phase.clone()),
        ("podIP", status.pod_ip.clone()),
        ("hostIP", status.host_ip.clone()),
        ("hostNetwork", flag(spec.host_network)),
        ("hostPID", flag(spec.host_pid)),
        ("hostIPC", flag(spec.host_ipc)),
        ("controller", controller.map(|owner| format!("{}/{}", owner.kind, owner.name))),
        ("staticPodUID", static_pod_uid.cloned()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

/// The containers of all three kinds, each joined to its status by name: names are unique in a pod.
fn containers(spec: Spec, status: Status) -> Vec<KubernetesContainer> {
    let statuses = [
        status.init_container_statuses,
        status.container_statuses,
        status.ephemeral_container_statuses,
    ];
    let mut statuses: BTreeMap<String, ContainerStatus> = statuses
        .into_iter()
        .flatten()
        .flatten()
        .map(|status| (status.name.clone(), status))
        .collect();
    [spec.init_containers, spec.containers, spec.ephemeral_containers]
        .into_iter()
        .flatten()
        .flatten()
        .map(|container| {
            let status = statuses.remove(&container.name);
            let (image_id, id) =
                status.map(|status| (status.image_id, status.container_id)).unwrap_or_default();
            KubernetesContainer {
                name: container.name,
                image: container.image.unwrap_or_default(),
                image_id: image_id.filter(|id| !id.is_empty()),
                container_id: id.as_deref().and_then(runtime_id).map(str::to_owned),
            }
        })
        .collect()
}

/// `containerd://0123…` without the runtime's name; None while there is no container.
fn runtime_id(id: &str) -> Option<&str> {
    let id = id.split_once("://").map_or(id, |(_, id)| id);
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::{Pod, Watched};
    use event_model::KubernetesContainer;
    use serde_json::json;

    fn container(name: &str, image: &str, ids: Option<(&str, &str)>) -> KubernetesContainer {
        KubernetesContainer {
            name: name.to_owned(),
            image: image.to_owned(),
            image_id: ids.map(|(image_id, _)| image_id.to_owned()),
            container_id: ids.map(|(_, container_id)| container_id.to_owned()),
        }
    }

    #[test]
    fn a_pod_is_read_with_all_its_containers() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "name": "shop-1", "namespace": "web", "uid": "6a1f", "resourceVersion": "7",
                "labels": {"app": "shop"},
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:metadata": {}}}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "X", "name": "not-it", "uid": "1"},
                    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop", "uid": "2",
                     "controller": true},
                ],
            },
            "spec": {
                "nodeName": "worker-1", "serviceAccountName": "shopkeeper", "hostNetwork": true,
                "hostPID": false,
                "initContainers": [{"name": "setup", "image": "busybox:1"}],
                "containers": [{"name": "web", "image": "nginx:1", "ports": [{"containerPort": 80}]}],
                "ephemeralContainers": [{"name": "debug", "image": "alpine"}],
            },
            "status": {
                "phase": "Running", "podIP": "10.0.0.7", "hostIP": "192.168.0.1",
                "initContainerStatuses": [
                    {"name": "setup", "imageID": "sha256:aa", "containerID": "containerd://c0ffee"},
                ],
                "containerStatuses": [
                    {"name": "web", "imageID": "nginx@sha256:bb", "containerID": "cri-o://beef"},
                ],
                "ephemeralContainerStatuses": [{"name": "debug", "imageID": "", "containerID": ""}],
            },
        }))
        .unwrap();
        let object = pod.into_object();
        assert_eq!((object.api_version.as_str(), object.kind.as_str()), ("v1", "Pod"));
        assert_eq!((object.namespace.as_deref(), object.name.as_str()), (Some("web"), "shop-1"));
        assert_eq!(object.uid, "6a1f");
        assert_eq!(object.labels["app"], "shop");
        assert_eq!(object.node.as_deref(), Some("worker-1"));
        assert_eq!(object.service_account.as_deref(), Some("shopkeeper"));
        assert_eq!(
            object.containers,
            [
                container("setup", "busybox:1", Some(("sha256:aa", "c0ffee"))),
                container("web", "nginx:1", Some(("nginx@sha256:bb", "beef"))),
                container("debug", "alpine", None),
            ]
        );
        let attributes: Vec<_> =
            object.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            attributes,
            [
                ("controller", "ReplicaSet/shop"),
                ("hostIP", "192.168.0.1"),
                ("hostNetwork", "true"),
                ("phase", "Running"),
                ("podIP", "10.0.0.7"),
            ]
        );
    }

    #[test]
    fn the_mirror_of_a_static_pod_tells_the_uid_that_the_runtime_knows() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "etcd", "annotations": {"kubernetes.io/config.hash": "5ee7"}},
        }))
        .unwrap();
        assert_eq!(pod.into_object().attributes["staticPodUID"], "5ee7");
    }

    #[test]
    fn a_pod_of_nulls_and_gaps_is_read() {
        for pod in [
            json!({"metadata": {}}),
            json!({"metadata": {"labels": null, "annotations": null, "ownerReferences": null},
                   "spec": null, "status": null}),
            json!({"metadata": {}, "spec": {"containers": null}, "status": {"containerStatuses": null}}),
        ] {
            let pod: Pod = serde_json::from_value(pod).unwrap();
            assert_eq!(pod.into_object().containers, []);
        }
    }
}
