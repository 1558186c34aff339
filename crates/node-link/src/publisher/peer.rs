use super::listen::ListenConfig;
use super::refusal::{self, Refusal};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::Sleep;
use tonic::transport::server::Connected;

/// A peer that has not greeted within this while is cut off: it takes one of few places.
const GREETING: Duration = Duration::from_secs(10);

/// Peers that are to be refused are answered, so that they learn why; this many at once.
const REFUSED_AT_ONCE: usize = 4;

/// Decides who may speak.
pub(crate) struct Gate {
    allowed_uids: Vec<u32>,
    allowed_gids: Vec<u32>,
    maximum_connections: usize,
    places: Arc<Semaphore>,
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
    TooMany { maximum: usize },
}

impl Gate {
    pub(crate) fn new(config: &ListenConfig) -> Self {
        Self {
            allowed_uids: config.allowed_uids.clone(),
            allowed_gids: config.allowed_gids.clone(),
            maximum_connections: config.maximum_connections,
            places: Arc::new(Semaphore::new(config.maximum_connections)),
            refused_places: Arc::new(Semaphore::new(REFUSED_AT_ONCE)),
        }
    }

    /// Judges a connection. None where it is closed without a word, for too many are being refused already.
    pub(crate) fn judge(&self, stream: UnixStream) -> Option<PeerConnection> {
        let (verdict, place) = self.place(self.verdict(&stream));
        let Ok(place) = place else {
            refusal::count(verdict.reason());
            return None;
        };
        Some(PeerConnection::new(stream, verdict, place))
    }

    fn place(&self, verdict: Verdict) -> (Verdict, Result<OwnedSemaphorePermit, TryAcquireError>) {
        let take = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned();
        if !matches!(verdict, Verdict::Admitted) {
            return (verdict, take(&self.refused_places));
        }
        match take(&self.places) {
            Ok(place) => (verdict, Ok(place)),
            Err(_) => {
                (Verdict::TooMany { maximum: self.maximum_connections }, take(&self.refused_places))
            }
        }
    }

    fn verdict(&self, stream: &UnixStream) -> Verdict {
        // No credentials, no admission: uid -1 is nobody's.
        let (uid, gid) =
            stream.peer_cred().map_or((u32::MAX, u32::MAX), |peer| (peer.uid(), peer.gid()));
        if self.allowed_uids.contains(&uid) || self.allowed_gids.contains(&gid) {
            return Verdict::Admitted;
        }
        Verdict::WrongUid { uid, gid, allowed: self.allowed_uids.clone() }
    }
}

impl Verdict {
    const fn reason(&self) -> &'static str {
        match self {
            Self::Admitted | Self::TooMany { .. } => "connections",
            Self::WrongUid { .. } => "uid",
        }
    }
}

impl Peer {
    /// Whether the peer may speak.
    pub(crate) fn admission(&self) -> Result<(), Refusal> {
        match self.verdict.clone() {
            Verdict::Admitted => Ok(()),
            Verdict::WrongUid { uid, gid, allowed } => {
                self.settle();
                Err(Refusal::Uid { uid, gid, allowed })
            }
            Verdict::TooMany { maximum } => {
                self.settle();
                Err(Refusal::Connections { maximum })
            }
        }
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
    _place: OwnedSemaphorePermit,
}

impl PeerConnection {
    fn new(stream: UnixStream, verdict: Verdict, place: OwnedSemaphorePermit) -> Self {
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
