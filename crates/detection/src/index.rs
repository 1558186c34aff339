//! Which of many conditions an act can match, by a few of its values instead of by asking each condition.

use crate::condition::Transformer;
use crate::field::{Facts, Value};
use crate::graph::{Graph, NodeId};
use crate::guard::{Ask, Guard, Popularity, Subject};
use crate::transform::transformed;
use aho_corasick::{AhoCorasick, MatchKind};
use foldhash::HashMap;
use smallvec::{SmallVec, smallvec};
use std::collections::BTreeMap;

/// Places of conditions, a bit each.
type Places = SmallVec<[u64; 16]>;

/// Conditions by what an act must show for them to hold.
#[derive(Debug, Default)]
pub(crate) struct Index {
    dimensions: Vec<Dimension>,
    /// Those that must be asked whatever an act shows.
    always: Vec<u32>,
    conditions: usize,
}

/// Conditions that look at the same field.
#[derive(Debug)]
struct Dimension {
    subject: Subject,
    whole: HashMap<Box<str>, Box<[u32]>>,
    parts: Option<PartsOf>,
}

/// Conditions by parts of a text.
#[derive(Debug)]
struct PartsOf {
    searcher: AhoCorasick,
    /// By the searcher's pattern.
    conditions: Vec<Box<[u32]>>,
}

/// By text.
type ByText = BTreeMap<Box<str>, Vec<u32>>;

#[derive(Default)]
struct Unsorted {
    whole: ByText,
    parts: ByText,
}

impl Index {
    /// Of conditions, each known by its place.
    pub fn new(graph: &Graph, conditions: &[NodeId], popularity: &Popularity) -> Self {
        let mut always = vec![];
        let mut by_subject: Vec<(Subject, Unsorted)> = vec![];
        for (place, condition) in (0..).zip(conditions) {
            match Guard::of(graph, *condition, popularity) {
                Some(guard) => add(&mut by_subject, guard, place),
                None => always.push(place),
            }
        }
        let mut dimensions = vec![];
        for (subject, Unsorted { whole, parts }) in by_subject {
            let parts = searched(parts).unwrap_or_else(|unsearched| {
                always.extend(unsearched);
                None
            });
            let whole = whole.into_iter().map(|(text, places)| (text, places.into())).collect();
            dimensions.push(Dimension { subject, whole, parts });
        }
        Self { dimensions, always, conditions: conditions.len() }
    }

    /// The places of the conditions that may hold, in their order.
    pub fn candidates(&self, facts: &Facts<'_>) -> impl Iterator<Item = usize> + use<> {
        let mut places: Places = smallvec![0; self.conditions.div_ceil(64)];
        mark(&mut places, &self.always);
        for dimension in &self.dimensions {
            dimension.mark(facts, &mut places);
        }
        places
            .into_iter()
            .enumerate()
            .flat_map(|(word, bits)| ones(bits).map(move |bit| 64 * word + bit))
    }
}

impl Dimension {
    fn mark(&self, facts: &Facts<'_>, places: &mut Places) {
        let Subject { field, transformers } = &self.subject;
        field.access.for_each(facts, |value| self.mark_value(transformers, value, places));
    }

    fn mark_value(&self, transformers: &[Transformer], value: &Value<'_>, places: &mut Places) {
        let changed;
        let value = if transformers.is_empty() {
            value
        } else {
            changed = transformed(transformers, value);
            &changed
        };
        let Value::Text(text) = value else { return };
        if let Some(conditions) = self.whole.get(&**text) {
            mark(places, conditions);
        }
        if let Some(PartsOf { searcher, conditions }) = &self.parts {
            let found = searcher.find_overlapping_iter(&**text);
            found.for_each(|found| mark(places, &conditions[found.pattern()]));
        }
    }
}

fn mark(places: &mut Places, conditions: &[u32]) {
    for place in conditions {
        places[*place as usize / 64] |= 1 << (place % 64);
    }
}

fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(lowest)
    })
}

fn add(by_subject: &mut Vec<(Subject, Unsorted)>, guard: Guard, place: u32) {
    for Ask { subject, whole, texts } in guard.any {
        let known = by_subject.iter().position(|(known, _)| *known == subject);
        let known = known.unwrap_or_else(|| {
            by_subject.push((subject, Unsorted::default()));
            by_subject.len() - 1
        });
        let unsorted = &mut by_subject[known].1;
        let by_text = if whole { &mut unsorted.whole } else { &mut unsorted.parts };
        for text in texts {
            by_text.entry(text).or_default().push(place);
        }
    }
}

/// The conditions that can't be searched for, as an error.
fn searched(parts: ByText) -> Result<Option<PartsOf>, Vec<u32>> {
    if parts.is_empty() {
        return Ok(None);
    }
    let mut builder = AhoCorasick::builder();
    builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard);
    // It looks ahead for rare bytes, which takes longer than it spares in texts as short as these.
    builder.prefilter(false);
    match builder.build(parts.keys().map(|text| text.as_bytes())) {
        Ok(searcher) => {
            let conditions = parts.into_values().map(Into::into).collect();
            Ok(Some(PartsOf { searcher, conditions }))
        }
        Err(_) => Err(parts.into_values().flatten().collect()),
    }
}
