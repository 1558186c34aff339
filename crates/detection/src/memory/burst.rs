//! Rules that ask for several acts within a time: how many there were of each key.

use super::key::{Key, hash_value};
use super::room::Memory;
use crate::field::{Facts, FieldUse};
use foldhash::quality::FixedState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// How many acts make an alert.
#[derive(Debug)]
pub(crate) struct Burst {
    /// So many acts, or different values of [`Self::distinct`].
    pub at_least: u32,
    /// In the time of the acts.
    pub within: Duration,
    /// Acts count together where these have the same values. A missing value is a value of its own.
    pub by: Key,
    /// Its different values count, instead of acts. Acts without it do not.
    pub distinct: Option<FieldUse>,
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.distinct {
            Some(field) => write!(f, "{} different values of {field}", self.at_least)?,
            None => write!(f, "{} acts", self.at_least)?,
        }
        write!(f, " within {} s for one {}", self.within.as_secs(), self.by)
    }
}

impl Burst {
    /// What an act counts as. None: it does not count.
    pub(super) fn what(&self, hashes: &FixedState, facts: &Facts<'_>) -> Option<u64> {
        let Some(field) = &self.distinct else { return Some(0) };
        let mut hasher = hashes.build_hasher();
        hash_value(&field.access.value(facts)?, &mut hasher);
        Some(hasher.finish())
    }
}

/// Of one rule and key.
#[derive(Debug)]
pub(super) struct Count {
    /// What each act was, and when: the oldest first.
    seen: Vec<(u64, u64)>,
    /// After an alert, until its time is over.
    silent_until: u64,
    within: u64,
}

impl Count {
    pub fn new(burst: &Burst) -> Self {
        Self { seen: vec![], silent_until: 0, within: nanoseconds(burst.within) }
    }

    /// Whether this act is the last that was needed.
    pub fn add(&mut self, what: u64, now: u64, burst: &Burst) -> bool {
        if now < self.silent_until {
            return false;
        }
        let (within, at_least) = (self.within, burst.at_least as usize);
        self.seen.retain(|(_, time)| time.saturating_add(within) >= now);
        if burst.distinct.is_some() {
            self.seen.retain(|(known, _)| *known != what);
        }
        self.seen.push((what, now));
        if self.seen.len() < at_least {
            return false;
        }
        self.seen.clear();
        self.silent_until = now.saturating_add(within);
        true
    }
}

impl Memory for Count {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.seen.capacity() * size_of::<(u64, u64)>()
    }

    fn last(&self) -> u64 {
        self.seen.last().map_or(self.silent_until, |(_, time)| *time)
    }

    fn is_over(&self, now: u64) -> bool {
        self.last().saturating_add(self.within) < now && self.silent_until < now
    }
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
