use event_model::{HeldReason, Priority};
use metrics::{Counter, counter};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts alerts on whichever thread they are raised: for metrics, and for the sensor's status.
#[derive(Clone)]
pub struct AlertCounts {
    by_priority: [Counter; Priority::ALL.len()],
    by_reason: [Counter; HeldReason::NAMES.len()],
    sent: Arc<AtomicU64>,
    held: Arc<AtomicU64>,
}

impl Default for AlertCounts {
    fn default() -> Self {
        let sent =
            |priority: Priority| counter!("defender_alerts_total", "priority" => priority.name());
        let held =
            |reason: &'static str| counter!("defender_alerts_held_total", "reason" => reason);
        Self {
            by_priority: Priority::ALL.map(sent),
            by_reason: HeldReason::NAMES.map(held),
            sent: Arc::default(),
            held: Arc::default(),
        }
    }
}

impl AlertCounts {
    /// An alert was sent.
    pub fn sent(&self, priority: Priority) {
        let place = Priority::ALL.iter().position(|other| *other == priority);
        if let Some(counter) = place.and_then(|place| self.by_priority.get(place)) {
            counter.increment(1);
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// An alert was held back.
    pub fn held(&self, reason: &HeldReason) {
        let place = HeldReason::NAMES.iter().position(|name| *name == reason.name());
        if let Some(counter) = place.and_then(|place| self.by_reason.get(place)) {
            counter.increment(1);
        }
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    /// Alerts that were sent, of all priorities.
    pub fn total_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Alerts that were held back, for whatever reason.
    pub fn total_held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}
