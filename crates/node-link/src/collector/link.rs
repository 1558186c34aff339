use super::batches::BatchMaker;
use super::outbox::{Outbox, Shared};
use super::session::{Ended, SessionError};
use super::unacknowledged::Unacknowledged;
use crate::Pauses;
use event_model::{Lane, LossReason, SourceDescription};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the link goes on delivering once the program is to end.
const DRAIN: Duration = Duration::from_secs(5);

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The same trouble is logged again after this while.
const LOG_AGAIN: Duration = Duration::from_mins(1);

/// The publisher's user in the chart (distroless "nonroot").
const PUBLISHER_UID: u32 = 65532;

/// A batch that the publisher refused this many times in a row, as the first of its lane, is dropped and
/// counted: it would block all that follow.
const REFUSALS_BEFORE_DROP: u32 = 3;

/// `sun_path` of `sockaddr_un` less its closing zero.
const MAXIMUM_SOCKET_PATH: usize = 107;

const MINIMUM_QUEUE_BYTES: u64 = 64 << 10;

/// Where the publisher is, and how much may wait for it.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// The publisher's socket.
    pub socket: PathBuf,
    /// Bound of what is queued and not yet acknowledged, in bytes of memory; at least 64 KiB.
    pub queue_bytes: u64,
}

/// A configuration that can't work. Trouble with the connection is never an error here: it is retried.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// See the message.
    #[error(
        "publisher.socket {} has {length} bytes; a Unix socket's path has at most {MAXIMUM_SOCKET_PATH}: choose a shorter one",
        path.display()
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// See the message.
    #[error("publisher.queue_bytes is {0}; it must be at least {MINIMUM_QUEUE_BYTES}")]
    QueueTooSmall(u64),
}

/// Makes the two ends of a collector's way to the publisher: records go into the first, the second moves them.
pub fn connect(config: LinkConfig, source: SourceDescription) -> (Outbox, Link) {
    let (outbox, shared) = Outbox::new(config.queue_bytes);
    let link = Link {
        batches: BatchMaker::new(source.id),
        unacknowledged: Unacknowledged::default(),
        trusted_uids: vec![0, PUBLISHER_UID, nix::unistd::geteuid().as_raw()],
        connected: watch::Sender::new(false),
        refusals: 0,
        complaints: Complaints::default(),
        config,
        source,
        shared,
    };
    (outbox, link)
}

/// Moves records from the [`Outbox`] to the publisher, over one connection after another.
pub struct Link {
    pub(super) config: LinkConfig,
    pub(super) source: SourceDescription,
    pub(super) trusted_uids: Vec<u32>,
    pub(super) shared: Arc<Shared>,
    pub(super) batches: BatchMaker,
    pub(super) unacknowledged: Unacknowledged,
    pub(super) connected: watch::Sender<bool>,
    refusals: u32,
    complaints: Complaints,
}

impl Link {
    /// Whether a publisher is connected. Each new connection marks the value as changed, even where the
    /// break between was too short to be seen: on every change to `true`, send the entities anew.
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }

    /// Trusts only these users with records: whoever listens on the socket must be one of them.
    /// Without this: root, the publisher's user in the chart (65532), and this process's own user.
    #[must_use]
    pub fn trusting_uids(mut self, uids: Vec<u32>) -> Self {
        self.trusted_uids = uids;
        self
    }

    /// Delivers until `shutdown`, and then what is left, for at most five seconds. Reconnects with growing
    /// pauses, and sends again, in order, what was not acknowledged. A publisher that is not there yet is normal.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), LinkError> {
        check(&self.config)?;
        tokio::select! {
            () = self.deliver(&shutdown) => {}
            () = drain_is_over(&shutdown) => self.warn_of_remains(),
        }
        self.connected.send_replace(false);
        Ok(())
    }

    async fn deliver(&mut self, shutdown: &CancellationToken) {
        let mut pauses = Pauses::new(SHORTEST_PAUSE, LONGEST_PAUSE);
        while !(shutdown.is_cancelled() && self.has_delivered_all()) {
            match self.converse(shutdown, &mut pauses).await {
                Ok(Ended::Drained) => return,
                Err(error) => self.note_end(&error),
            }
            sleep_or_hurry(pauses.next_pause(), shutdown).await;
        }
    }

    /// One connection, from dialling to its end.
    async fn converse(
        &mut self,
        shutdown: &CancellationToken,
        pauses: &mut Pauses,
    ) -> Result<Ended, SessionError> {
        let mut session = super::session::open(self).await?;
        self.complaints.forget();
        tracing::info!(socket = %self.config.socket.display(), "connected to the publisher");
        metrics::gauge!("defender_link_connected").set(1.0);
        self.connected.send_replace(true);
        let begun = Instant::now();
        let ended = session.run(self, shutdown).await;
        pauses.note_connection(session.was_acknowledged(), begun.elapsed());
        metrics::gauge!("defender_link_connected").set(0.0);
        self.connected.send_replace(false);
        ended
    }

    fn note_end(&mut self, error: &SessionError) {
        metrics::counter!("defender_link_reconnects_total", "reason" => error.reason())
            .increment(1);
        self.complaints.log(error);
        self.drop_what_is_refused(error);
    }

    /// Batches are acknowledged in order, so the first that was sent is the one that was refused.
    fn drop_what_is_refused(&mut self, error: &SessionError) {
        self.refusals = if error.refuses_a_batch() { self.refusals + 1 } else { 0 };
        if self.refusals < REFUSALS_BEFORE_DROP {
            return;
        }
        self.refusals = 0;
        if let Some(batch) = self.unacknowledged.drop_first_sent() {
            tracing::error!(lane = %batch.lane(), records = batch.count(), "the publisher refuses a batch again and again; it is dropped and counted");
            self.lose(batch.lane(), LossReason::Rejected, u64::from(batch.count()));
        }
    }

    /// Counts records of an encoded batch as lost.
    pub(super) fn lose(&self, lane: Lane, reason: LossReason, records: u64) {
        let mut queues = self.shared.queues();
        queues.lose(lane, "any", reason, records, Instant::now());
        queues.set_unacknowledged_bytes(self.unacknowledged.bytes());
        drop(queues);
        self.shared.settled.notify_waiters();
    }

    pub(super) fn has_delivered_all(&self) -> bool {
        self.unacknowledged.is_empty() && self.shared.queues().all_empty()
    }

    fn warn_of_remains(&self) {
        let queued = self.shared.queues().len();
        let unacknowledged = self.unacknowledged.records();
        if queued > 0 || unacknowledged > 0 {
            tracing::warn!(
                queued,
                unacknowledged,
                "ending with records that the publisher did not take"
            );
        }
    }
}

fn check(config: &LinkConfig) -> Result<(), LinkError> {
    let length = Path::as_os_str(&config.socket).as_bytes().len();
    if length > MAXIMUM_SOCKET_PATH {
        return Err(LinkError::PathTooLong { path: config.socket.clone(), length });
    }
    if config.queue_bytes < MINIMUM_QUEUE_BYTES {
        return Err(LinkError::QueueTooSmall(config.queue_bytes));
    }
    Ok(())
}

async fn drain_is_over(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(DRAIN).await;
}

/// Waits; briefly where the program is to end.
async fn sleep_or_hurry(pause: Duration, shutdown: &CancellationToken) {
    let hurried = async {
        shutdown.cancelled().await;
        tokio::time::sleep(SHORTEST_PAUSE).await;
    };
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = hurried => {}
    }
}

/// Logs trouble once, and again only when it changes or lasts.
#[derive(Default)]
struct Complaints {
    last: Option<(&'static str, Instant)>,
}

impl Complaints {
    fn log(&mut self, error: &SessionError) {
        let reason = error.reason();
        let is_known =
            self.last.is_some_and(|(last, at)| last == reason && at.elapsed() < LOG_AGAIN);
        if is_known {
            tracing::debug!(%error, "still no connection to the publisher");
            return;
        }
        self.last = Some((reason, Instant::now()));
        if error.is_expected() {
            tracing::info!("{error}; waiting, records are queued");
        } else {
            tracing::warn!("{error}; trying again, records are queued");
        }
    }

    fn forget(&mut self) {
        self.last = None;
    }
}
