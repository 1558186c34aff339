//! Rules that ask for what was never seen before: what is known of each workload.

use super::Fingerprint;
use super::burst::nanoseconds;
use super::key::Key;
use super::room::Memory;
use std::fmt;
use std::time::Duration;

/// Values of one workload that are known. What has more of them has no usual ones.
const MOST_VALUES: usize = 1024;

/// So long after its last act a workload is held to be gone: 30 days.
const GONE_AFTER: u64 = 30 * 24 * 3600 * 1_000_000_000;

/// What makes an act new.
#[derive(Debug)]
pub(crate) struct FirstSeen {
    /// Of these values together.
    pub values: Key,
    /// What a workload is. Acts without one of its values are of none.
    pub by: Key,
    /// So long after the first act of a workload nothing of it is new.
    pub learn_for: Duration,
}

impl fmt::Display for FirstSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.learn_for.as_secs();
        write!(f, "a first value of {} for one {}, learnt for {seconds} s", self.values, self.by)
    }
}

/// What an act shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It was known.
    Before,
    /// It was learnt.
    Learnt,
    /// It was not known, and the time to learn is over.
    New,
    /// There is no room for it: of so many values none is unusual.
    TooMuch,
}

impl Seen {
    pub fn is_change(self) -> bool {
        matches!(self, Self::Learnt | Self::New)
    }
}

/// Of one rule and workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub rule: Fingerprint,
    /// When learning began.
    pub since: u64,
    pub last: u64,
    /// Hashes, sorted.
    pub values: Vec<u64>,
}

impl Known {
    pub const fn new(rule: Fingerprint, now: u64) -> Self {
        Self { rule, since: now, last: now, values: vec![] }
    }

    pub fn see(&mut self, value: u64, now: u64, baseline: &FirstSeen) -> Seen {
        self.last = self.last.max(now);
        let Err(place) = self.values.binary_search(&value) else { return Seen::Before };
        if self.values.len() >= MOST_VALUES {
            return Seen::TooMuch;
        }
        self.values.insert(place, value);
        let learns = now < self.since.saturating_add(nanoseconds(baseline.learn_for));
        if learns { Seen::Learnt } else { Seen::New }
    }

    /// Whether it can have come about by [`Self::see`].
    pub fn is_sound(&self) -> bool {
        self.since <= self.last
            && self.values.len() <= MOST_VALUES
            && self.values.is_sorted_by(|one, next| one < next)
    }
}

impl Memory for Known {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<u64>()
    }

    fn last(&self) -> u64 {
        self.last
    }

    fn is_over(&self, now: u64) -> bool {
        self.last.saturating_add(GONE_AFTER) < now
    }
}
