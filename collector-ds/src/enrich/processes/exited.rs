use event_model::ProcessKey;
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// The processes that ended and are still known, by when they ended.
#[derive(Default)]
pub(super) struct Exited {
    /// Within the retention, the oldest first.
    recent: VecDeque<(Instant, ProcessKey)>,
    /// Past it, and kept because children of theirs are known.
    lingering: BTreeSet<(Instant, ProcessKey)>,
}

impl Exited {
    pub fn push(&mut self, at: Instant, key: ProcessKey) {
        self.recent.push_back((at, key));
    }

    /// The next one that ended longer than `retention` ago.
    pub fn pop_older_than(
        &mut self,
        now: Instant,
        retention: Duration,
    ) -> Option<(Instant, ProcessKey)> {
        let (at, _) = self.recent.front()?;
        if now.saturating_duration_since(*at) < retention {
            return None;
        }
        self.recent.pop_front()
    }

    pub fn linger(&mut self, at: Instant, key: ProcessKey) {
        self.lingering.insert((at, key));
    }

    /// Tells whether it was lingering.
    pub fn stop_lingering(&mut self, at: Instant, key: ProcessKey) -> bool {
        self.lingering.remove(&(at, key))
    }

    /// The one that ended first.
    pub fn pop_oldest(&mut self) -> Option<(Instant, ProcessKey)> {
        self.lingering.pop_first().or_else(|| self.recent.pop_front())
    }
}
