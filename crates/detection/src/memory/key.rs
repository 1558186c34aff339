use super::Fingerprint;
use crate::field::{Facts, FieldUse, Value};
use event_model::ProcessKey;
use foldhash::quality::FixedState;
use smallvec::SmallVec;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};

/// What tells the memories of a rule apart.
#[derive(Debug)]
pub(crate) struct Key {
    /// Acts belong together that are done by one process or those that descend from it.
    pub process_tree: bool,
    /// Acts belong together where these have the same values.
    pub fields: Vec<FieldUse>,
}

/// How rules write [`Key::process_tree`].
pub(crate) const PROCESS_TREE: &str = "process_tree";

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = self.process_tree.then(|| "process tree".to_owned());
        let names: Vec<_> =
            tree.into_iter().chain(self.fields.iter().map(ToString::to_string)).collect();
        f.write_str(&names.join(" and "))
    }
}

impl Key {
    /// Where a missing value is a value of its own.
    pub fn with_missing(&self, hashes: &FixedState, rule: Fingerprint, facts: &Facts<'_>) -> u64 {
        let mut sum = begun(hashes, rule);
        for field in &self.fields {
            match field.access.value(facts) {
                Some(value) => hash_value(&value, &mut sum),
                None => sum.write_u8(0),
            }
        }
        sum.finish()
    }

    /// None where a value is missing: what is not known is not the same.
    pub fn whole(&self, hashes: &FixedState, rule: Fingerprint, facts: &Facts<'_>) -> Option<u64> {
        let mut sum = begun(hashes, rule);
        for field in &self.fields {
            hash_value(&field.access.value(facts)?, &mut sum);
        }
        Some(sum.finish())
    }

    /// The key that an act begins a sequence under.
    pub fn of_actor(&self, hashes: &FixedState, base: u64, facts: &Facts<'_>) -> u64 {
        let actor = facts.process_keys().next().filter(|_| self.process_tree);
        actor.map_or(base, |process| of_process(hashes, base, process))
    }

    /// The keys of the sequences that an act may go on with: those begun by its process, then by each of its ancestors.
    pub fn of_ancestry(
        &self,
        hashes: &FixedState,
        base: u64,
        facts: &Facts<'_>,
    ) -> SmallVec<[u64; 16]> {
        if !self.process_tree {
            return SmallVec::from_slice(&[base]);
        }
        facts.process_keys().map(|process| of_process(hashes, base, process)).collect()
    }
}

fn begun(hashes: &FixedState, rule: Fingerprint) -> impl Hasher + use<> {
    let mut sum = hashes.build_hasher();
    rule.hash(&mut sum);
    sum
}

fn of_process(hashes: &FixedState, base: u64, process: ProcessKey) -> u64 {
    hashes.hash_one((base, process))
}

/// Each kind of value begins otherwise, so that a number is no text.
pub(super) fn hash_value(value: &Value<'_>, hasher: &mut impl Hasher) {
    match value {
        Value::Text(text) => (1_u8, text).hash(hasher),
        Value::Number(number) => (2_u8, number).hash(hasher),
        Value::Boolean(truth) => (3_u8, truth).hash(hasher),
        Value::Address(address) => (4_u8, address).hash(hasher),
        Value::Missing => 5_u8.hash(hasher),
    }
}
