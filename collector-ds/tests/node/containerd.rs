//! A containerd of our own, driven over its Kubernetes interface as kubelet drives it.

use crate::docker::{IMAGE, docker, image};
use crate::expect::wait_for;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};

/// The daemon. Its containers outlive it until [`Sandbox`] ends them.
pub struct Containerd {
    folder: TempDir,
    daemon: Child,
}

impl Containerd {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join("config.toml"), configuration(folder.path()))
            .expect("the configuration");
        let daemon = spawn(folder.path());
        let containerd = Self { folder, daemon };
        containerd.wait_until_it_answers();
        containerd.import_image();
        containerd
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("containerd.sock")
    }

    /// The daemon ends and another comes; containers run on.
    pub fn restart(&mut self) {
        self.stop();
        self.daemon = spawn(self.folder.path());
        self.wait_until_it_answers();
    }

    fn stop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.daemon.id()).expect("an id"));
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.daemon.wait();
    }

    fn wait_until_it_answers(&self) {
        let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let answers = || {
            let client =
                self.socket().exists().then(|| Client::connect(&self.socket())).flatten()?;
            let listed: Result<Empty, _> = client.try_call("ListPodSandbox", Empty {});
            listed.ok()
        };
        wait_for("containerd", answers, log);
    }

    fn import_image(&self) {
        let archive = self.folder.path().join("image.tar");
        let archive = archive.to_str().expect("a plain path");
        docker(&["save", "--output", archive, image()]);
        assert!(self.ctr(&["--namespace=k8s.io", "images", "import", archive]), "importing");
    }

    fn ctr(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.socket()).args(arguments);
        let output = command.stdin(Stdio::null()).output();
        output.expect("ctr is needed: install Debian's package containerd").status.success()
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(folder: &Path) -> Child {
    let log = File::create(folder.join("log")).expect("a log");
    Command::new("containerd")
        .arg("--config")
        .arg(folder.join("config.toml"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .process_group(0)
        .spawn()
        .expect("containerd is needed: install Debian's package containerd")
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    // Lowering oom_score_adj needs CAP_SYS_RESOURCE, which not every machine grants.
    format!(
        r#"version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
address = "{folder}/containerd.sock"
[ttrpc]
address = "{folder}/containerd.sock.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/{IMAGE}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
"#
    )
}

/// A pod with one container, as kubelet makes them. Both end when it is dropped.
pub struct Sandbox {
    client: Client,
    pub id: String,
    pub container: String,
}

/// What kubelet calls a pod and its container.
pub struct PodNames {
    pub uid: String,
    pub name: String,
    pub namespace: String,
    pub container: String,
}

impl Sandbox {
    /// Runs `command` in a container of a pod with the label `app=shop`.
    pub fn run(socket: &Path, pod: &PodNames, command: &[&str]) -> Self {
        let client = Client::connect(socket).expect("containerd listens");
        let config = sandbox_config(pod);
        let request = RunPodSandboxRequest { config: Some(config.clone()) };
        let PodSandboxId { id } = client.call("RunPodSandbox", request);
        let request = CreateContainerRequest {
            pod_sandbox_id: id.clone(),
            config: Some(container_config(pod, command)),
            sandbox_config: Some(config),
        };
        let ContainerIdMessage { id: container } = client.call("CreateContainer", request);
        let sandbox = Self { client, id, container };
        sandbox.start_container();
        sandbox
    }

    fn start_container(&self) {
        let request = ContainerIdMessage { id: self.container.clone() };
        let Empty {} = self.client.call("StartContainer", request);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for method in ["StopPodSandbox", "RemovePodSandbox"] {
            let request = PodSandboxId { id: self.id.clone() };
            let _: Result<Empty, _> = self.client.try_call(method, request);
        }
    }
}

fn kubelet_labels(pod: &PodNames) -> HashMap<String, String> {
    let label = |key: &str, value: &str| (format!("io.kubernetes.{key}"), value.to_owned());
    HashMap::from([
        label("pod.name", &pod.name),
        label("pod.namespace", &pod.namespace),
        label("pod.uid", &pod.uid),
    ])
}

fn sandbox_config(pod: &PodNames) -> PodSandboxConfig {
    let mut labels = kubelet_labels(pod);
    labels.insert("app".to_owned(), "shop".to_owned());
    let host_network = NamespaceOption { network: 2, pid: 1 };
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            namespace: pod.namespace.clone(),
        }),
        labels,
        linux: Some(LinuxPodSandboxConfig {
            cgroup_parent: format!("/kubepods/burstable/pod{}", pod.uid),
            security_context: Some(SandboxSecurityContext {
                namespace_options: Some(host_network),
            }),
        }),
    }
}

fn container_config(pod: &PodNames, command: &[&str]) -> ContainerConfig {
    let mut labels = kubelet_labels(pod);
    labels.insert("io.kubernetes.container.name".to_owned(), pod.container.clone());
    let host_network = NamespaceOption { network: 2, pid: 1 };
    ContainerConfig {
        metadata: Some(ContainerMetadata { name: pod.container.clone() }),
        image: Some(ImageSpec { image: format!("docker.io/{IMAGE}") }),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        labels,
        linux: Some(LinuxContainerConfig {
            security_context: Some(ContainerSecurityContext {
                namespace_options: Some(host_network),
            }),
        }),
    }
}

/// A client of `runtime.v1.RuntimeService` for the calls that only kubelet makes.
struct Client {
    runtime: tokio::runtime::Runtime,
    channel: Channel,
}

impl Client {
    fn connect(socket: &Path) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let socket = socket.to_owned();
        let connector = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = runtime.block_on(endpoint.connect_with_connector(connector)).ok()?;
        Some(Self { runtime, channel })
    }

    fn call<Q, A>(&self, method: &str, request: Q) -> A
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        self.try_call(method, request).unwrap_or_else(|status| panic!("{method}: {status}"))
    }

    fn try_call<Q, A>(&self, method: &str, request: Q) -> Result<A, tonic::Status>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let path = format!("/runtime.v1.RuntimeService/{method}").parse().expect("a path");
        self.runtime.block_on(async {
            let mut grpc = Grpc::new(self.channel.clone());
            grpc.ready().await.map_err(|error| tonic::Status::unavailable(error.to_string()))?;
            let codec = tonic_prost::ProstCodec::<Q, A>::default();
            let answer = grpc.unary(tonic::Request::new(request), path, codec).await;
            answer.map(tonic::Response::into_inner)
        })
    }
}

// The messages, cut down to what is used here; numbers are those of k8s.io/cri-api's api.proto.

#[derive(Clone, PartialEq, prost::Message)]
struct Empty {}

/// Also the requests of StopPodSandbox and RemovePodSandbox.
#[derive(Clone, PartialEq, prost::Message)]
struct PodSandboxId {
    #[prost(string, tag = "1")]
    id: String,
}

/// Also the request of StartContainer.
#[derive(Clone, PartialEq, prost::Message)]
struct ContainerIdMessage {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RunPodSandboxRequest {
    #[prost(message, tag = "1")]
    config: Option<PodSandboxConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PodSandboxConfig {
    #[prost(message, tag = "1")]
    metadata: Option<PodSandboxMetadata>,
    #[prost(map = "string, string", tag = "6")]
    labels: HashMap<String, String>,
    #[prost(message, tag = "8")]
    linux: Option<LinuxPodSandboxConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PodSandboxMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LinuxPodSandboxConfig {
    #[prost(string, tag = "1")]
    cgroup_parent: String,
    #[prost(message, tag = "2")]
    security_context: Option<SandboxSecurityContext>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SandboxSecurityContext {
    #[prost(message, tag = "1")]
    namespace_options: Option<NamespaceOption>,
}

/// Of enum NamespaceMode: 1 is the container's own, 2 the node's.
#[derive(Clone, PartialEq, prost::Message)]
struct NamespaceOption {
    #[prost(int32, tag = "1")]
    network: i32,
    #[prost(int32, tag = "2")]
    pid: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CreateContainerRequest {
    #[prost(string, tag = "1")]
    pod_sandbox_id: String,
    #[prost(message, tag = "2")]
    config: Option<ContainerConfig>,
    #[prost(message, tag = "3")]
    sandbox_config: Option<PodSandboxConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerConfig {
    #[prost(message, tag = "1")]
    metadata: Option<ContainerMetadata>,
    #[prost(message, tag = "2")]
    image: Option<ImageSpec>,
    #[prost(string, repeated, tag = "3")]
    command: Vec<String>,
    #[prost(map = "string, string", tag = "9")]
    labels: HashMap<String, String>,
    #[prost(message, tag = "15")]
    linux: Option<LinuxContainerConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerMetadata {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ImageSpec {
    #[prost(string, tag = "1")]
    image: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LinuxContainerConfig {
    #[prost(message, tag = "2")]
    security_context: Option<ContainerSecurityContext>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerSecurityContext {
    #[prost(message, tag = "3")]
    namespace_options: Option<NamespaceOption>,
}
