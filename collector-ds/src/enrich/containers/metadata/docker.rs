//! The Docker Engine API (<https://docs.docker.com/reference/api/engine/>), which podman serves too.

use super::mounts::{self, DockerMount};
use super::{Finding, RuntimeError, labels, unix_http};
use crate::enrich::containers::cgroup_path::is_id;
use bytes::BytesMut;
use event_model::{Container, ContainerId, Timestamp};
use http_body_util::BodyExt;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Longer lines of the event stream are no events of containers.
const MAXIMUM_EVENT_BYTES: usize = 1 << 20;

/// The creation of containers, percent-encoded: `{"type":["container"],"event":["create"]}`.
const CREATIONS: &str =
    "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%22create%22%5D%7D";

/// The label by which cri-dockerd names the sandbox of a container.
const SANDBOX_ID: &str = "io.kubernetes.sandbox.id";

/// A daemon that answered.
#[derive(Clone)]
pub(super) struct Docker {
    socket: Arc<PathBuf>,
    runtime: &'static str,
}

impl Docker {
    /// Asks the daemon who it is.
    pub async fn connect(socket: PathBuf) -> Result<Self, RuntimeError> {
        let version: Option<Version> = unix_http::get(&socket, "/version").await?;
        let version = version.ok_or_else(|| RuntimeError::Answer("no /version".to_owned()))?;
        let podman = version.components.iter().any(|component| component.name.contains("Podman"));
        let runtime = if podman { "podman" } else { "docker" };
        Ok(Self { socket: Arc::new(socket), runtime })
    }

    pub const fn runtime(&self) -> &'static str {
        self.runtime
    }

    /// The ids of the containers that run.
    pub async fn running(&self) -> Result<Vec<ContainerId>, RuntimeError> {
        let listed: Option<Vec<Listed>> = unix_http::get(&self.socket, "/containers/json").await?;
        Ok(listed.unwrap_or_default().into_iter().map(|found| found.id).collect())
    }

    /// All that the daemon knows of a container.
    pub async fn find(&self, id: &ContainerId) -> Result<Option<Container>, RuntimeError> {
        let Some(found) = self.inspect(id).await? else { return Ok(None) };
        let sandbox = found.config.labels.as_ref().and_then(|labels| labels.get(SANDBOX_ID));
        // A label can say anything; only an id may become part of an address.
        let sandbox = sandbox.filter(|sandbox| is_id(sandbox) && **sandbox != *found.id.0).cloned();
        let image_id = found.image.clone();
        let mut container = found.into_container(self.runtime);
        container.image_digest = self.image_digest(&image_id).await?;
        if let (Some(pod), Some(sandbox)) = (&mut container.pod, sandbox)
            && let Some(sandbox) = self.inspect(&ContainerId::from(sandbox.as_str())).await?
        {
            pod.labels = labels::of_pod(sandbox.config.labels.unwrap_or_default());
        }
        Ok(Some(container))
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Option<Inspected>, RuntimeError> {
        unix_http::get(&self.socket, &format!("/containers/{id}/json")).await
    }

    /// The digest by which a registry knows the image; None for one that was built here.
    async fn image_digest(&self, image_id: &str) -> Result<Option<String>, RuntimeError> {
        let path = format!("/images/{image_id}/json");
        let image: Option<Image> = unix_http::get(&self.socket, &path).await?;
        Ok(image.and_then(|image| image.repo_digests).and_then(|digests| {
            digests.first()?.split_once('@').map(|(_, digest)| digest.to_owned())
        }))
    }

    /// Opens the stream of containers that are made from now on.
    pub async fn creations(&self) -> Result<Creations, RuntimeError> {
        let body = unix_http::open(&self.socket, CREATIONS).await?;
        let body = body.ok_or_else(|| RuntimeError::Answer("no /events".to_owned()))?;
        Ok(Creations { body, runtime: self.runtime })
    }
}

/// The stream of containers that are made. A container's creation is told before its cgroup is
/// made, so that its name and image are known even where it lives for milliseconds.
pub(super) struct Creations {
    body: hyper::body::Incoming,
    runtime: &'static str,
}

impl Creations {
    /// Hands on what comes until the daemon ends the stream.
    pub async fn follow(mut self, findings: &mpsc::Sender<Finding>) -> Result<(), RuntimeError> {
        let mut unread = BytesMut::new();
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| RuntimeError::Answer(format!("/events: {error}")))?;
            unread.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
            while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
                let line = unread.split_to(end + 1);
                if let Some(container) = read_creation(&line, self.runtime) {
                    let finding = Finding::Partial(Box::new(container));
                    let _ = findings.send(finding).await;
                }
            }
            if unread.len() > MAXIMUM_EVENT_BYTES {
                return Err(RuntimeError::Answer("an event is too long".to_owned()));
            }
        }
        Ok(())
    }
}

fn read_creation(line: &[u8], runtime: &'static str) -> Option<Container> {
    let event: EventMessage = serde_json::from_slice(line)
        .inspect_err(|error| tracing::debug!(%error, "an unreadable docker event"))
        .ok()?;
    let mut attributes = event.actor.attributes;
    let (image, name) = (attributes.remove("image"), attributes.remove("name"));
    let id = ContainerId::from(event.actor.id.as_str());
    Some(describe(Described { id, name, image, labels: attributes }, runtime))
}

/// What a creation and an inspection both tell.
struct Described {
    id: ContainerId,
    name: Option<String>,
    image: Option<String>,
    labels: HashMap<String, String>,
}

fn describe(described: Described, runtime: &'static str) -> Container {
    let labels: BTreeMap<_, _> = labels::bounded(described.labels);
    let name = described.name.map(|name| name.trim_start_matches('/').to_owned());
    Container {
        id: described.id,
        runtime: Some(runtime.to_owned()),
        name: labels::container_name(&labels).or(name),
        image: described.image,
        pod: labels::pod(&labels),
        labels,
        ..Container::default()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: ContainerId,
}

/// The answer to `GET /containers/{id}/json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: ContainerId,
    name: String,
    /// The id of the image.
    image: String,
    created: String,
    config: InspectedConfig,
    host_config: InspectedHostConfig,
    #[serde(default)]
    mounts: Option<Vec<DockerMount>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedConfig {
    /// The image as it was asked for.
    image: String,
    labels: Option<HashMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedHostConfig {
    privileged: bool,
}

impl Inspected {
    fn into_container(self, runtime: &'static str) -> Container {
        let described = Described {
            id: self.id,
            name: Some(self.name),
            image: Some(self.config.image),
            labels: self.config.labels.unwrap_or_default(),
        };
        Container {
            privileged: Some(self.host_config.privileged),
            created_at: serde_json::from_value::<Timestamp>(self.created.into()).ok(),
            mounts: Some(mounts::of_docker(self.mounts.unwrap_or_default())),
            ..describe(described, runtime)
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    repo_digests: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EventMessage {
    actor: Actor,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    attributes: HashMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSPECTED: &str = r#"{
        "Id": "3f5e9c1d7a2b4c6d8e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f",
        "Created": "2026-03-01T10:20:30.123456789Z", "Name": "/k8s_nginx_web-0_shop_x_0", "Image": "sha256:feed",
        "Config": {"Image": "nginx:1.27", "Labels": {"io.kubernetes.container.name": "nginx",
            "io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "shop"}},
        "HostConfig": {"Privileged": true, "Binds": null}, "State": {"Pid": 7},
        "Mounts": [{"Type": "bind", "Source": "/etc", "Destination": "/host/etc", "Mode": "ro", "RW": false, "Propagation": "rprivate"}]}"#;

    #[test]
    fn an_inspection_is_read() {
        let inspected: Inspected = serde_json::from_str(INSPECTED).expect("it parses");
        let container = inspected.into_container("docker");
        assert_eq!(container.name.as_deref(), Some("nginx"));
        assert_eq!(container.image.as_deref(), Some("nginx:1.27"));
        assert_eq!(container.privileged, Some(true));
        assert_eq!(container.created_at, Some(Timestamp(1_772_360_430_123_456_789)));
        let mounts = container.mounts.expect("its mounts");
        assert_eq!(
            (&*mounts[0].source, &*mounts[0].destination, mounts[0].writable),
            ("/etc", "/host/etc", false)
        );
        assert_eq!(container.pod.and_then(|pod| pod.namespace).as_deref(), Some("shop"));
    }

    #[test]
    fn a_containers_labels_may_be_absent() {
        let bare = INSPECTED.replace("\"Labels\": {", "\"Labels\": null, \"Other\": {");
        let inspected: Inspected = serde_json::from_str(&bare).expect("it parses");
        let container = inspected.into_container("docker");
        assert_eq!(container.name.as_deref(), Some("k8s_nginx_web-0_shop_x_0"));
        assert!(container.labels.is_empty() && container.pod.is_none());
    }

    #[test]
    fn a_creation_is_read_and_nonsense_is_passed_over() {
        let line = br#"{"Type":"container","Action":"create","Actor":{"ID":"ab12","Attributes":{"image":"bb:1","name":"quick","team":"a"}},"time":1}"#;
        let container = read_creation(line, "docker").expect("a creation");
        assert_eq!(container.id, ContainerId::from("ab12"));
        assert_eq!(
            (container.name.as_deref(), container.image.as_deref()),
            (Some("quick"), Some("bb:1"))
        );
        assert_eq!(
            container.labels.len(),
            1,
            "image and name are no labels: {:?}",
            container.labels
        );
        assert_eq!(read_creation(b"{\"Actor\": 3}\n", "docker"), None);
    }
}
