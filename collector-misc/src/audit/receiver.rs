//! Where API servers connect.

use super::body::Bodies;
use super::config::AuditConfig;
use super::credentials::{Credentials, Following};
use super::intake::Intake;
use super::metrics::{self, Connected};
use super::places::{Place, Places};
use super::refusal::Refusal;
use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls_pki_types::CertificateDer;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where events are sent to.
const PATH: &str = "/audit";
/// From the first byte to the last of a handshake.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long a connection may rest between requests, and how long the head of one may take. API servers send a batch at least
/// every 30 seconds while there is something to tell (`--audit-webhook-batch-max-wait`).
const HEAD_DEADLINE: Duration = Duration::from_secs(40);
/// Room for what is read of a connection and not taken yet.
const BUFFER_BYTES: usize = 64 << 10;
/// How long to wait after a connection could not be accepted, as when descriptors ran out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
/// How long the rest of a refused body is read, so that its sender sees the answer and not a broken connection.
const DISCARD_FOR: Duration = Duration::from_secs(2);
/// From the head of a request to its answer, where only the publisher's acknowledgement is missing. A body has come after 15
/// seconds; an API server gives up after 30.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);
/// How long requests that are under way have at the end.
const GRACE: Duration = Duration::from_secs(3);

/// The receiver, bound to its address.
pub(super) struct Receiver {
    tcp: TcpListener,
    places: Places,
    following: Following,
    server: Arc<Server>,
}

/// What connections share.
struct Server {
    credentials: Arc<Credentials>,
    bodies: Bodies,
    intake: Arc<Intake>,
}

/// Who is at the other end of a connection.
struct Caller {
    chain: Vec<CertificateDer<'static>>,
    place: Place,
    _counted: Connected,
}

impl Receiver {
    /// Reads the credentials and binds the address.
    pub(super) async fn bind(
        config: &AuditConfig,
        address: SocketAddr,
        intake: Arc<Intake>,
    ) -> anyhow::Result<Self> {
        let (credentials, following) = Credentials::read(config)?;
        let tcp = TcpListener::bind(address)
            .await
            .with_context(|| format!("audit.listen: cannot listen on {address}"))?;
        let bodies = Bodies::new(config.maximum_bodies, config.maximum_body_bytes.get());
        let server = Arc::new(Server { credentials, bodies, intake });
        Ok(Self { tcp, places: Places::new(config.maximum_connections), following, server })
    }

    /// The address it is bound to.
    pub(super) fn address(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until `shutdown`, and then lets requests end that are under way.
    pub(super) async fn serve(self, shutdown: CancellationToken) {
        let Self { tcp, places, following, server } = self;
        let connections = TaskTracker::new();
        let accepting = async {
            while let Some(accepted) = shutdown.run_until_cancelled(tcp.accept()).await {
                match accepted {
                    Ok((tcp, _)) => admit(tcp, &places, &server, &connections, &shutdown),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_AGAIN).await;
                    }
                }
            }
        };
        tokio::join!(accepting, following.run(shutdown.clone()));
        drop(tcp);
        connections.close();
        connections.wait().await;
    }
}

fn admit(
    tcp: TcpStream,
    places: &Places,
    server: &Arc<Server>,
    connections: &TaskTracker,
    shutdown: &CancellationToken,
) {
    let Some(place) = places.take() else {
        metrics::connection_refused("too_many");
        return;
    };
    let (server, shutdown) = (Arc::clone(server), shutdown.clone());
    let gives_way = place.gives_way();
    connections.spawn(async move {
        let conversation = server.connection(tcp, place, shutdown);
        if gives_way.run_until_cancelled(conversation).await.is_none() {
            metrics::connection_refused("gave_way");
        }
    });
}

impl Server {
    async fn connection(
        self: Arc<Self>,
        tcp: TcpStream,
        place: Place,
        shutdown: CancellationToken,
    ) {
        let Some(tls) = self.shake_hands(tcp).await else { return };
        let chain = tls.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
        let caller = Arc::new(Caller { chain, place, _counted: Connected::new() });
        let service = service_fn(move |request| {
            let (server, caller) = (Arc::clone(&self), Arc::clone(&caller));
            async move { Ok::<_, Infallible>(server.answer(request, &caller).await) }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_DEADLINE)
                .max_buf_size(BUFFER_BYTES)
                .serve_connection(TokioIo::new(tls), service)
        );
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                timeout(GRACE, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection of an API server ended");
        }
    }

    async fn shake_hands(&self, tcp: TcpStream) -> Option<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(self.credentials.tls());
        match timeout(HANDSHAKE_DEADLINE, acceptor.accept(tcp)).await {
            Ok(Ok(tls)) => Some(tls),
            Ok(Err(error)) => {
                metrics::connection_refused("handshake");
                tracing::debug!(%error, "a handshake at the audit receiver failed");
                None
            }
            Err(_) => {
                metrics::connection_refused("slow_handshake");
                None
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>, caller: &Caller) -> Response<Full<Bytes>> {
        let outcome = self.take(request, caller).await;
        metrics::request(outcome.as_ref().err());
        match outcome {
            Ok(()) => Response::default(),
            Err(refusal) => {
                if let Some(reason) = refusal.loss() {
                    self.intake.lose(reason);
                }
                tracing::debug!(%refusal, "a request of an API server is refused");
                refused(&refusal)
            }
        }
    }

    async fn take(&self, request: Request<Incoming>, caller: &Caller) -> Result<(), Refusal> {
        self.credentials.check(&caller.chain, request.headers())?;
        caller.place.is_known();
        check_head(&request)?;
        let deadline = Instant::now() + ANSWER_DEADLINE;
        let begin = self.intake.begin();
        self.read(request.into_body()).await?;
        let delivered = timeout_at(deadline, self.intake.delivered(begin)).await;
        if delivered == Ok(true) { Ok(()) } else { Err(Refusal::Unacknowledged) }
    }

    async fn read(&self, mut body: Incoming) -> Result<(), Refusal> {
        let length = body.size_hint().exact();
        let outcome = self.bodies.read(&mut body, length, &self.intake).await;
        if outcome.is_err() {
            tokio::spawn(timeout(DISCARD_FOR, discard(body)));
        }
        outcome
    }
}

fn check_head(request: &Request<Incoming>) -> Result<(), Refusal> {
    if request.uri().path() != PATH {
        return Err(Refusal::Path);
    }
    if request.method() != Method::POST {
        return Err(Refusal::Method);
    }
    check_headers(request.headers())
}

fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let is = |value: &HeaderValue, expected: &str| {
        let name = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case(expected)
    };
    if headers.get(CONTENT_TYPE).is_some_and(|kind| !is(kind, "application/json")) {
        return Err(Refusal::ContentType);
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| !is(encoding, "identity")) {
        return Err(Refusal::ContentEncoding);
    }
    Ok(())
}

fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{refusal}\n")));
    *response.status_mut() =
        StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some(seconds) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

async fn discard(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}
