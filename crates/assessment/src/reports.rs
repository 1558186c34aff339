//! What others found: Gatekeeper, tools that write policy reports, and admission policies.

mod admission;
mod gatekeeper;
mod policy_report;

use crate::names::{Name, Names, beginning};
use crate::object::{Key, text};
use event_model::{Finding, FindingSeverity, FindingSource, ObjectReference};
use foldhash::HashMap;
use serde_json::Value;

pub use admission::{ADMISSION_FAILURE, admission_findings};
pub(crate) use gatekeeper::violations;
pub(crate) use policy_report::results;

/// Most results that are kept of all objects, and bytes of their texts.
const MOST: usize = 10_000;
/// Longest message that is kept, in bytes.
const LONGEST_MESSAGE: usize = 512;

/// What another found, by what its finding needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) source: FindingSource,
    pub(crate) policy: Name,
    pub(crate) severity: FindingSeverity,
    /// The object's `apiVersion`, kind, namespace, name and uid.
    pub(crate) object: [Name; 5],
    /// Such as a rule of the policy.
    pub(crate) part: Name,
    pub(crate) message: Name,
    /// Where it stands.
    pub(crate) told_by: Name,
    pub(crate) tag: Name,
}

impl Outcome {
    fn finding(&self) -> Finding {
        let [api_version, kind, namespace, name, uid] =
            self.object.clone().map(|text| text.to_string());
        let title = match self.source {
            FindingSource::Gatekeeper => "Constraint of Gatekeeper violated",
            _ => "Policy of a policy report failed",
        };
        let tags = if self.tag.is_empty() { vec![] } else { vec![self.tag.to_string()] };
        let namespace = (!namespace.is_empty()).then_some(namespace);
        Finding {
            source: self.source,
            policy: self.policy.to_string(),
            title: title.to_owned(),
            severity: self.severity,
            object: ObjectReference { api_version, kind, namespace, name, uid },
            part: self.part.to_string(),
            message: self.message.to_string(),
            evidence: vec![self.told_by.to_string()],
            tags,
        }
    }
}

/// Outcomes by the objects in which they stand.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    outcomes: HashMap<Key, Box<[Outcome]>>,
    count: usize,
}

impl Reports {
    /// Returns whether anything is other than before, and how many outcomes were left out.
    pub(crate) fn put(&mut self, key: Key, mut outcomes: Vec<Outcome>) -> (bool, u64) {
        let before = self.outcomes.remove(&key);
        self.count -= before.as_ref().map_or(0, |outcomes| outcomes.len());
        let room = MOST.saturating_sub(self.count);
        let left_out = outcomes.len().saturating_sub(room) as u64;
        outcomes.truncate(room);
        let is_other = before.as_deref().unwrap_or_default() != &*outcomes;
        self.count += outcomes.len();
        if !outcomes.is_empty() {
            self.outcomes.insert(key, outcomes.into());
        }
        (is_other, left_out)
    }

    /// Returns whether it was known.
    pub(crate) fn remove(&mut self, key: Key) -> bool {
        self.put(key, vec![]).0
    }

    /// How much a round of findings looks at.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Tells all of them. Where two tell the same of an object, as reports of several kinds do, one is told.
    pub(crate) fn findings(&self, is_exempt: &dyn Fn(&str) -> bool, put: &mut dyn FnMut(Finding)) {
        let mut all: Vec<_> = self.outcomes.values().flatten().collect();
        let identity = |one: &&Outcome| {
            (
                one.source,
                one.policy.clone(),
                one.object.clone(),
                one.part.clone(),
                one.told_by.clone(),
                one.message.clone(),
            )
        };
        all.sort_by_cached_key(identity);
        all.dedup_by(|b, a| {
            a.source == b.source
                && a.policy == b.policy
                && a.object[..4] == b.object[..4]
                && a.part == b.part
        });
        for outcome in all.into_iter().filter(|one| !is_exempt(&one.object[2])) {
            put(outcome.finding());
        }
    }
}

/// The five names of an object that a report names, some of which may be absent.
fn object(reference: &Value, names: &mut Names) -> [Name; 5] {
    ["apiVersion", "kind", "namespace", "name", "uid"].map(|field| names.of(text(reference, field)))
}

/// A message as far as it is kept, without control characters.
fn message(text: &str, names: &mut Names) -> Name {
    let line: String = beginning(text, LONGEST_MESSAGE)
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    names.of(&line)
}
