use event_model::Priority;
use metrics::{Counter, counter};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts alerts on whichever thread they are raised: for metrics, and for the sensor's status.
#[derive(Clone)]
pub struct AlertCounts {
    counters: [Counter; Priority::ALL.len()],
    total: Arc<AtomicU64>,
}

impl Default for AlertCounts {
    fn default() -> Self {
        let counter =
            |priority: Priority| counter!("defender_alerts_total", "priority" => priority.name());
        Self { counters: Priority::ALL.map(counter), total: Arc::default() }
    }
}

impl AlertCounts {
    /// A rule matched.
    pub fn count(&self, priority: Priority) {
        let place = Priority::ALL.iter().position(|other| *other == priority);
        if let Some(counter) = place.and_then(|place| self.counters.get(place)) {
            counter.increment(1);
        }
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    /// Alerts of all priorities.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}
