//! The Kubernetes container runtime interface: containerd, CRI-O, and what else kubelet can drive.

use super::mounts::{self, RuntimeMount};
use super::{RuntimeError, labels};
use event_model::{Container, ContainerId, Pod, Timestamp};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use v1::runtime_service_client::RuntimeServiceClient;

/// Code generated from `proto/cri.proto`.
#[allow(clippy::all, clippy::pedantic, missing_docs)]
mod v1 {
    tonic::include_proto!("runtime.v1");
}

/// HTTP/2 wants an authority, and refuses the path of a socket as one.
const AUTHORITY: &str = "http://localhost";

/// A list of all containers of a crowded node is some hundred kilobytes.
const MAXIMUM_ANSWER_BYTES: usize = 16 << 20;

/// A runtime that answered.
#[derive(Clone)]
pub(super) struct Cri {
    client: RuntimeServiceClient<Channel>,
    runtime: Arc<str>,
}

impl Cri {
    /// Connects, and asks the runtime who it is.
    pub async fn connect(socket: PathBuf, timeout: Duration) -> Result<Self, RuntimeError> {
        let socket = Arc::new(socket);
        let connector = tower::service_fn(move |_| {
            let socket = Arc::clone(&socket);
            async move { UnixStream::connect(&*socket).await.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static(AUTHORITY)
            .timeout(timeout)
            .connect_with_connector(connector)
            .await
            .map_err(|error| RuntimeError::Connect(std::io::Error::other(deepest(&error))))?;
        let client =
            RuntimeServiceClient::new(channel).max_decoding_message_size(MAXIMUM_ANSWER_BYTES);
        let mut cri = Self { client, runtime: Arc::from("") };
        cri.runtime = cri.version().await?.into();
        Ok(cri)
    }

    pub fn runtime(&self) -> &str {
        &self.runtime
    }

    /// The name of the runtime, such as `containerd` or `cri-o`.
    pub async fn version(&self) -> Result<String, RuntimeError> {
        let request = v1::VersionRequest { version: "v1".to_owned() };
        let answer = self.client.clone().version(request).await.map_err(refused)?;
        Ok(answer.into_inner().runtime_name)
    }

    /// The ids of the containers and sandboxes that run.
    pub async fn running(&self) -> Result<Vec<ContainerId>, RuntimeError> {
        let state = v1::ContainerStateValue { state: v1::ContainerState::ContainerRunning.into() };
        let filter = v1::ContainerFilter { state: Some(state), ..v1::ContainerFilter::default() };
        let containers = self.containers(filter).await?.into_iter().map(|found| found.id);
        let state = v1::PodSandboxStateValue { state: v1::PodSandboxState::SandboxReady.into() };
        let filter = v1::PodSandboxFilter { state: Some(state), ..v1::PodSandboxFilter::default() };
        let sandboxes = self.sandboxes(filter).await?.into_iter().map(|found| found.id);
        Ok(containers.chain(sandboxes).map(|id| ContainerId::from(id.as_str())).collect())
    }

    /// All that the runtime knows of a container, or of a pod's sandbox.
    pub async fn find(&self, id: &ContainerId) -> Result<Option<Container>, RuntimeError> {
        let request = v1::ContainerStatusRequest { container_id: id.to_string(), verbose: true };
        let answer = match self.client.clone().container_status(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == Code::NotFound => return self.find_sandbox(id).await,
            Err(status) => return Err(refused(status)),
        };
        let Some(status) = answer.status else { return Ok(None) };
        let extra = Extra::read(&answer.info);
        let mut container = self.describe(id, status);
        container.privileged = extra.privileged();
        container.mounts = extra.runtime_spec.map(|spec| mounts::of_runtime(spec.mounts));
        let sandbox_id = match extra.sandbox_id {
            None => self.sandbox_id_of(id).await?,
            told => told,
        };
        if let Some(sandbox_id) = sandbox_id
            && let Some(sandbox) = self.sandbox(sandbox_id).await?
        {
            container.pod = Some(describe_pod(sandbox));
        }
        Ok(Some(container))
    }

    fn describe(&self, id: &ContainerId, status: v1::ContainerStatus) -> Container {
        let labels = labels::bounded(status.labels);
        let name = status.metadata.map(|metadata| metadata.name);
        Container {
            id: id.clone(),
            runtime: Some(self.runtime().to_owned()),
            name: name.filter(|name| !name.is_empty()).or_else(|| labels::container_name(&labels)),
            image: status.image.and_then(image_asked_for),
            image_digest: digest(&status.image_ref),
            pod: labels::pod(&labels),
            labels,
            created_at: u64::try_from(status.created_at).ok().map(Timestamp),
            ..Container::default()
        }
    }

    /// The sandbox that a container lies in, where the runtime did not tell it beside the status.
    async fn sandbox_id_of(&self, id: &ContainerId) -> Result<Option<String>, RuntimeError> {
        let filter = v1::ContainerFilter { id: id.to_string(), ..Default::default() };
        let found = self.containers(filter).await?;
        Ok(found.into_iter().next().map(|container| container.pod_sandbox_id))
    }

    async fn find_sandbox(&self, id: &ContainerId) -> Result<Option<Container>, RuntimeError> {
        let Some(sandbox) = self.sandbox(id.to_string()).await? else { return Ok(None) };
        Ok(Some(Container {
            id: id.clone(),
            runtime: Some(self.runtime().to_owned()),
            labels: labels::bounded(sandbox.labels.clone()),
            created_at: u64::try_from(sandbox.created_at).ok().map(Timestamp),
            pod: Some(describe_pod(sandbox)),
            ..Container::default()
        }))
    }

    async fn sandbox(&self, id: String) -> Result<Option<v1::PodSandbox>, RuntimeError> {
        let filter = v1::PodSandboxFilter { id, state: None };
        Ok(self.sandboxes(filter).await?.into_iter().next())
    }

    async fn sandboxes(
        &self,
        filter: v1::PodSandboxFilter,
    ) -> Result<Vec<v1::PodSandbox>, RuntimeError> {
        let request = v1::ListPodSandboxRequest { filter: Some(filter) };
        let answer = self.client.clone().list_pod_sandbox(request).await.map_err(refused)?;
        Ok(answer.into_inner().items)
    }

    async fn containers(
        &self,
        filter: v1::ContainerFilter,
    ) -> Result<Vec<v1::Container>, RuntimeError> {
        let request = v1::ListContainersRequest { filter: Some(filter) };
        let answer = self.client.clone().list_containers(request).await.map_err(refused)?;
        Ok(answer.into_inner().containers)
    }
}

fn describe_pod(sandbox: v1::PodSandbox) -> Pod {
    let metadata = sandbox.metadata.unwrap_or_default();
    Pod {
        uid: metadata.uid,
        name: Some(metadata.name),
        namespace: Some(metadata.namespace),
        labels: labels::of_pod(sandbox.labels),
        service_account: None,
    }
}

/// The image as its user wrote it, where the runtime kept that.
fn image_asked_for(image: v1::ImageSpec) -> Option<String> {
    [image.user_specified_image, image.image].into_iter().find(|image| !image.is_empty())
}

/// The digest in `docker.io/library/nginx@sha256:…`; an image that came from no registry has none.
fn digest(image_ref: &str) -> Option<String> {
    image_ref.rsplit_once('@').map(|(_, digest)| digest.to_owned())
}

/// What containerd and CRI-O tell beyond the specification, under the key `info`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Extra {
    #[serde(rename = "sandboxID")]
    sandbox_id: Option<String>,
    /// CRI-O.
    privileged: Option<bool>,
    /// containerd: the container's configuration as kubelet sent it.
    config: ExtraConfig,
    /// As the runtime below was told.
    #[serde(rename = "runtimeSpec")]
    runtime_spec: Option<RuntimeSpec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RuntimeSpec {
    mounts: Vec<RuntimeMount>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExtraConfig {
    linux: ExtraLinux,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExtraLinux {
    security_context: Option<SecurityContext>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SecurityContext {
    privileged: bool,
}

impl Extra {
    fn read(info: &HashMap<String, String>) -> Self {
        let Some(json) = info.get("info") else { return Self::default() };
        serde_json::from_str(json)
            .inspect_err(|error| tracing::debug!(%error, "a runtime's extra words are unreadable"))
            .unwrap_or_default()
    }

    fn privileged(&self) -> Option<bool> {
        let of_containerd = self.config.linux.security_context.as_ref();
        self.privileged.or_else(|| of_containerd.map(|context| context.privileged))
    }
}

/// Takes the status by value, as `map_err` hands it over.
#[allow(clippy::needless_pass_by_value)]
fn refused(status: Status) -> RuntimeError {
    match status.code() {
        Code::Unimplemented => RuntimeError::Answer(
            "the runtime does not serve runtime.v1.RuntimeService; containerd from 1.6 and CRI-O from 1.20 do, \
             where the cri plugin is not disabled"
                .to_owned(),
        ),
        Code::DeadlineExceeded | Code::Cancelled => RuntimeError::TimedOut,
        Code::Unavailable => RuntimeError::Connect(std::io::Error::other(deepest(&status))),
        code => RuntimeError::Answer(format!("{code}: {}", status.message())),
    }
}

/// The innermost cause: the outer ones of a channel say "transport error" alone.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_runtimes_extra_words_are_read() {
        let containerd = r#"{"sandboxID":"5a","pid":7,"config":{"linux":{"security_context":{"privileged":true}}},"runtimeSpec":{"x":[1],"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/host","source":"/","options":["rbind","ro","rslave"]}]}}"#;
        let crio = r#"{"sandboxID":"5b","pid":7,"privileged":false}"#;
        let read = |json: &str| Extra::read(&HashMap::from([("info".to_owned(), json.to_owned())]));
        assert_eq!(read(containerd).privileged(), Some(true));
        assert_eq!(read(containerd).sandbox_id.as_deref(), Some("5a"));
        let mounts =
            mounts::of_runtime(read(containerd).runtime_spec.expect("a specification").mounts);
        assert_eq!((&*mounts[0].destination, mounts[0].writable), ("/proc", true));
        assert_eq!(
            (&*mounts[1].source, mounts[1].writable, &*mounts[1].propagation),
            ("/", false, "rslave")
        );
        assert_eq!(read(crio).privileged(), Some(false));
        assert_eq!(read("{\"sandboxID\": 3}").privileged(), None);
        assert_eq!(Extra::read(&HashMap::new()).sandbox_id, None);
    }

    #[test]
    fn a_digest_is_a_registrys() {
        assert_eq!(digest("docker.io/library/nginx@sha256:ab").as_deref(), Some("sha256:ab"));
        assert_eq!(digest("sha256:ab"), None);
    }
}
