//! Where publishers connect: TLS with a client certificate or, where tokens are configured, a bearer token; then one
//! stream of envelopes a publisher. Where enrolment is on, who has no certificate yet may connect too, and ask for one.
//!
//! A connection passes, in this order, through `listener` (limits, handshake, who is it),
//! `service` (how many streams a node may have), and a `session`, which greets, decodes, hands
//! batches to the store, and acknowledges what became durable. A peer can cost no more than its
//! bounds here: connections, streams, the size of a message, unacknowledged bytes (credit), time.

mod config;
mod decode;
mod greeting;
mod identity;
mod idleness;
mod listener;
mod rejection;
mod service;
mod session;
mod tokens;

pub use config::IngestConfig;
pub use identity::{CertificateName, Credential, IdentityError, read as credential_of};
pub(crate) use identity::{is_node_name, valid as is_name};
pub(crate) use listener::Peer;
pub use tokens::{TokensError, holders};

use crate::enrolment::{Enrolment, EnrolmentService};
use crate::store::Intake;
use anyhow::Context;
use arc_swap::ArcSwap;
use listener::Listener;
use proto::wire::ingest_server::IngestServer;
use server_credentials::{Renewal, TlsError, TlsFiles};
use service::IngestService;
use service_runtime::Part;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokens::Tokens;
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Server;

/// A peer that does not answer a ping within the time-out after it is gone.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes a stream, and a connection, may have under way before the backend reads them.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;
/// Requests of one connection at a time.
const STREAMS_A_CONNECTION: u32 = 4;
/// The greeting's headers are a few hundred bytes.
const LARGEST_HEADERS: u32 = 16 << 10;
/// What a message has around its payload, generously.
const FRAME_BYTES: usize = 64 << 10;

/// The ingest server, bound to its address.
pub struct Ingest {
    listener: Listener,
    renewal: Renewal,
    tls: Arc<ArcSwap<rustls::ServerConfig>>,
    service: IngestService,
    tokens: Option<Arc<Tokens>>,
    enrolment: Option<Arc<Enrolment>>,
    largest_message: usize,
    sessions: TaskTracker,
    shutdown: CancellationToken,
}

impl Ingest {
    /// Reads the certificates and binds the address.
    pub async fn bind(
        config: &IngestConfig,
        intake: Intake,
        enrolment: Option<Arc<Enrolment>>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let issuer = enrolment.as_ref().map(|enrolment| enrolment.authority());
        let files = TlsFiles { enrolment_authority: issuer, ..config.tls_files() };
        let (tls, renewal) = Renewal::begin(files)
            .map_err(|error: TlsError| anyhow::anyhow!(error))
            .context("ingest: no TLS, see ingest.certificate_file, key_file and client_ca_file")?;
        let tls = Arc::new(ArcSwap::new(tls));
        let tokens = config.takes_tokens().then(|| Tokens::read(&config.tokens_file));
        let tokens = tokens.transpose()?.map(Arc::new);
        let tcp = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("ingest: cannot listen on {}", config.listen))?;
        let sessions = TaskTracker::new();
        let largest_envelope = usize::try_from(config.maximum_envelope_bytes.get())?;
        let limits = session::Limits::for_envelopes_of(largest_envelope);
        let service = IngestService::new(
            intake,
            enrolment.clone(),
            tokens.clone(),
            renewal.clients(),
            limits,
            sessions.clone(),
            shutdown.clone(),
        );
        Ok(Self {
            listener: Listener::new(
                tcp,
                Arc::clone(&tls),
                config.maximum_connections,
                config.maximum_strangers(),
            ),
            renewal,
            tls,
            service,
            tokens,
            enrolment,
            // Up to twice the limit an envelope is refused by name; beyond, the stream ends.
            largest_message: 2 * largest_envelope + FRAME_BYTES,
            sessions,
            shutdown,
        })
    }

    /// The address it is bound to.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.address()
    }

    /// Serves until shutdown; then lets sessions acknowledge what they handed over.
    pub async fn serve(self, part: Part) -> anyhow::Result<()> {
        let (connections, accepted) = tokio::sync::mpsc::channel(64);
        let accepting = self.listener.run(connections, self.shutdown.clone());
        let tls = self.tls;
        let renewing = self.renewal.follow(self.shutdown.clone(), move |config| tls.store(config));
        let tokens = self.tokens;
        let following = async {
            if let Some(tokens) = tokens {
                tokens.follow(self.shutdown.clone()).await;
            }
        };
        let service =
            IngestServer::new(self.service).max_decoding_message_size(self.largest_message);
        let serving = Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(STREAMS_A_CONNECTION)
            .http2_max_header_list_size(LARGEST_HEADERS)
            .add_service(service)
            .add_optional_service(self.enrolment.map(EnrolmentService::server))
            .serve_with_incoming_shutdown(
                ReceiverStream::new(accepted),
                self.shutdown.clone().cancelled_owned(),
            );
        part.ready();
        let ((), (), (), served) = tokio::join!(accepting, renewing, following, serving);
        self.sessions.close();
        self.sessions.wait().await;
        served.context("ingest: the server failed")
    }
}
