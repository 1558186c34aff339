//! Closes connections that nobody uses: who asks for nothing keeps no one else's place.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A connection without a stream for this long is closed, and at the latest after twice as long.
const LONGEST: Duration = Duration::from_secs(10);

/// The streams of one connection. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    opened: AtomicU64,
    closed: AtomicU64,
}

/// A stream, for as long as it lives.
pub(super) struct OpenStream(Arc<Counts>);

impl Streams {
    pub(super) fn open(&self) -> OpenStream {
        self.0.opened.fetch_add(1, Ordering::Relaxed);
        OpenStream(Arc::clone(&self.0))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Looks now and then whether a connection has a stream.
pub(super) struct Idleness {
    streams: Streams,
    next_look: Pin<Box<Sleep>>,
    /// Streams that had been opened by the last look.
    opened_before: u64,
}

impl Idleness {
    pub(super) fn new(streams: Streams) -> Self {
        Self { streams, next_look: Box::pin(tokio::time::sleep(LONGEST)), opened_before: 0 }
    }

    /// Whether no stream was open since the last look. Wakes the caller's task for each look.
    pub(super) fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        while let Poll::Ready(()) = self.next_look.as_mut().poll(context) {
            let closed = self.streams.0.closed.load(Ordering::Relaxed);
            let opened = self.streams.0.opened.load(Ordering::Relaxed);
            if opened == closed && opened == self.opened_before {
                return true;
            }
            self.opened_before = opened;
            self.next_look.as_mut().reset(Instant::now() + LONGEST);
        }
        false
    }
}
