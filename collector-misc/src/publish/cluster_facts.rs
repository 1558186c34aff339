use super::publisher::Publisher;
use super::snapshots::SnapshotTrigger;
use crate::observers::Observers;
use event_model::{ClusterFacts, Inventory, InventoryItem, InventoryKind, Record, Timestamp};
use kube::Client;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether the facts have changed.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// How often the API server is asked for its version, which an upgrade changes.
const BETWEEN_QUESTIONS: Duration = Duration::from_mins(10);

/// Tells what the cluster is, when it changes and when the backend may not know.
pub(crate) struct ClusterFactsReporter {
    client: Client,
    observers: Arc<Observers>,
    publisher: Publisher,
    trigger: SnapshotTrigger,
    told: Option<ClusterFacts>,
    asked: Option<Instant>,
}

impl ClusterFactsReporter {
    pub(crate) fn new(client: Client, observers: Arc<Observers>, publisher: Publisher) -> Self {
        let trigger = publisher.snapshots_of_findings();
        Self { client, observers, publisher, trigger, told: None, asked: None }
    }

    /// Tells until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), Infallible> {
        let mut looks = tokio::time::interval(BETWEEN_LOOKS);
        self.trigger.wait_for_first_connection().await;
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = self.trigger.due() => self.told = None,
                () = shutdown.cancelled() => return Ok(()),
            }
            self.ask().await;
            self.tell();
        }
    }

    async fn ask(&mut self) {
        if self.asked.is_some_and(|asked| asked.elapsed() < BETWEEN_QUESTIONS) {
            return;
        }
        // Where it fails, the watches fail too, and tell why.
        if let Ok(version) = self.client.apiserver_version().await {
            self.observers.cluster().set_version(version.git_version);
            self.asked = Some(Instant::now());
        }
    }

    fn tell(&mut self) {
        let facts = self.observers.cluster().facts();
        let is_news = facts.is_some() && facts != self.told;
        if !is_news || !self.publisher.is_connected() || !self.publisher.leads() {
            return;
        }
        self.told.clone_from(&facts);
        let (kind, now) = (InventoryKind::Cluster, Timestamp::now());
        let changed = facts.into_iter().map(InventoryItem::Cluster).collect();
        let inventory = Inventory::of_cluster(kind, now, changed, vec![], Some(1));
        self.publisher.send_inventory(Record::Inventory(Box::new(inventory)));
    }
}
