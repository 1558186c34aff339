//! Rules that ask for several acts within a time: how many there were of each key.

use crate::field::{Facts, FieldUse, Value};
use foldhash::HashMap;
use foldhash::fast::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

/// How many acts make an alert.
#[derive(Debug)]
pub(crate) struct Burst {
    /// So many acts, or different values of [`Self::distinct`].
    pub at_least: u32,
    /// In the time of the acts.
    pub within: Duration,
    /// Acts count together where these have the same values. A missing value is a value of its own.
    pub by: Vec<FieldUse>,
    /// Its different values count, instead of acts. Acts without it do not.
    pub distinct: Option<FieldUse>,
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.distinct {
            Some(field) => write!(f, "{} different values of {field}", self.at_least)?,
            None => write!(f, "{} acts", self.at_least)?,
        }
        let by: Vec<_> = self.by.iter().map(ToString::to_string).collect();
        write!(f, " within {} s for one {}", self.within.as_secs(), by.join(" and "))
    }
}

/// Acts that are kept in mind for all keys together: 16 bytes each.
const MOST_KEPT: usize = 1 << 18;

/// What the rules that ask for several acts have seen. In memory: it begins anew with the sensor.
#[derive(Debug, Default)]
pub struct Tally {
    hashes: RandomState,
    counts: HashMap<u64, Count>,
    kept: usize,
    forgotten: u64,
}

/// Of one rule and key.
#[derive(Debug, Default)]
struct Count {
    /// What each act was, and when: the oldest first.
    seen: Vec<(u64, u64)>,
    /// After an alert, until its time is over.
    silent_until: u64,
    within: u64,
}

impl Count {
    fn last(&self) -> u64 {
        self.seen.last().map_or(self.silent_until, |(_, time)| *time)
    }

    fn is_over(&self, now: u64) -> bool {
        self.last().saturating_add(self.within) < now && self.silent_until < now
    }

    /// Whether this act is the last that was needed.
    fn add(&mut self, what: u64, now: u64, burst: &Burst) -> bool {
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

impl Tally {
    /// Whether an act that a rule's condition holds for completes a burst: once for each.
    pub(crate) fn completes(&mut self, rule: usize, burst: &Burst, facts: &Facts<'_>) -> bool {
        let what = match &burst.distinct {
            None => 0,
            Some(field) => match field.access.value(facts) {
                Some(value) => self.hash(|hasher| hash_value(&value, hasher)),
                None => return false,
            },
        };
        let key = self.hash(|hasher| {
            rule.hash(hasher);
            for field in &burst.by {
                match field.access.value(facts) {
                    Some(value) => hash_value(&value, hasher),
                    None => hasher.write_u8(0),
                }
            }
        });
        let now = facts.time().0;
        self.make_room(now);
        let within = u64::try_from(burst.within.as_nanos()).unwrap_or(u64::MAX);
        let count = self.counts.entry(key).or_default();
        count.within = within;
        let before = count.seen.len();
        let completes = count.add(what, now, burst);
        self.kept = self.kept + count.seen.len() - before;
        completes
    }

    /// How many counts were given up for want of room: acts that might have become alerts.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn hash(&self, write: impl FnOnce(&mut <RandomState as BuildHasher>::Hasher)) -> u64 {
        let mut hasher = self.hashes.build_hasher();
        write(&mut hasher);
        hasher.finish()
    }

    /// Forgets what is over; where that is not enough, the older half.
    fn make_room(&mut self, now: u64) {
        if self.kept < MOST_KEPT && self.counts.len() < MOST_KEPT / 4 {
            return;
        }
        self.counts.retain(|_, count| !count.is_over(now));
        self.kept = self.counts.values().map(|count| count.seen.len()).sum();
        if self.kept < MOST_KEPT / 2 && self.counts.len() < MOST_KEPT / 8 {
            return;
        }
        let mut ages: Vec<u64> = self.counts.values().map(Count::last).collect();
        ages.sort_unstable();
        let middle = ages[ages.len() / 2];
        let before = self.counts.len();
        self.counts.retain(|_, count| count.last() > middle);
        self.forgotten += (before - self.counts.len()) as u64;
        self.kept = self.counts.values().map(|count| count.seen.len()).sum();
    }
}

fn hash_value(value: &Value<'_>, hasher: &mut impl Hasher) {
    match value {
        Value::Text(text) => text.hash(hasher),
        Value::Number(number) => number.hash(hasher),
        Value::Boolean(truth) => truth.hash(hasher),
        Value::Address(address) => address.hash(hasher),
        Value::Missing => {}
    }
}
