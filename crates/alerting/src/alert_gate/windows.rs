use event_model::{HeldAlerts, HeldReason, Timestamp};
use foldhash::HashMap;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Times of one length, each of a key, in which alerts are counted. All are equally long, so that they end in the order
/// in which they began.
pub struct Windows<S> {
    length: Duration,
    most: usize,
    by_key: HashMap<u64, Window<S>>,
    /// Keys, the oldest first.
    order: VecDeque<u64>,
    /// Counts of windows that have ended, and were not told yet.
    ended: Vec<HeldAlerts>,
}

/// The time of one key.
pub struct Window<S> {
    began: Instant,
    /// What belongs to the key.
    pub state: S,
    /// What was held back. Most windows hold nothing.
    held: Option<Box<HeldAlerts>>,
}

impl<S> Windows<S> {
    /// Windows of that length, of which `most` are open at once.
    pub fn new(length: Duration, most: usize) -> Self {
        let (by_key, order) = (HashMap::default(), VecDeque::new());
        Self { length, most, by_key, order, ended: vec![] }
    }

    /// The window of a key, where one is open.
    pub fn get(&mut self, key: u64, now: Instant) -> Option<&mut Window<S>> {
        self.close(now);
        self.by_key.get_mut(&key)
    }

    /// Begins the window of a key that has none. Where there is no room, the oldest ends early.
    pub fn open(&mut self, key: u64, now: Instant, state: S) {
        self.close(now);
        if self.order.len() >= self.most {
            self.close_oldest();
        }
        if self.by_key.insert(key, Window { began: now, state, held: None }).is_none() {
            self.order.push_back(key);
        }
    }

    /// The counts whose windows are over.
    pub fn over(&mut self, now: Instant) -> Vec<HeldAlerts> {
        self.close(now);
        std::mem::take(&mut self.ended)
    }

    /// The counts of all windows, which are over now.
    pub fn close_all(&mut self) -> Vec<HeldAlerts> {
        while self.close_oldest() {}
        std::mem::take(&mut self.ended)
    }

    fn close(&mut self, now: Instant) {
        let length = self.length;
        let is_over = |window: &Window<S>| now.saturating_duration_since(window.began) >= length;
        while let Some(oldest) = self.order.front()
            && self.by_key.get(oldest).is_none_or(is_over)
        {
            self.close_oldest();
        }
    }

    fn close_oldest(&mut self) -> bool {
        let Some(key) = self.order.pop_front() else { return false };
        let held = self.by_key.remove(&key).and_then(|window| window.held);
        self.ended.extend(held.map(|held| *held));
        true
    }
}

impl<S> Window<S> {
    /// Counts an alert of that rule, whose act was at that time.
    pub fn hold(&mut self, rule: &str, reason: &HeldReason, time: Timestamp) {
        let held = self.held.get_or_insert_with(|| {
            let (rule, reason) = (rule.to_owned(), reason.clone());
            Box::new(HeldAlerts { rule, reason, count: 0, since: time, until: time })
        });
        held.count += 1;
        held.since = held.since.min(time);
        held.until = held.until.max(time);
    }
}
