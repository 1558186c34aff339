//! What only the runtimes know of containers: names, images, pods, labels.
//!
//! A task for each socket keeps a connection and lists what runs whenever it gets
//! one, so that a runtime may appear late or restart. Questions about single containers are
//! answered beside them, few at a time. Nobody waits for an answer: it completes an entity that was sent before.

mod cri;
mod docker;
mod labels;
mod mounts;
#[cfg(test)]
mod tests;
mod unix_http;

use cri::Cri;
use docker::Docker;
use event_model::{Container, ContainerId};
use futures::StreamExt;
use metrics::counter;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Questions that wait; more are refused and asked again later.
const MAXIMUM_QUESTIONS: usize = 512;
/// Findings that wait to be taken.
const MAXIMUM_FINDINGS: usize = 256;
/// Questions under way at a time.
const CONCURRENT_QUESTIONS: usize = 16;
/// A runtime that creates a container answers once that is done.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses before each attempt: a runtime may know a sandbox only once it runs.
const ATTEMPTS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(800),
];
/// How often a socket that is absent is looked for, and a quiet runtime asked whether it lives.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Pauses between attempts to connect grow from the first to the second.
const RECONNECT_PAUSES: (Duration, Duration) =
    (Duration::from_millis(500), Duration::from_secs(30));

/// What a runtime told.
#[derive(Debug)]
pub enum Finding {
    /// A part of what there is to know. The container may not have begun yet.
    Partial(Box<Container>),
    /// All that the runtime knows.
    Whole(Box<Container>),
    /// No runtime that could be asked knows it, for now.
    Nothing(ContainerId),
}

/// Why a runtime did not tell.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum RuntimeError {
    #[error("cannot connect: {0}")]
    Connect(#[source] std::io::Error),
    #[error("no answer within {REQUEST_TIMEOUT:?}")]
    TimedOut,
    #[error("{0}")]
    Answer(String),
}

/// Where runtimes listen: full paths.
#[derive(Clone, Debug, Default)]
pub struct RuntimeSockets {
    /// Sockets of the Kubernetes container runtime interface.
    pub cri: Vec<PathBuf>,
    /// Sockets of the Docker Engine API.
    pub docker: Vec<PathBuf>,
}

/// Answers questions about containers.
#[derive(Clone)]
pub struct Metadata {
    questions: mpsc::Sender<Question>,
    sockets: Arc<[Arc<Socket>]>,
}

struct Question {
    id: ContainerId,
    /// The runtime that the cgroup's path told.
    runtime: Option<String>,
}

impl Metadata {
    /// Starts to talk with the runtimes. The future does the work until `shutdown`;
    /// what it finds comes out of the receiver.
    pub fn start(
        paths: RuntimeSockets,
        shutdown: CancellationToken,
    ) -> (Self, mpsc::Receiver<Finding>, impl Future<Output = ()> + Send) {
        let (questions, asked) = mpsc::channel(MAXIMUM_QUESTIONS);
        let (findings, found) = mpsc::channel(MAXIMUM_FINDINGS);
        let docker = paths.docker.into_iter().map(|path| Socket::new(path, Interface::Docker));
        let cri = paths.cri.into_iter().map(|path| Socket::new(path, Interface::Cri));
        let sockets: Arc<[_]> = docker.chain(cri).map(Arc::new).collect();
        let work = work(Arc::clone(&sockets), asked, findings);
        let work = async move {
            let _: Option<()> = shutdown.run_until_cancelled(work).await;
        };
        (Self { questions, sockets }, found, work)
    }

    /// Asks for all that is to be known of a container; false where too many questions wait.
    pub fn ask(&self, container: &Container) -> bool {
        let question = Question { id: container.id.clone(), runtime: container.runtime.clone() };
        self.questions.try_send(question).is_ok()
    }

    /// The sockets that exist and do not answer, in words.
    pub fn problems(&self) -> Vec<String> {
        self.sockets.iter().filter_map(|socket| socket.problem()).collect()
    }
}

async fn work(
    sockets: Arc<[Arc<Socket>]>,
    questions: mpsc::Receiver<Question>,
    findings: mpsc::Sender<Finding>,
) {
    let attended = sockets.iter().map(|socket| Arc::clone(socket).attend(findings.clone()));
    let attended = futures::future::join_all(attended.collect::<Vec<_>>());
    let answered = ReceiverStream::new(questions)
        .map(|question| answer(Arc::clone(&sockets), question, findings.clone()))
        .buffer_unordered(CONCURRENT_QUESTIONS)
        .collect::<()>();
    tokio::join!(attended, answered);
}

/// Asks the runtimes a few times, with growing pauses.
async fn answer(sockets: Arc<[Arc<Socket>]>, question: Question, findings: mpsc::Sender<Finding>) {
    for pause in ATTEMPTS {
        sleep(pause).await;
        let clients: Vec<_> =
            sockets.iter().filter_map(|socket| socket.client_for(&question)).collect();
        if clients.is_empty() {
            break;
        }
        for (socket, client) in clients {
            if let Some(container) = socket.find(client, &question.id).await {
                let _ = findings.send(Finding::Whole(Box::new(container))).await;
                return;
            }
        }
    }
    let _ = findings.send(Finding::Nothing(question.id)).await;
}

/// The protocol that is spoken on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interface {
    Docker,
    Cri,
}

impl Interface {
    /// The value of the `runtime` label in metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Cri => "cri",
        }
    }

    /// Whether a container of that runtime can be known here.
    fn serves(self, runtime: Option<&str>) -> bool {
        match runtime {
            Some("docker" | "podman") => self == Self::Docker,
            Some(_) => self == Self::Cri,
            None => true,
        }
    }
}

/// A runtime's socket, and how the talk on it stands.
struct Socket {
    path: PathBuf,
    interface: Interface,
    state: Mutex<SocketState>,
}

#[derive(Default)]
struct SocketState {
    client: Option<Client>,
    problem: Option<String>,
}

#[derive(Clone)]
enum Client {
    Docker(Docker),
    Cri(Cri),
}

impl Socket {
    fn new(path: PathBuf, interface: Interface) -> Self {
        Self { path, interface, state: Mutex::default() }
    }

    fn problem(&self) -> Option<String> {
        let problem = self.state().problem.clone()?;
        Some(format!("container runtime at {}: {problem}", self.path.display()))
    }

    /// The client to ask a question, where there is one.
    fn client_for(self: &Arc<Self>, question: &Question) -> Option<(Arc<Self>, Client)> {
        let serves = self.interface.serves(question.runtime.as_deref());
        let client = serves.then(|| self.state().client.clone()).flatten()?;
        Some((Arc::clone(self), client))
    }

    /// Keeps a connection for ever.
    async fn attend(self: Arc<Self>, findings: mpsc::Sender<Finding>) {
        let (shortest, longest) = RECONNECT_PAUSES;
        let mut pause = shortest;
        loop {
            if !tokio::fs::try_exists(&self.path).await.unwrap_or(false) {
                self.state().problem = None;
                sleep(CHECK_EVERY).await;
                continue;
            }
            let outcome = self.converse(&findings).await;
            let was_connected = self.state().client.take().is_some();
            pause = if was_connected { shortest } else { (pause * 2).min(longest) };
            if let Err(error) = outcome {
                self.note_problem(&error);
            }
            sleep(pause).await;
        }
    }

    /// Connects, tells what runs, and stays until the runtime is gone.
    async fn converse(&self, findings: &mpsc::Sender<Finding>) -> Result<(), RuntimeError> {
        match self.interface {
            Interface::Docker => {
                let docker = within(Docker::connect(self.path.clone())).await?;
                let creations = within(docker.creations()).await?;
                let client = Client::Docker(docker.clone());
                self.note_connected(client.clone(), docker.runtime());
                let ids = within(docker.running()).await?;
                tokio::try_join!(creations.follow(findings), self.tell(client, ids, findings))?;
            }
            Interface::Cri => {
                let cri = within(Cri::connect(self.path.clone(), REQUEST_TIMEOUT)).await?;
                let client = Client::Cri(cri.clone());
                self.note_connected(client.clone(), cri.runtime());
                let ids = within(cri.running()).await?;
                self.tell(client, ids, findings).await?;
                loop {
                    sleep(CHECK_EVERY).await;
                    within(cri.version()).await?;
                }
            }
        }
        Ok(())
    }

    /// Tells of each container that runs.
    async fn tell(
        &self,
        client: Client,
        ids: Vec<ContainerId>,
        findings: &mpsc::Sender<Finding>,
    ) -> Result<(), RuntimeError> {
        for id in ids {
            if let Some(container) = self.find(client.clone(), &id).await {
                let _ = findings.send(Finding::Whole(Box::new(container))).await;
            }
        }
        Ok(())
    }

    async fn find(&self, client: Client, id: &ContainerId) -> Option<Container> {
        let found = match client {
            Client::Docker(docker) => within(docker.find(id)).await,
            Client::Cri(cri) => within(cri.find(id)).await,
        };
        let outcome = match &found {
            Ok(Some(_)) => "found",
            Ok(None) => "not_found",
            Err(RuntimeError::TimedOut) => "timed_out",
            Err(_) => "failed",
        };
        counter!("defender_container_metadata_requests_total", "runtime" => self.interface.name(), "outcome" => outcome)
            .increment(1);
        found
            .inspect_err(|error| tracing::debug!(container = %id, %error, "no metadata"))
            .ok()
            .flatten()
    }

    fn note_connected(&self, client: Client, runtime: &str) {
        tracing::info!(socket = %self.path.display(), runtime, "connected to a container runtime");
        *self.state() = SocketState { client: Some(client), problem: None };
    }

    /// Warns once of each problem; it stands in the sensor's status as long as it lasts.
    fn note_problem(&self, error: &RuntimeError) {
        let problem = error.to_string();
        let mut state = self.state();
        if state.problem.as_ref() != Some(&problem) {
            tracing::warn!(socket = %self.path.display(), problem, "no talk with the container runtime");
            state.problem = Some(problem);
        }
    }

    fn state(&self) -> MutexGuard<'_, SocketState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn within<T>(
    request: impl Future<Output = Result<T, RuntimeError>>,
) -> Result<T, RuntimeError> {
    timeout(REQUEST_TIMEOUT, request).await.unwrap_or(Err(RuntimeError::TimedOut))
}
