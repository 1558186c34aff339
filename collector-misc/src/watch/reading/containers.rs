//! Containers of pods and of templates for pods.

use super::bounded;
use event_model::KubernetesContainer;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is told of a pod's `spec`, or of the one of a template.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    pub(super) node_name: Option<String>,
    pub(super) service_account_name: Option<String>,
    host_network: Option<bool>,
    #[serde(rename = "hostPID")]
    host_pid: Option<bool>,
    #[serde(rename = "hostIPC")]
    host_ipc: Option<bool>,
    #[serde(deserialize_with = "bounded::list")]
    init_containers: Vec<Container>,
    #[serde(deserialize_with = "bounded::list")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "bounded::list")]
    ephemeral_containers: Vec<Container>,
}

#[derive(Clone, Debug, Deserialize)]
struct Container {
    name: Option<String>,
    image: Option<String>,
}

/// A container as it runs.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ContainerStatus {
    name: Option<String>,
    #[serde(rename = "imageID")]
    image_id: Option<String>,
    #[serde(rename = "containerID")]
    container_id: Option<String>,
}

impl PodSpec {
    /// Named as the API names the fields.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (String, String)> {
        let flags = [
            ("hostNetwork", self.host_network),
            ("hostPID", self.host_pid),
            ("hostIPC", self.host_ipc),
        ];
        let set = flags.into_iter().filter(|(_, flag)| *flag == Some(true));
        set.map(|(name, _)| (name.to_owned(), "true".to_owned()))
    }

    /// The containers of all three kinds, each joined to its status by name: names are unique in a pod.
    pub(super) fn into_containers(
        self,
        statuses: impl IntoIterator<Item = ContainerStatus>,
    ) -> Vec<KubernetesContainer> {
        let named = |status: ContainerStatus| (status.name.clone().unwrap_or_default(), status);
        let mut statuses: BTreeMap<_, _> = statuses.into_iter().map(named).collect();
        let containers = [self.init_containers, self.containers, self.ephemeral_containers];
        let containers = containers.into_iter().flatten();
        containers.map(|container| joined(container, &mut statuses)).collect()
    }
}

fn joined(
    container: Container,
    statuses: &mut BTreeMap<String, ContainerStatus>,
) -> KubernetesContainer {
    let name = container.name.unwrap_or_default();
    let status = statuses.remove(&name).unwrap_or_default();
    KubernetesContainer {
        name,
        image: container.image.unwrap_or_default(),
        image_id: status.image_id.filter(|id| !id.is_empty()),
        container_id: status.container_id.as_deref().and_then(runtime_id).map(str::to_owned),
    }
}

/// `containerd://0123…` without the runtime's name; None while there is no container.
fn runtime_id(id: &str) -> Option<&str> {
    let id = id.split_once("://").map_or(id, |(_, id)| id);
    (!id.is_empty()).then_some(id)
}
