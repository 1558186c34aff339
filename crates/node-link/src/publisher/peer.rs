use super::cgroup;
use super::listen::ListenConfig;
use super::refusal::{self, Refusal};
use connection_places::Places;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tonic::transport::server::Connected;

/// A peer that has not greeted within this while is cut off: it takes one of few places.
const GREETING: Duration = Duration::from_secs(10);

/// Peers that are to be refused are answered, so that they learn why; this many at once.
const REFUSED_AT_ONCE: usize = 4;

/// Decides who may speak.
pub(crate) struct Gate {
    config: ListenConfig,
    places: Arc<Semaphore>,
    places_of_users: Places<u32>,
    refused_places: Arc<Semaphore>,
}

/// What is known of the peer of a connection: handed to the service with each request.
#[derive(Clone)]
pub(crate) struct Peer {
    verdict: Verdict,
    settled: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Verdict {
    Admitted,
    WrongUid { uid: u32, gid: u32, allowed: Vec<u32> },
    WrongCgroup { uid: u32, found: String },
    TooManyOfUser { uid: u32, maximum: usize },
    TooMany { maximum: usize },
}

/// A connection's share of what there is: given back when it ends.
enum Place {
    Admitted { _of_all: OwnedSemaphorePermit, _of_user: connection_places::Place<u32> },
    Refused { _place: OwnedSemaphorePermit },
}

impl Gate {
    pub(crate) fn new(config: &ListenConfig) -> Self {
        Self {
            places: Arc::new(Semaphore::new(config.maximum_connections)),
            places_of_users: Places::new(config.maximum_connections_per_uid),
            refused_places: Arc::new(Semaphore::new(REFUSED_AT_ONCE)),
            config: config.clone(),
        }
    }

    /// Judges a connection. None where it is closed without a word, for too many are being refused already.
    pub(crate) fn judge(&self, stream: UnixStream) -> Option<PeerConnection> {
        let verdict = match self.admit(&stream) {
            Ok(place) => return Some(PeerConnection::new(stream, Verdict::Admitted, place)),
            Err(verdict) => verdict,
        };
        let place = Arc::clone(&self.refused_places).try_acquire_owned();
        let Ok(place) = place else {
            refusal::count(verdict.reason());
            return None;
        };
        Some(PeerConnection::new(stream, verdict, Place::Refused { _place: place }))
    }

    fn admit(&self, stream: &UnixStream) -> Result<Place, Verdict> {
        let uid = self.check_user(stream)?;
        self.check_cgroup(stream, uid)?;
        let maximum = self.config.maximum_connections_per_uid;
        let of_user = self.places_of_users.take(uid);
        let of_user = of_user.ok_or(Verdict::TooManyOfUser { uid, maximum })?;
        let of_all = Arc::clone(&self.places).try_acquire_owned();
        let maximum = self.config.maximum_connections;
        let of_all = of_all.map_err(|_| Verdict::TooMany { maximum })?;
        Ok(Place::Admitted { _of_all: of_all, _of_user: of_user })
    }

    fn check_user(&self, stream: &UnixStream) -> Result<u32, Verdict> {
        // No credentials, no admission: uid -1 is nobody's.
        let (uid, gid) =
            stream.peer_cred().map_or((u32::MAX, u32::MAX), |peer| (peer.uid(), peer.gid()));
        if self.config.allowed_uids.contains(&uid) || self.config.allowed_gids.contains(&gid) {
            return Ok(uid);
        }
        Err(Verdict::WrongUid { uid, gid, allowed: self.config.allowed_uids.clone() })
    }

    fn check_cgroup(&self, stream: &UnixStream, uid: u32) -> Result<(), Verdict> {
        if self.config.allowed_cgroups.is_empty() {
            return Ok(());
        }
        let found = match cgroup::of_peer(stream) {
            Ok(found) if cgroup::is_allowed(&found, &self.config.allowed_cgroups) => return Ok(()),
            Ok(found) => format!("it runs in {}", found.display()),
            Err(error) => error.to_string(),
        };
        Err(Verdict::WrongCgroup { uid, found })
    }
}

impl Verdict {
    const fn reason(&self) -> &'static str {
        match self {
            Self::Admitted | Self::TooMany { .. } => "connections",
            Self::TooManyOfUser { .. } => "connections_of_uid",
            Self::WrongUid { .. } => "uid",
            Self::WrongCgroup { .. } => "cgroup",
        }
    }

    fn refusal(self) -> Option<Refusal> {
        Some(match self {
            Self::Admitted => return None,
            Self::WrongUid { uid, gid, allowed } => Refusal::Uid { uid, gid, allowed },
            Self::WrongCgroup { uid, found } => Refusal::Cgroup { uid, found },
            Self::TooManyOfUser { uid, maximum } => Refusal::ConnectionsOfUser { uid, maximum },
            Self::TooMany { maximum } => Refusal::Connections { maximum },
        })
    }
}

impl Peer {
    /// Whether the peer may speak.
    pub(crate) fn admission(&self) -> Result<(), Refusal> {
        let Some(refusal) = self.verdict.clone().refusal() else { return Ok(()) };
        self.settle();
        Err(refusal)
    }

    /// The peer made itself understood, or was told why not.
    pub(crate) fn settle(&self) {
        self.settled.store(true, Ordering::Relaxed);
    }

    fn is_greeted(&self) -> bool {
        matches!(self.verdict, Verdict::Admitted) && self.settled.load(Ordering::Relaxed)
    }
}

/// A connection with its place, and a deadline for the greeting.
pub(crate) struct PeerConnection {
    stream: UnixStream,
    peer: Peer,
    deadline: Option<Pin<Box<Sleep>>>,
    has_spoken: bool,
    _place: Place,
}

impl PeerConnection {
    fn new(stream: UnixStream, verdict: Verdict, place: Place) -> Self {
        let settled = Arc::new(AtomicBool::new(false));
        Self {
            stream,
            peer: Peer { verdict, settled },
            deadline: Some(Box::pin(tokio::time::sleep(GREETING))),
            has_spoken: false,
            _place: place,
        }
    }

    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let Some(deadline) = self.deadline.as_mut() else { return false };
        let is_over = deadline.as_mut().poll(context).is_ready();
        if self.peer.is_greeted() {
            self.deadline = None;
            return false;
        }
        is_over
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        if self.has_spoken && !self.peer.settled.load(Ordering::Relaxed) {
            refusal::count("not_grpc");
            tracing::warn!(
                "a peer on the collectors' socket sent bytes that are no greeting; its connection is closed"
            );
        }
    }
}

impl Connected for PeerConnection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for PeerConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.has_spoken |= buffer.filled().len() > before;
        if polled.is_pending() && self.is_late(context) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no greeting came")));
        }
        polled
    }
}

impl AsyncWrite for PeerConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
