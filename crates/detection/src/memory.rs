//! What rules remember of earlier acts: bursts count them, sequences wait for the next of them, baselines know what is usual.
//!
//! All three are one mechanism: a [`Room`] of memories, each of one rule and one key (the values of the rule's `by`). A rule is
//! known by what it says, so that a rule that is loaded again unchanged finds its memories.

mod baseline;
mod burst;
mod key;
mod room;
mod sequence;
mod stored;

pub(crate) use baseline::FirstSeen;
pub(crate) use burst::Burst;
pub(crate) use key::{Key, PROCESS_TREE};
pub(crate) use sequence::{Evidence, Sequence, Step};
pub use stored::BaselinesError;

use crate::engine::Engine;
use crate::field::{Facts, FieldUse};
use baseline::Known;
use burst::Count;
use foldhash::quality::{FixedState, RandomState};
use room::Room;
use sequence::Chains;
use std::collections::HashSet;
use std::fmt;
use std::hash::BuildHasher;

/// What a rule asks for besides an act that its condition holds for.
#[derive(Debug)]
pub(crate) enum Stateful {
    Burst(Burst),
    Sequence(Sequence),
    FirstSeen(FirstSeen),
}

impl Stateful {
    /// The fields that tell its memories apart, or are remembered.
    pub fn fields(&self) -> impl Iterator<Item = &FieldUse> {
        let (keys, distinct) = match self {
            Self::Burst(burst) => (vec![&burst.by], burst.distinct.as_ref()),
            Self::FirstSeen(baseline) => (vec![&baseline.values, &baseline.by], None),
            Self::Sequence(sequence) => {
                let of_steps = sequence.steps.iter().filter_map(|step| step.by.as_ref());
                (of_steps.chain([&sequence.by]).collect(), None)
            }
        };
        keys.into_iter().flat_map(|key| &key.fields).chain(distinct)
    }

    /// The acts that must come before.
    pub fn steps(&self) -> &[Step] {
        match self {
            Self::Sequence(sequence) => &sequence.steps,
            Self::Burst(_) | Self::FirstSeen(_) => &[],
        }
    }
}

impl fmt::Display for Stateful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Burst(burst) => burst.fmt(f),
            Self::Sequence(sequence) => sequence.fmt(f),
            Self::FirstSeen(baseline) => baseline.fmt(f),
        }
    }
}

/// A rule and what it says, as a number.
pub(crate) type Fingerprint = u64;

/// Bytes that the memories of each kind may take.
const MOST_BYTES: usize = 8 << 20;

/// What the rules remember: 8 MiB for bursts, for sequences and for baselines each. Where that is not enough, the memories that were used
/// least lately are given up, and counted.
#[derive(Debug)]
pub struct Tally {
    seed: u64,
    hashes: FixedState,
    bursts: Room<Count>,
    sequences: Room<Chains>,
    baselines: Room<Known>,
    /// Values beyond what one baseline holds.
    too_varied: u64,
    baseline_changes: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self::seeded(RandomState::default().hash_one(0_u8))
    }
}

impl Tally {
    /// Keys and values are known by their hashes, which nobody who does not know the seed can make collide.
    fn seeded(seed: u64) -> Self {
        Self {
            seed,
            hashes: FixedState::with_seed(seed),
            bursts: Room::of(MOST_BYTES),
            sequences: Room::of(MOST_BYTES),
            baselines: Room::of(MOST_BYTES),
            too_varied: 0,
            baseline_changes: 0,
        }
    }

    /// Whether an act that a rule's condition holds for completes a burst: once for each.
    pub(crate) fn completes(
        &mut self,
        rule: Fingerprint,
        burst: &Burst,
        facts: &Facts<'_>,
    ) -> bool {
        let Some(what) = burst.what(&self.hashes, facts) else { return false };
        let key = burst.by.with_missing(&self.hashes, rule, facts);
        let now = facts.time().0;
        self.bursts.remember(key, now, || Count::new(burst), |count| count.add(what, now, burst))
    }

    /// An act that a step's condition holds for: it takes the sequences further that wait for it.
    pub(crate) fn reach(
        &mut self,
        rule: Fingerprint,
        sequence: &Sequence,
        step: usize,
        facts: &Facts<'_>,
        evidence: impl FnOnce() -> Evidence,
    ) {
        let by = sequence.steps[step].by.as_ref().unwrap_or(&sequence.by);
        let Some(base) = by.whole(&self.hashes, rule, facts) else { return };
        let now = facts.time().0;
        if step == 0 {
            let key = by.of_actor(&self.hashes, base, facts);
            let evidence = evidence();
            let chains = || Chains::new(sequence);
            self.sequences.remember(key, now, chains, |chains| chains.begin(evidence));
            return;
        }
        self.sequences.make_room(now);
        let mut keys = by.of_ancestry(&self.hashes, base, facts);
        keys.retain(|key| {
            self.sequences.change(*key, |chains| chains.wait_for(step, now)) == Some(true)
        });
        if keys.is_empty() {
            return;
        }
        let evidence = evidence();
        for key in keys {
            self.sequences.change(key, |chains| chains.go_on(step, evidence.clone()));
        }
    }

    /// What came before an act that a rule's own condition holds for, where it ends a sequence: once for each.
    pub(crate) fn ends(
        &mut self,
        rule: Fingerprint,
        sequence: &Sequence,
        facts: &Facts<'_>,
    ) -> Option<Vec<Evidence>> {
        let base = sequence.by.whole(&self.hashes, rule, facts)?;
        let now = facts.time().0;
        let keys = sequence.by.of_ancestry(&self.hashes, base, facts);
        keys.into_iter().find_map(|key| self.sequences.change(key, |chains| chains.end(now))?)
    }

    /// Whether an act that a rule's condition holds for shows what was never seen of its workload while the sensor learnt, nor since.
    pub(crate) fn is_new(
        &mut self,
        rule: Fingerprint,
        baseline: &FirstSeen,
        facts: &Facts<'_>,
    ) -> bool {
        let Some(value) = baseline.values.whole(&self.hashes, rule, facts) else { return false };
        let Some(key) = baseline.by.whole(&self.hashes, rule, facts) else { return false };
        let now = facts.time().0;
        let seen = self.baselines.remember(
            key,
            now,
            || Known::new(rule, now),
            |known| known.see(value, now, baseline),
        );
        self.baseline_changes += u64::from(seen.is_change());
        self.too_varied += u64::from(seen == baseline::Seen::TooMuch);
        seen == baseline::Seen::New
    }

    /// How many memories were given up for want of room: acts that might have become alerts.
    pub const fn forgotten(&self) -> u64 {
        self.bursts.forgotten()
            + self.sequences.forgotten()
            + self.baselines.forgotten()
            + self.too_varied
    }

    /// How often baselines were added to: whether there is something to store.
    pub const fn baseline_changes(&self) -> u64 {
        self.baseline_changes
    }

    /// Gives up the baselines of rules that are none of the engine's any more.
    pub fn keep_baselines_of(&mut self, engine: &Engine) {
        let known: HashSet<Fingerprint> = engine.baseline_rules().collect();
        self.baselines.retain(|baseline| known.contains(&baseline.rule));
    }
}
