use super::identity::{self, Credential, IdentityError};
use super::idleness::{Idleness, Streams};
use arc_swap::ArcSwap;
use connection_places::Places;
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::Connected;

/// From the first byte to the last of a handshake.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Handshakes of one address under way: many nodes may stand behind one, and each is done in milliseconds.
const HANDSHAKES_OF_AN_ADDRESS: usize = 64;
/// How long to wait after a connection could not be accepted, as when descriptors ran out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Accepts connections and proves who is behind them.
pub(super) struct Listener {
    tcp: TcpListener,
    tls: Arc<ArcSwap<ServerConfig>>,
    /// A permit for each connection that may live at a time.
    permits: Arc<Semaphore>,
    /// A permit for each of them whose peer has no certificate.
    strangers: Arc<Semaphore>,
    /// Whoever connects and says nothing takes the places of its own address.
    handshakes: Places<IpAddr>,
}

/// A connection whose peer holds a certificate of a trusted authority, or none where tokens are taken or enrolment is
/// open.
pub(super) struct Connection {
    tls: TlsStream<TcpStream>,
    peer: Peer,
    idleness: Idleness,
    _permit: OwnedSemaphorePermit,
    _counted: Counted,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// What the certificate says. Refused in words only once the peer asks for something: an
    /// alert of TLS could not say what is wrong.
    pub(crate) credential: Result<Credential, IdentityError>,
    /// Its certificate, and those between it and the authority; none where none came.
    pub(super) chain: Arc<[CertificateDer<'static>]>,
    /// Its place among those who show no certificate.
    stranger: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
    /// The streams that the peer opened.
    pub(super) streams: Streams,
}

impl Peer {
    /// It showed a token that is known: its place is another stranger's.
    pub(super) fn is_known(&self) {
        self.stranger.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Listener {
    pub(super) fn new(
        tcp: TcpListener,
        tls: Arc<ArcSwap<ServerConfig>>,
        maximum_connections: usize,
        maximum_strangers: usize,
    ) -> Self {
        let permits = |most| Arc::new(Semaphore::new(most));
        Self {
            tcp,
            tls,
            permits: permits(maximum_connections),
            strangers: permits(maximum_strangers),
            handshakes: Places::new(HANDSHAKES_OF_AN_ADDRESS),
        }
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Accepts until shutdown. Handshakes do not wait for one another.
    pub(super) async fn run(
        self,
        connections: mpsc::Sender<io::Result<Connection>>,
        shutdown: CancellationToken,
    ) {
        let handshakes = TaskTracker::new();
        while let Some(accepted) = shutdown.run_until_cancelled(self.tcp.accept()).await {
            match accepted {
                Ok((tcp, address)) => self.admit(tcp, address, &handshakes, &connections),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    fn admit(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
        handshakes: &TaskTracker,
        connections: &mpsc::Sender<io::Result<Connection>>,
    ) {
        let Some(begun) = self.handshakes.take(address.ip()) else {
            refused(address, "too_many_handshakes", "its address has many under way already");
            return;
        };
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            refused(address, "too_many_connections", "ingest.maximum_connections is reached");
            return;
        };
        let acceptor = TlsAcceptor::from(self.tls.load_full());
        let connections = connections.clone();
        let strangers = Arc::clone(&self.strangers);
        handshakes.spawn(async move {
            let handshake = shake_hands(acceptor, tcp, address, permit, strangers);
            let ended = tokio::time::timeout(HANDSHAKE_DEADLINE, handshake).await;
            drop(begun);
            match ended {
                Ok(Ok(connection)) => drop(connections.send(Ok(connection)).await),
                Ok(Err(error)) => refused(address, "handshake", &error.to_string()),
                Err(_) => refused(address, "handshake_timeout", "the handshake took too long"),
            }
        });
    }
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    tcp: TcpStream,
    address: SocketAddr,
    permit: OwnedSemaphorePermit,
    strangers: Arc<Semaphore>,
) -> io::Result<Connection> {
    tcp.set_nodelay(true)?;
    let tls = acceptor.accept(tcp).await?;
    let (_, session) = tls.get_ref();
    if session.alpn_protocol() != Some(b"h2") {
        return Err(io::Error::other("the client does not offer HTTP/2 (ALPN h2)"));
    }
    let chain: Arc<[_]> = session.peer_certificates().unwrap_or_default().into();
    let credential = chain.first().map_or(Err(IdentityError::NoCertificate), identity::read);
    // Who shows no certificate takes no place of those who have one.
    let stranger = match chain.first() {
        Some(_) => None,
        None => Some(strangers.try_acquire_owned().map_err(|_| too_many_strangers())?),
    };
    let stranger = Arc::new(Mutex::new(stranger));
    let streams = Streams::default();
    let idleness = Idleness::new(streams.clone());
    let peer = Peer { address, credential, chain, stranger, streams };
    Ok(Connection { tls, peer, idleness, _permit: permit, _counted: Counted::new() })
}

fn too_many_strangers() -> io::Error {
    io::Error::other("an eighth of ingest.maximum_connections show no certificate already")
}

fn refused(address: SocketAddr, reason: &'static str, error: &str) {
    metrics::counter!("defender_ingest_rejected_total", "reason" => reason).increment(1);
    tracing::warn!(peer = %address, reason, error, "connection refused");
}

/// Counts a connection for as long as it lives.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("defender_ingest_connections").increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("defender_ingest_connections").decrement(1.0);
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.idleness.is_over(context) {
            refused(self.peer.address, "no_stream", "the peer has no stream open");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.tls).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}
