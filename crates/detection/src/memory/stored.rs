//! Baselines as bytes, which whoever does I/O keeps over a restart.
//!
//! Numbers of 8 bytes, the lowest byte first: [`FORMAT`], the seed of the hashes, a hash that shows whether this program hashes as the one
//! did that wrote, how many baselines there are, each of them (key, rule, since, last, count of values, values), and a hash of all that.

use super::Tally;
use super::baseline::Known;
use std::hash::BuildHasher;

/// `DEFBASE1`
const FORMAT: u64 = u64::from_le_bytes(*b"DEFBASE1");

/// What is hashed to see whether hashes are the same.
const PROBE: &str = "the hashes of this program";

/// Why bytes are no baselines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaselinesError {
    /// They are something else.
    NoBaselines,
    /// They were written by a program that hashes otherwise.
    OtherHashes,
    /// They are not as they were written.
    Damaged,
}

impl std::fmt::Display for BaselinesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoBaselines => "these are no baselines",
            Self::OtherHashes => "another version wrote these baselines",
            Self::Damaged => "the baselines are damaged",
        })
    }
}

impl std::error::Error for BaselinesError {}

impl Tally {
    /// The baselines, to be given to [`Self::with_baselines`] after a restart.
    pub fn baselines(&self) -> Vec<u8> {
        let mut bytes = vec![];
        let mut write = |number: u64| bytes.extend(number.to_le_bytes());
        let baselines = self.baselines.iter();
        let head = [FORMAT, self.seed, self.hashes.hash_one(PROBE), baselines.len() as u64];
        head.into_iter().for_each(&mut write);
        for (key, known) in baselines {
            let head = [key, known.rule, known.since, known.last, known.values.len() as u64];
            head.iter().chain(&known.values).copied().for_each(&mut write);
        }
        let check = self.hashes.hash_one(&bytes[..]);
        bytes.extend(check.to_le_bytes());
        bytes
    }

    /// Remembers nothing but these baselines.
    ///
    /// # Errors
    /// They are not what [`Self::baselines`] gave.
    pub fn with_baselines(bytes: &[u8]) -> Result<Self, BaselinesError> {
        let (body, check) = bytes.split_last_chunk().ok_or(BaselinesError::NoBaselines)?;
        let mut numbers = Numbers(body);
        if numbers.next() != Some(FORMAT) {
            return Err(BaselinesError::NoBaselines);
        }
        let mut tally = Self::seeded(numbers.next().ok_or(BaselinesError::Damaged)?);
        if numbers.next() != Some(tally.hashes.hash_one(PROBE)) {
            return Err(BaselinesError::OtherHashes);
        }
        if tally.hashes.hash_one(body) != u64::from_le_bytes(*check) {
            return Err(BaselinesError::Damaged);
        }
        for _ in 0..numbers.next().ok_or(BaselinesError::Damaged)? {
            let (key, known) = numbers.known().ok_or(BaselinesError::Damaged)?;
            if !known.is_sound() || !tally.baselines.insert(key, known) {
                return Err(BaselinesError::Damaged);
            }
        }
        if numbers.0.is_empty() { Ok(tally) } else { Err(BaselinesError::Damaged) }
    }
}

/// What is left to be read.
struct Numbers<'b>(&'b [u8]);

impl Numbers<'_> {
    fn next(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn known(&mut self) -> Option<(u64, Known)> {
        let (key, rule, since, last) = (self.next()?, self.next()?, self.next()?, self.next()?);
        let count = usize::try_from(self.next()?).ok()?;
        // Before room is made for them.
        if count > self.0.len() / size_of::<u64>() {
            return None;
        }
        let values: Option<Vec<u64>> = (0..count).map(|_| self.next()).collect();
        Some((key, Known { rule, since, last, values: values? }))
    }
}
