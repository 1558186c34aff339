use super::recent::Recent;
use super::{metrics, now};
use alerting::RequestDetection;
use event_model::{
    AuditEvent, Inventory, InventoryItem, InventoryKind, Lane, Loss, LossReason, Record, Timestamp,
};
use kubernetes_audit::{AuditError, Item};
use node_link::{Delivery, Moment, Outbox};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between looks at counts of alerts whose time is over.
const EVERY: Duration = Duration::from_secs(1);

/// The lanes of what is sent for an event: alerts, findings of admission, and the event.
const LANES: [Lane; 3] = [Lane::Alert, Lane::Inventory, Lane::Telemetry];

/// Where the events of all requests come together.
pub(super) struct Intake {
    asked: Mutex<Asked>,
    outbox: Outbox,
    shutdown: CancellationToken,
}

struct Asked {
    detection: RequestDetection,
    recent: Recent,
    /// Whatever is in `recent` was given to the outbox after this.
    known_since: Moment,
}

impl Intake {
    pub(super) fn new(
        detection: RequestDetection,
        outbox: Outbox,
        shutdown: CancellationToken,
    ) -> Self {
        let known_since = outbox.moment(&LANES);
        let asked = Mutex::new(Asked { detection, recent: Recent::new(), known_since });
        Self { asked, outbox, shutdown }
    }

    /// Whether there is room for another event.
    pub(super) fn has_room(&self) -> bool {
        self.outbox.has_room()
    }

    /// To be asked before the first event of a body, for [`Self::delivered`].
    pub(super) fn begin(&self) -> Moment {
        let mut asked = self.lock();
        let since = asked.known_since;
        if self.outbox.delivery_between(&since, &since) == Delivery::Uncertain {
            // Who sends an event again that was lost after it was taken must not be told that we have it.
            asked.recent.clear();
            asked.known_since = self.outbox.moment(&LANES);
        }
        asked.known_since
    }

    /// Resolves once all events that were taken since `begin`, or were known, are held by the publisher as durable. False
    /// where one may have been lost on the way: the body is to come again, and is taken anew.
    pub(super) async fn delivered(&self, begin: Moment) -> bool {
        let end = self.outbox.moment(&LANES);
        self.outbox.delivered(&begin, &end).await == Delivery::Acknowledged
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
        asked.detection.look(&event, now(), &self.outbox);
        self.outbox.send(Record::Audit(Box::new(event)));
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
        self.outbox.send(Record::Inventory(Box::new(inventory)));
    }

    /// Counts an event, or a body, that can't be read. The link sums what is counted.
    pub(super) fn lose(&self, reason: LossReason) {
        metrics::lost(reason);
        let (since, kind) = (Timestamp::now(), "audit".to_owned());
        let loss = Loss { lane: Lane::Telemetry, kind, reason, count: 1, since, until: since };
        self.outbox.send(Record::Loss(loss));
    }

    /// Tells counts of alerts and keeps what was learnt, until `shutdown`.
    pub(super) async fn keep_up(
        self: Arc<Self>,
        shutdown: CancellationToken,
    ) -> Result<(), Infallible> {
        while shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            let mut asked = self.lock();
            if self.has_delivered_alerts() {
                asked.detection.tick(now());
            }
            asked.detection.tell_held(now(), false, &self.outbox);
        }
        let mut asked = self.lock();
        if self.has_delivered_alerts() {
            asked.detection.end();
        }
        asked.detection.tell_held(now(), true, &self.outbox);
        Ok(())
    }

    /// What was learnt from a request is not kept before the alert that it raised: it would raise none when it comes again.
    fn has_delivered_alerts(&self) -> bool {
        let now = self.outbox.moment(&[Lane::Alert]);
        self.outbox.delivery_between(&now, &now) == Delivery::Acknowledged
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
