use super::AuditConfig;
use super::webhook::Webhook;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

/// Batches that are on their way at once, as `--audit-webhook-batch-throttle-burst` allows.
const UNDER_WAY: usize = 15;
/// Attempts to deliver a batch.
const ATTEMPTS: u32 = 5;
/// By which the time between attempts grows.
const BACKOFF: f64 = 1.5;

/// How events are gathered: the defaults are those of `--audit-webhook-batch-*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Events that wait to be sent; those beyond are dropped.
    pub buffer: usize,
    /// Events in a request at most.
    pub max_size: usize,
    /// What an event waits for others at most.
    pub max_wait: Duration,
    /// Time until the second attempt.
    pub initial_backoff: Duration,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            buffer: 10_000,
            max_size: 400,
            max_wait: Duration::from_secs(30),
            initial_backoff: Duration::from_secs(10),
        }
    }
}

/// What became of audit events so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditCounts {
    /// Accepted by the webhook.
    pub delivered: u64,
    /// Dropped because the buffer was full.
    pub dropped: u64,
    /// Given up after all attempts.
    pub failed: u64,
}

#[derive(Debug)]
pub(super) struct Backend {
    events: mpsc::Sender<Value>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    delivered: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

impl Backend {
    /// Begins to send, until this is dropped.
    pub(super) fn begin(config: AuditConfig) -> anyhow::Result<Self> {
        let (sender, events) = mpsc::channel(config.batch.buffer);
        let counts = Arc::<Counts>::default();
        let webhook = Arc::new(Webhook::new(&config)?);
        let sending = Sending { events, webhook, batch: config.batch, counts: Arc::clone(&counts) };
        tokio::spawn(sending.run());
        Ok(Self { events: sender, counts })
    }

    /// Never waits.
    pub(super) fn send(&self, event: Value) {
        if self.events.try_send(event).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> AuditCounts {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        AuditCounts {
            delivered: count(&self.counts.delivered),
            dropped: count(&self.counts.dropped),
            failed: count(&self.counts.failed),
        }
    }
}

struct Sending {
    events: mpsc::Receiver<Value>,
    webhook: Arc<Webhook>,
    batch: Batch,
    counts: Arc<Counts>,
}

impl Sending {
    async fn run(mut self) {
        let under_way = Arc::new(Semaphore::new(UNDER_WAY));
        while let Some(first) = self.events.recv().await {
            let events = self.gather(first).await;
            let Ok(place) = Arc::clone(&under_way).acquire_owned().await else { return };
            let (webhook, counts) = (Arc::clone(&self.webhook), Arc::clone(&self.counts));
            let pause = self.batch.initial_backoff;
            tokio::spawn(async move {
                deliver(&webhook, &counts, events, pause).await;
                drop(place);
            });
        }
    }

    /// The events that come before the batch is full or its time is over.
    async fn gather(&mut self, first: Value) -> Vec<Value> {
        let until = Instant::now() + self.batch.max_wait;
        let mut events = vec![first];
        while events.len() < self.batch.max_size {
            match tokio::time::timeout_at(until, self.events.recv()).await {
                Ok(Some(event)) => events.push(event),
                Ok(None) | Err(_) => break,
            }
        }
        events
    }
}

/// Whatever the webhook answers, a failure is tried again.
async fn deliver(webhook: &Webhook, counts: &Counts, events: Vec<Value>, mut pause: Duration) {
    let count = events.len() as u64;
    for attempt in 1..=ATTEMPTS {
        if webhook.post(&events).await {
            counts.delivered.fetch_add(count, Ordering::Relaxed);
            return;
        }
        if attempt < ATTEMPTS {
            tokio::time::sleep(pause).await;
            pause = pause.mul_f64(BACKOFF);
        }
    }
    tracing::warn!(count, "audit events could not be delivered");
    counts.failed.fetch_add(count, Ordering::Relaxed);
}
