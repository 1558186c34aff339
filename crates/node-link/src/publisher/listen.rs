use super::peer::{Gate, PeerConnection};
use super::receiver::Receiver;
use super::service::{FRAME_OVERHEAD, Limits, NodeService};
use super::socket::{self, SocketError, SocketFile};
use futures::Stream;
use proto::wire::node_server::NodeServer;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Server;

/// How long envelopes under way may still become durable once the program is to end.
const DRAIN: Duration = Duration::from_secs(5);

/// A collector that answers no ping for as long is cut off.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Bytes of a connection that HTTP/2 may hold unread; beyond it the collector waits.
const WINDOW_BYTES: u32 = 256 << 10;

const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Who may connect where, and with how much.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// Path of the Unix socket.
    pub socket: PathBuf,
    /// Users that may send records.
    pub allowed_uids: Vec<u32>,
    /// Groups whose members' processes (by their effective group) may send records.
    pub allowed_gids: Vec<u32>,
    /// Collectors connected at once.
    pub maximum_connections: usize,
    /// The largest payload of an envelope, in bytes.
    pub maximum_envelope_bytes: usize,
    /// Bytes of payload that one connection may have under way. At least 8/7 of `maximum_envelope_bytes`,
    /// since collectors keep an eighth for alerts.
    pub credit_bytes: u64,
    /// Bytes a second that one connection may send; what comes faster is read later.
    pub bytes_per_second: u64,
    /// Collectors of one user connected at once.
    pub maximum_connections_per_uid: usize,
    /// Cgroups that collectors must run in, or below; any where this is empty.
    pub allowed_cgroups: Vec<PathBuf>,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            socket: "/run/defender/publisher.sock".into(),
            allowed_uids: vec![0, 65532],
            allowed_gids: Vec::new(),
            maximum_connections: 8,
            maximum_envelope_bytes: 1 << 20,
            credit_bytes: 2 << 20,
            bytes_per_second: 32 << 20,
            maximum_connections_per_uid: 4,
            allowed_cgroups: Vec::new(),
        }
    }
}

/// Why collectors can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket could not be made.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The server ended.
    #[error("serving the collectors' socket: {0}")]
    Server(#[from] tonic::transport::Error),
}

/// A bound socket that nobody is served on yet.
pub struct Listener {
    config: ListenConfig,
    socket: UnixListener,
    file: SocketFile,
}

/// Binds the socket and serves collectors until `shutdown`.
pub async fn serve<R: Receiver>(
    config: ListenConfig,
    receiver: Arc<R>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    Listener::bind(config).await?.serve(receiver, shutdown).await
}

impl Listener {
    /// Binds the socket (mode 0660), making its directory (0750) where it is missing. A stale socket of this
    /// user is replaced; a symbolic link, a file or another user's socket at the path is an error.
    pub async fn bind(config: ListenConfig) -> Result<Self, SocketError> {
        let (socket, file) = socket::bind(&config.socket).await?;
        Ok(Self { config, socket, file })
    }

    /// Serves collectors until `shutdown`; then what is under way may still become durable and be acknowledged,
    /// for at most five seconds. Removes the socket at the end.
    pub async fn serve<R: Receiver>(
        self,
        receiver: Arc<R>,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let conversations = TaskTracker::new();
        let service = NodeService {
            receiver,
            limits: self.limits(),
            shutdown: shutdown.clone(),
            conversations: conversations.clone(),
        };
        let gate = Gate::new(&self.config);
        let maximum_message = self.config.maximum_envelope_bytes + FRAME_OVERHEAD;
        let server = Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_concurrent_streams(1)
            .add_service(NodeServer::new(service).max_decoding_message_size(maximum_message))
            .serve_with_incoming_shutdown(
                incoming(self.socket, gate),
                shutdown.clone().cancelled_owned(),
            );
        let outcome = tokio::select! {
            outcome = server => outcome,
            () = drain_is_over(&shutdown) => Ok(()),
        };
        conversations.close();
        drop(self.file);
        Ok(outcome?)
    }

    fn limits(&self) -> Limits {
        Limits {
            maximum_envelope_bytes: self.config.maximum_envelope_bytes,
            credit_bytes: self.config.credit_bytes,
            bytes_per_second: self.config.bytes_per_second,
        }
    }
}

async fn drain_is_over(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(DRAIN).await;
}

/// Connections that passed the gate. A failed accept (no descriptors left) is waited out: it ends no server.
fn incoming(
    socket: UnixListener,
    gate: Gate,
) -> impl Stream<Item = Result<PeerConnection, io::Error>> {
    futures::stream::unfold((socket, gate), |(socket, gate)| async move {
        loop {
            match socket.accept().await {
                Ok((stream, _)) => {
                    if let Some(connection) = gate.judge(stream) {
                        return Some((Ok(connection), (socket, gate)));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to the collectors' socket could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}
