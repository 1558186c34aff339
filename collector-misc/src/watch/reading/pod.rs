use super::bounded;
use super::containers::{ContainerStatus, PodSpec};
use super::metadata::Metadata;
use event_model::KubernetesObject;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Pod {
    metadata: Metadata,
    spec: Option<PodSpec>,
    status: Option<Status>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: Option<String>,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(rename = "hostIP")]
    host_ip: Option<String>,
    #[serde(deserialize_with = "bounded::list")]
    init_container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "bounded::list")]
    container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "bounded::list")]
    ephemeral_container_statuses: Vec<ContainerStatus>,
}

pub(super) fn read(object: &str) -> Result<(Metadata, KubernetesObject), serde_json::Error> {
    let pod: Pod = serde_json::from_str(object)?;
    let (spec, status) = (pod.spec.unwrap_or_default(), pod.status.unwrap_or_default());
    let attributes = attributes(&pod.metadata, &spec, &status);
    let statuses = [
        status.init_container_statuses,
        status.container_statuses,
        status.ephemeral_container_statuses,
    ];
    let object = KubernetesObject {
        node: spec.node_name.clone(),
        service_account: spec.service_account_name.clone(),
        containers: spec.into_containers(statuses.into_iter().flatten()),
        attributes,
        ..KubernetesObject::default()
    };
    Ok((pod.metadata, object))
}

/// Named as the API names the fields.
fn attributes(metadata: &Metadata, spec: &PodSpec, status: &Status) -> BTreeMap<String, String> {
    let controller = metadata.owners.iter().find(|owner| owner.controller);
    let texts = [
        ("phase", status.phase.clone()),
        ("podIP", status.pod_ip.clone()),
        ("hostIP", status.host_ip.clone()),
        ("controller", controller.map(|owner| format!("{}/{}", owner.kind, owner.name))),
        ("staticPodUID", metadata.static_pod_uid.clone()),
    ];
    let texts = texts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    texts.chain(spec.attributes()).collect()
}

#[cfg(test)]
mod tests {
    use crate::watch::kinds::KINDS;
    use crate::watch::reading::{Told, read};
    use event_model::{KubernetesContainer, KubernetesObject};
    use serde_json::json;

    fn container(name: &str, image: &str, ids: Option<(&str, &str)>) -> KubernetesContainer {
        KubernetesContainer {
            name: name.to_owned(),
            image: image.to_owned(),
            image_id: ids.map(|(image_id, _)| image_id.to_owned()),
            container_id: ids.map(|(_, container_id)| container_id.to_owned()),
        }
    }

    fn object(pod: &serde_json::Value) -> KubernetesObject {
        let kind = KINDS.iter().find(|kind| kind.kind == "Pod").unwrap();
        match read(kind, &pod.to_string()).unwrap() {
            (_, Told::Object(object)) => *object,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pod_is_read_with_all_its_containers() {
        let object = object(&json!({
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
        }));
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
        let pod = json!({
            "metadata": {"name": "etcd", "annotations": {"kubernetes.io/config.hash": "5ee7"}},
        });
        assert_eq!(object(&pod).attributes["staticPodUID"], "5ee7");
    }

    #[test]
    fn a_pod_of_nulls_and_gaps_is_read() {
        for pod in [
            json!({"metadata": {}}),
            json!({"metadata": {"labels": null, "annotations": null, "ownerReferences": null},
                   "spec": null, "status": null}),
            json!({"metadata": {}, "spec": {"containers": null}, "status": {"containerStatuses": null}}),
        ] {
            assert_eq!(object(&pod).containers, []);
        }
    }
}
