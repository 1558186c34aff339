//! Rules that ask for acts one after another: how far each sequence has come.

use super::burst::nanoseconds;
use super::key::Key;
use super::room::Memory;
use crate::event_type::EventTypes;
use crate::field::{Facts, Field};
use crate::graph::NodeId;
use event_model::{MatchedField, Timestamp};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Acts that must come before the one that the rule's own condition asks for.
#[derive(Debug)]
pub(crate) struct Sequence {
    /// In this order.
    pub steps: Vec<Step>,
    /// From the first act to the last, in their own time.
    pub within: Duration,
    /// Acts are of one sequence where these have the same values. Acts without one are of none.
    pub by: Key,
}

/// One of the acts before.
#[derive(Debug)]
pub(crate) struct Step {
    pub condition: NodeId,
    /// The types of acts that it can match.
    pub event_types: EventTypes,
    pub fields: Vec<&'static Field>,
    /// What takes the place of the sequence's `by` here, field by field.
    pub by: Option<Key>,
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (steps, seconds) = (self.steps.len(), self.within.as_secs());
        let acts = if steps == 1 { "an act".to_owned() } else { format!("{steps} acts") };
        write!(f, "{acts} before, all within {seconds} s of one {}", self.by)
    }
}

/// An act that was a step, as the alert tells of it.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub time: u64,
    /// What its condition compared.
    pub fields: Arc<[MatchedField]>,
}

/// Fields of one act that are told, and characters of a value.
const MOST_FIELDS: usize = 8;
const LONGEST_VALUE: usize = 256;

impl Evidence {
    /// Of an act now, with the fields that its condition compared.
    pub fn of(facts: &Facts<'_>, fields: &mut Vec<MatchedField>) -> Self {
        fields.truncate(MOST_FIELDS);
        for field in fields.iter_mut() {
            if let Some((end, _)) = field.value.char_indices().nth(LONGEST_VALUE) {
                field.value.truncate(end);
            }
        }
        if let Some(value) = facts.actor() {
            fields.insert(0, MatchedField { field: "actor".to_owned(), value });
        }
        Self { time: facts.time().0, fields: std::mem::take(fields).into() }
    }

    /// As the alert tells it, with names that begin so.
    pub fn told(&self, prefix: &str) -> Vec<MatchedField> {
        let told =
            |field: &str, value: String| MatchedField { field: format!("{prefix}.{field}"), value };
        let time = told("time", Timestamp(self.time).to_string());
        let fields = self.fields.iter().map(|it| told(&it.field, it.value.clone()));
        std::iter::once(time).chain(fields).collect()
    }

    fn bytes(&self) -> usize {
        let texts = self.fields.iter().map(|it| it.field.len() + it.value.len());
        size_of::<Self>() + self.fields.len() * size_of::<MatchedField>() + texts.sum::<usize>()
    }
}

/// How far sequences of one rule and key have come.
#[derive(Debug)]
pub(super) struct Chains {
    /// For each step the acts up to it, of which the first is the latest there is: an older beginning can't end later.
    reached: Vec<Vec<Evidence>>,
    /// After an alert, until its time is over.
    silent_until: u64,
    within: u64,
}

impl Chains {
    pub fn new(sequence: &Sequence) -> Self {
        let reached = vec![vec![]; sequence.steps.len()];
        Self { reached, silent_until: 0, within: nanoseconds(sequence.within) }
    }

    /// The first step.
    pub fn begin(&mut self, evidence: Evidence) {
        if let Some(first) = self.reached.first_mut() {
            *first = vec![evidence];
        }
    }

    /// Whether all steps before this one were made in time.
    pub fn wait_for(&self, step: usize, now: u64) -> bool {
        let before = step.checked_sub(1).and_then(|before| self.reached.get(before)?.first());
        before.is_some_and(|first| first.time.saturating_add(self.within) >= now)
    }

    /// A later step.
    pub fn go_on(&mut self, step: usize, evidence: Evidence) {
        let mut chain = self.reached[step - 1].clone();
        chain.push(evidence);
        self.reached[step] = chain;
    }

    /// The last act: what came before it, where all did, and no alert of it was raised within the time.
    pub fn end(&mut self, now: u64) -> Option<Vec<Evidence>> {
        if now < self.silent_until || !self.wait_for(self.reached.len(), now) {
            return None;
        }
        let chain = self.reached.last_mut().map(std::mem::take);
        self.reached.iter_mut().for_each(Vec::clear);
        self.silent_until = now.saturating_add(self.within);
        chain
    }
}

impl Memory for Chains {
    fn bytes(&self) -> usize {
        // What chains share counts once: the end of each.
        let chains = self.reached.iter();
        let own = chains.map(|chain| {
            chain.last().map_or(0, Evidence::bytes) + chain.capacity() * size_of::<Evidence>()
        });
        size_of::<Self>()
            + self.reached.capacity() * size_of::<Vec<Evidence>>()
            + own.sum::<usize>()
    }

    fn last(&self) -> u64 {
        let times = self.reached.iter().filter_map(|chain| Some(chain.last()?.time));
        times.max().unwrap_or(self.silent_until)
    }

    fn is_over(&self, now: u64) -> bool {
        let begun = self.reached.iter().filter_map(|chain| Some(chain.first()?.time)).max();
        let waits = begun.is_some_and(|time| time.saturating_add(self.within) >= now);
        !waits && self.silent_until < now
    }
}
