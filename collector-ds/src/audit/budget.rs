use std::time::{Duration, Instant};

/// So many seconds' worth may wait in the file; what goes beyond is passed over until half of it is left.
const SECONDS_BEHIND: u64 = 10;

/// How much of the file is taken. Reading on costs next to nothing; it is events that cost.
#[derive(Debug)]
pub struct Budget {
    bytes_a_second: u64,
    left: u64,
    refilled_at: Instant,
    /// Too much waits: lines are counted and not taken.
    passes_over: bool,
}

impl Budget {
    /// A second's worth to begin with.
    pub const fn new(bytes_a_second: u64, now: Instant) -> Self {
        Self { bytes_a_second, left: bytes_a_second, refilled_at: now, passes_over: false }
    }

    /// Adds what the time since has brought, up to a second's worth.
    pub fn refill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.refilled_at).min(Duration::from_secs(1));
        let earned = u128::from(self.bytes_a_second) * since.as_nanos() / 1_000_000_000;
        let earned = u64::try_from(earned).unwrap_or(u64::MAX);
        self.left = self.left.saturating_add(earned).min(self.bytes_a_second);
        self.refilled_at = now;
    }

    /// Decides by what waits whether lines are passed over.
    pub fn look_at_backlog(&mut self, bytes: u64) {
        let most = self.most_behind();
        self.passes_over = bytes > if self.passes_over { most / 2 } else { most };
    }

    /// So many bytes may wait in the file.
    pub const fn most_behind(&self) -> u64 {
        self.bytes_a_second.saturating_mul(SECONDS_BEHIND)
    }

    /// Nothing more is to be read for now.
    pub const fn is_spent(&self) -> bool {
        self.left == 0 && !self.passes_over
    }

    /// Whether a line of so many bytes is taken. One that is larger than what is left is, too: it was read.
    pub const fn takes(&mut self, bytes: usize) -> bool {
        if self.passes_over {
            return false;
        }
        self.left = self.left.saturating_sub(bytes as u64 + 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_brings_a_second_s_worth_and_no_more_is_saved() {
        let start = Instant::now();
        let mut budget = Budget::new(1000, start);
        assert!(budget.takes(2000) && budget.is_spent());
        budget.refill(start + Duration::from_millis(100));
        assert!(!budget.is_spent() && budget.takes(99) && budget.is_spent());
        budget.refill(start + Duration::from_mins(1));
        assert!(budget.takes(999) && budget.is_spent());
    }

    #[test]
    fn what_waits_too_long_is_passed_over_until_half_is_left() {
        let mut budget = Budget::new(1000, Instant::now());
        budget.look_at_backlog(10_000);
        assert!(budget.takes(1));
        budget.look_at_backlog(10_001);
        assert!(!budget.takes(1));
        budget.look_at_backlog(5001);
        assert!(!budget.takes(1) && !budget.is_spent());
        budget.look_at_backlog(5000);
        assert!(budget.takes(1));
    }
}
