use super::windows::Windows;
use event_model::{HeldAlerts, HeldReason, Timestamp};
use foldhash::fast::RandomState;
use metrics::counter;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

/// How often the counts are told.
const TOLD_EVERY: Duration = Duration::from_mins(1);
/// Rules and suppressions that are counted at once.
const MOST_COUNTS: usize = 4 << 10;
/// Rules and suppressions whose counts have labels of their own in the metrics.
const MOST_LABELS: usize = 512;
const OTHER: &str = "other";

/// What suppressions take, by rule and suppression.
pub struct Suppressed {
    hashes: RandomState,
    counts: Windows<()>,
    labels: HashSet<u64>,
}

impl Suppressed {
    /// None yet.
    pub fn new() -> Self {
        let counts = Windows::new(TOLD_EVERY, MOST_COUNTS);
        Self { hashes: RandomState::default(), counts, labels: HashSet::new() }
    }

    /// Counts an alert of that rule, whose act was at that time.
    pub fn count(
        &mut self,
        rule: &str,
        suppression: &str,
        time: Timestamp,
        now: Instant,
    ) -> HeldReason {
        let key = self.hashes.hash_one((rule, suppression));
        self.measure(key, rule, suppression);
        let reason = HeldReason::Suppressed { suppression: suppression.to_owned() };
        if self.counts.get(key, now).is_none() {
            self.counts.open(key, now, ());
        }
        if let Some(window) = self.counts.get(key, now) {
            window.hold(rule, &reason, time);
        }
        reason
    }

    /// The counts that are due.
    pub fn over(&mut self, now: Instant) -> Vec<HeldAlerts> {
        self.counts.over(now)
    }

    /// All counts.
    pub fn close_all(&mut self) -> Vec<HeldAlerts> {
        self.counts.close_all()
    }

    fn measure(&mut self, key: u64, rule: &str, suppression: &str) {
        let has_labels = self.labels.len() < MOST_LABELS || self.labels.contains(&key);
        let (rule, suppression) = if has_labels {
            self.labels.insert(key);
            (rule.to_owned(), suppression.to_owned())
        } else {
            (OTHER.to_owned(), OTHER.to_owned())
        };
        counter!("defender_alerts_suppressed_total", "rule" => rule, "suppression" => suppression)
            .increment(1);
    }
}
