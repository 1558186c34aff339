//! The publisher's side of the socket: keeps what it receives.

use event_model::{Alert, AuditEvent, Loss, Record};
use node_link::{ListenConfig, ReceiveError, Receiver};
use proto::{Envelope, decode_batch};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const DEADLINE: Duration = Duration::from_mins(1);

pub struct Publisher {
    socket: PathBuf,
    records: Arc<Records>,
    shutdown: CancellationToken,
    server: Option<JoinHandle<()>>,
    _folder: TempDir,
}

#[derive(Default)]
struct Records {
    kept: Mutex<Vec<Record>>,
    withholds: watch::Sender<bool>,
}

impl Receiver for Records {
    async fn accept(&self, envelope: Envelope) -> Result<(), ReceiveError> {
        let records =
            decode_batch(&envelope).map_err(|error| ReceiveError::Rejected(error.to_string()))?;
        self.kept.lock().unwrap().extend(records);
        let mut withholds = self.withholds.subscribe();
        let acknowledges = withholds.wait_for(|withholds| !withholds).await;
        acknowledges.map(drop).map_err(|_| ReceiveError::Ending)
    }
}

impl Publisher {
    pub fn start() -> Self {
        let mut publisher = Self::stopped();
        publisher.serve();
        publisher
    }

    /// One that is not there yet.
    pub fn stopped() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            socket: folder.path().join("publisher.sock"),
            records: Arc::default(),
            shutdown: CancellationToken::new(),
            server: None,
            _folder: folder,
        }
    }

    pub fn serve(&mut self) {
        let config = ListenConfig {
            socket: self.socket.clone(),
            allowed_uids: vec![nix::unistd::geteuid().as_raw()],
            ..ListenConfig::default()
        };
        let (records, shutdown) = (Arc::clone(&self.records), self.shutdown.clone());
        self.server = Some(tokio::spawn(async move {
            node_link::serve(config, records, shutdown).await.unwrap();
        }));
    }

    /// Keeps what comes, and acknowledges nothing.
    pub fn withhold(&self) {
        self.records.withholds.send_replace(true);
    }

    /// Acknowledges all that came, and what comes.
    pub fn acknowledge(&self) {
        self.records.withholds.send_replace(false);
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    fn all<T>(&self, select: impl FnMut(&Record) -> Option<T>) -> Vec<T> {
        self.records.kept.lock().unwrap().iter().filter_map(select).collect()
    }

    pub fn events(&self) -> Vec<AuditEvent> {
        self.all(|record| match record {
            Record::Audit(event) => Some((**event).clone()),
            _ => None,
        })
    }

    pub fn alerts(&self) -> Vec<Alert> {
        self.all(|record| match record {
            Record::Alert(alert) => Some((**alert).clone()),
            _ => None,
        })
    }

    /// How many alerts were counted instead of sent.
    pub fn held_alerts(&self) -> u64 {
        let held = self.all(|record| match record {
            Record::HeldAlerts(held) => Some(held.count),
            _ => None,
        });
        held.iter().sum()
    }

    pub fn losses(&self) -> Vec<Loss> {
        self.all(|record| match record {
            Record::Loss(loss) => Some(loss.clone()),
            _ => None,
        })
    }

    /// Waits until the event with this id came. What was sent before it has come as well.
    pub async fn expect_event(&self, id: &str) {
        poll(&format!("event {id}"), || {
            let ids: Vec<_> = self.events().into_iter().map(|event| event.audit_id).collect();
            let last = || format!("{} events, the last: {:?}", ids.len(), ids.last());
            ids.iter().any(|came| came == id).then_some(()).ok_or_else(last)
        })
        .await;
    }

    /// Waits for losses of that reason, so many in all.
    pub async fn expect_losses(&self, reason: event_model::LossReason, count: u64) {
        poll(&format!("{count} losses of {reason:?}"), || {
            let losses = self.losses();
            let of_reason = losses.iter().filter(|loss| loss.reason == reason);
            let found: u64 = of_reason.map(|loss| loss.count).sum();
            if found == count { Ok(()) } else { Err(format!("{losses:?}")) }
        })
        .await;
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Looks until something is found. On failure tells what was there instead.
pub async fn poll<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) if began.elapsed() > DEADLINE => panic!("no {what}, but {instead}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
