use super::recent::Recent;
use super::{metrics, now};
use alerting::RequestDetection;
use event_model::{
    AuditEvent, Inventory, InventoryItem, InventoryKind, Lane, Loss, LossReason, Record, Timestamp,
};
use kubernetes_audit::{AuditError, Item};
use node_link::Outlet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between looks at counts of alerts whose time is over.
const EVERY: Duration = Duration::from_secs(1);

/// Where the events of all requests come together.
pub(super) struct Intake<O> {
    asked: Mutex<Asked>,
    outlet: O,
    shutdown: CancellationToken,
}

struct Asked {
    detection: RequestDetection,
    recent: Recent,
}

impl<O: Outlet> Intake<O> {
    pub(super) fn new(detection: RequestDetection, outlet: O, shutdown: CancellationToken) -> Self {
        let asked = Mutex::new(Asked { detection, recent: Recent::new() });
        Self { asked, outlet, shutdown }
    }

    /// Whether there is room for another event.
    pub(super) fn has_room(&self) -> bool {
        self.outlet.has_room()
    }

    /// Whether what is taken now could come too late for the link.
    pub(super) fn is_ending(&self) -> bool {
        self.shutdown.is_cancelled()
    }

    /// Takes an event: asks the rules, and sends it on.
    pub(super) fn take(&self, item: Item<'_>) {
        let Item::Whole(json) = item else { return self.lose(LossReason::TooLarge) };
        let mut asked = self.lock();
        if asked.recent.knows(json) {
            return metrics::repeated();
        }
        match kubernetes_audit::parse_item(json) {
            Ok(event) => self.take_event(event, &mut asked),
            Err(AuditError::TooLarge(_)) => self.lose(LossReason::TooLarge),
            Err(error) => {
                tracing::debug!(%error, "an item of a list is no audit event");
                self.lose(LossReason::Undecodable);
            }
        }
    }

    fn take_event(&self, event: AuditEvent, asked: &mut Asked) {
        metrics::event();
        self.tell_admission(&event);
        asked.detection.look(&event, now(), &self.outlet);
        self.outlet.send(Record::Audit(Box::new(event)));
    }

    /// What admission policies of the API server noted of the request. Whichever replica takes the event tells it; the next
    /// snapshot of all findings, a day later at most, takes it back.
    fn tell_admission(&self, event: &AuditEvent) {
        let findings = assessment::admission_findings(event);
        if findings.is_empty() {
            return;
        }
        let item = |finding| InventoryItem::Finding(Box::new(finding));
        let (kind, now) = (InventoryKind::Findings, Timestamp::now());
        let changed = findings.into_iter().map(item).collect();
        let inventory = Inventory::of_cluster(kind, now, changed, vec![], None);
        self.outlet.send(Record::Inventory(Box::new(inventory)));
    }

    /// Counts an event, or a body, that can't be read. The link sums what is counted.
    pub(super) fn lose(&self, reason: LossReason) {
        metrics::lost(reason);
        let (since, kind) = (Timestamp::now(), "audit".to_owned());
        let loss = Loss { lane: Lane::Telemetry, kind, reason, count: 1, since, until: since };
        self.outlet.send(Record::Loss(loss));
    }

    /// Tells counts of alerts and keeps what was learnt, until `shutdown`.
    pub(super) async fn keep_up(
        self: Arc<Self>,
        shutdown: CancellationToken,
    ) -> Result<(), Infallible> {
        while shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            let mut asked = self.lock();
            asked.detection.tell_held(now(), false, &self.outlet);
            asked.detection.tick(now());
        }
        let mut asked = self.lock();
        asked.detection.tell_held(now(), true, &self.outlet);
        asked.detection.end();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
