//! The collector between a test API server and a real publisher's socket.

use api_server::{ApiServer, TOKEN};
use collector_misc::config::{Config, KubernetesConfig, PublisherConfig};
use event_model::{
    InventoryItem, KubernetesCensus, KubernetesEvent, KubernetesObject, Loss, LossReason, Record,
    SensorStatus,
};
use node_link::{ListenConfig, ReceiveError, Receiver};
use proto::{Envelope, decode_batch};
use service_runtime::{NodeConfig, Service};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const DEADLINE: Duration = Duration::from_mins(2);
const GRACE: Duration = Duration::from_secs(5);

/// The publisher's side of the socket: keeps what it receives.
pub struct Publisher {
    socket: PathBuf,
    records: Arc<Records>,
    shutdown: CancellationToken,
    server: Option<JoinHandle<()>>,
    _folder: TempDir,
}

#[derive(Default)]
struct Records {
    held: Mutex<Vec<Record>>,
    /// How many deletions were acknowledged and not held; None: they are held.
    lost_deletions: Mutex<Option<usize>>,
}

impl Records {
    /// Whether the record is lost, as with a node's spool.
    fn loses(&self, record: &Record) -> bool {
        let is_deletion = matches!(record, Record::KubernetesObject(object) if object.deleted);
        let mut lost = self.lost_deletions.lock().unwrap();
        let lost = lost.as_mut().filter(|_| is_deletion);
        lost.map(|lost| *lost += 1).is_some()
    }
}

impl Receiver for Records {
    async fn accept(&self, envelope: Envelope) -> Result<(), ReceiveError> {
        let mut records =
            decode_batch(&envelope).map_err(|error| ReceiveError::Rejected(error.to_string()))?;
        records.retain(|record| !self.loses(record));
        self.held.lock().unwrap().extend(records);
        Ok(())
    }
}

impl Publisher {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut publisher = Self {
            socket: folder.path().join("publisher.sock"),
            records: Arc::default(),
            shutdown: CancellationToken::new(),
            server: None,
            _folder: folder,
        };
        publisher.serve();
        publisher
    }

    fn serve(&mut self) {
        self.shutdown = CancellationToken::new();
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

    /// Ends the publisher.
    pub async fn pause(&mut self) {
        self.shutdown.cancel();
        if let Some(server) = self.server.take() {
            server.await.unwrap();
        }
    }

    /// Ends the publisher, forgets what it received, and starts it again at the same socket.
    pub async fn restart(&mut self) {
        self.pause().await;
        self.records.held.lock().unwrap().clear();
        self.serve();
    }

    /// From now on deletions are acknowledged and lost.
    pub fn lose_deletions(&self) {
        self.records.lost_deletions.lock().unwrap().get_or_insert(0);
    }

    pub fn lost_deletions(&self) -> usize {
        self.records.lost_deletions.lock().unwrap().unwrap_or_default()
    }

    /// Who there was, in the order in which it was told.
    pub fn censuses(&self) -> Vec<KubernetesCensus> {
        let records = self.records.held.lock().unwrap();
        let censuses = records.iter().filter_map(|record| match record {
            Record::KubernetesCensus(census) => Some((**census).clone()),
            _ => None,
        });
        censuses.collect()
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// All objects received so far, in order.
    pub fn objects(&self) -> Vec<KubernetesObject> {
        let records = self.records.held.lock().unwrap();
        let objects = records.iter().filter_map(|record| match record {
            Record::KubernetesObject(object) => Some((**object).clone()),
            _ => None,
        });
        objects.collect()
    }

    pub fn statuses(&self) -> Vec<SensorStatus> {
        let records = self.records.held.lock().unwrap();
        let statuses = records.iter().filter_map(|record| match record {
            Record::SensorStatus(status) => Some((**status).clone()),
            _ => None,
        });
        statuses.collect()
    }

    pub fn losses(&self) -> usize {
        self.lost().len()
    }

    /// What was told as lost.
    pub fn lost(&self) -> Vec<Loss> {
        let records = self.records.held.lock().unwrap();
        let losses = records.iter().filter_map(|record| match record {
            Record::Loss(loss) => Some(loss.clone()),
            _ => None,
        });
        losses.collect()
    }

    /// Waits for the report of a loss.
    pub async fn expect_loss(&self, reason: LossReason) -> Loss {
        poll("loss", || {
            let lost = self.lost();
            let found = lost.iter().find(|loss| loss.reason == reason).cloned();
            found.ok_or_else(|| format!("{lost:?}"))
        })
        .await
    }

    /// What parts of Kubernetes noted.
    pub fn events(&self) -> Vec<KubernetesEvent> {
        let records = self.records.held.lock().unwrap();
        let events = records.iter().filter_map(|record| match record {
            Record::KubernetesEvent(event) => Some((**event).clone()),
            _ => None,
        });
        events.collect()
    }

    /// The items of the cluster's inventory that came, in order.
    pub fn inventory(&self) -> Vec<InventoryItem> {
        let records = self.records.held.lock().unwrap();
        let items = records.iter().filter_map(|record| match record {
            Record::Inventory(inventory) => Some(inventory.changed.clone()),
            _ => None,
        });
        items.flatten().collect()
    }

    /// Waits for an object that `is_expected`.
    pub async fn expect(
        &self,
        what: &str,
        is_expected: impl Fn(&KubernetesObject) -> bool,
    ) -> KubernetesObject {
        poll(what, || {
            let objects = self.objects();
            let found = objects.iter().find(|object| is_expected(object)).cloned();
            found.ok_or_else(|| nearest(&objects))
        })
        .await
    }

    /// Waits for a status that `is_expected`.
    pub async fn expect_status(
        &self,
        what: &str,
        is_expected: impl Fn(&SensorStatus) -> bool,
    ) -> SensorStatus {
        poll(what, || {
            let statuses = self.statuses();
            let found = statuses.iter().rfind(|status| is_expected(status)).cloned();
            found.ok_or_else(|| format!("{statuses:#?}"))
        })
        .await
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// The last objects that came, a line for each.
fn nearest(objects: &[KubernetesObject]) -> String {
    let lines = objects.iter().rev().take(10).map(|object| {
        let KubernetesObject { kind, name, uid, labels, deleted, .. } = object;
        format!("{kind} {name:?} {uid} {labels:?} deleted={deleted}\n")
    });
    format!("{} objects, the last of them:\n{}", objects.len(), lines.collect::<String>())
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

/// A collector that runs inside the test.
pub struct Collector {
    service: Service,
    running: JoinHandle<anyhow::Result<()>>,
    _folder: TempDir,
}

impl Collector {
    pub fn start(server: &ApiServer, publisher: &Publisher) -> Self {
        Self::start_with(server, publisher, TOKEN, |_| {})
    }

    /// As the bearer of a token, with what `change` sets.
    pub fn start_with(
        server: &ApiServer,
        publisher: &Publisher,
        token: &str,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            node: NodeConfig { name: "worker-1".to_owned() },
            kubernetes: KubernetesConfig {
                kubeconfig: kubeconfig(folder.path(), server, token),
                ..KubernetesConfig::default()
            },
            publisher: PublisherConfig {
                socket: publisher.socket().to_owned(),
                ..PublisherConfig::default()
            },
            ..Config::default()
        };
        change(&mut config);
        let service = Service::default();
        let application = collector_misc::app::run(config, service.clone());
        let supervised = service.clone();
        let running = tokio::spawn(async move { supervised.supervise(application, GRACE).await });
        Self { service, running, _folder: folder }
    }

    pub fn readiness(&self) -> (bool, String) {
        self.service.readiness_report()
    }

    pub async fn expect_ready(&self) {
        poll("readiness", || match self.readiness() {
            (true, _) => Ok(()),
            (false, report) => Err(report),
        })
        .await;
    }

    /// Waits until it is not ready because of `words`.
    pub async fn expect_unready(&self, words: &str) {
        poll(words, || match self.readiness() {
            (false, report) if report.contains(words) => Ok(()),
            (_, report) => Err(report),
        })
        .await;
    }

    pub async fn stop(self) {
        self.service.shutdown().cancel();
        self.running.await.unwrap().unwrap();
    }
}

/// Writes a kubeconfig for `server`, and returns its path.
pub fn kubeconfig(folder: &Path, server: &ApiServer, token: &str) -> PathBuf {
    let path = folder.join("kubeconfig");
    std::fs::write(&path, server.kubeconfig(token)).unwrap();
    path
}
