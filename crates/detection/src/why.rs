//! Why a rule matches what happened, or does not: each part of its condition, with the values that it was asked of.

use crate::act::{Act, AuditAct};
use crate::engine::Engine;
use crate::event_source::EventSource;
use crate::event_type::EventType;
use crate::field::{Facts, Kind, Value};
use crate::graph::{Check, CheckId, Node, NodeId};
use crate::lower::decided;
use crate::outline::Outline;
use crate::rule::Rule;
use crate::transform::transformed;
use std::collections::HashMap;
use std::fmt;

/// More values of one field than these are counted.
const MOST_VALUES: usize = 6;
/// Longest value and longest check that are shown whole, in characters.
const LONGEST: usize = 200;

/// What another type of act, or a request instead of an act, adds to the distance: one of the right type is always nearer.
const OTHER_TYPE: u64 = 1000;

/// How a rule's condition came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    rule: String,
    holds: bool,
    distance: u64,
    /// Where a match makes no alert by itself: what does.
    needs: Option<String>,
    parts: Vec<WhyPart>,
}

/// A part of a condition. It is followed by the parts that it is made of, which are deeper by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyPart {
    /// 0 is the whole condition.
    pub depth: usize,
    /// How it came out.
    pub truth: Truth,
    /// `all of`, `any of`, `not`, a check, or a macro's name in front of one of these.
    pub text: String,
    /// The values of a check's field; empty where there is none, and for what has parts.
    pub values: Vec<String>,
}

/// How a part of a condition came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It does not, because the field that it asks for has no value.
    NoValue,
}

impl Why {
    /// The rule's name.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Whether the condition holds.
    pub const fn holds(&self) -> bool {
        self.holds
    }

    /// How many checks would have to come out otherwise for the condition to hold; 0 where it does. Those of the type of
    /// act weigh more than all others.
    pub const fn distance(&self) -> u64 {
        self.distance
    }

    /// The parts of the condition in the order in which they were written, each before those that it is made of.
    pub fn parts(&self) -> &[WhyPart] {
        &self.parts
    }

    /// The parts that keep the condition from holding; where it holds, those by which it does: what decided nothing is
    /// left out.
    #[must_use]
    pub fn decisive(&self) -> Self {
        let (mut parts, mut hidden_below) = (vec![], None);
        for part in &self.parts {
            if hidden_below.is_some_and(|depth| part.depth > depth) {
                continue;
            }
            let decides = (part.truth == Truth::True) == self.holds;
            hidden_below = (!decides || part.text == "not").then_some(part.depth);
            if decides {
                parts.push(part.clone());
            }
        }
        Self { parts, ..self.clone() }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, part) in self.parts.iter().enumerate() {
            f.write_str(if place > 0 { "\n" } else { "" })?;
            part.fmt(f)?;
        }
        match &self.needs {
            Some(needs) if self.holds => write!(f, "\nAn alert takes {needs}."),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for WhyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8}  {}{}", self.truth.name(), "  ".repeat(self.depth), self.text)?;
        if self.values.is_empty() { Ok(()) } else { write!(f, "  [{}]", self.values.join(", ")) }
    }
}

impl Truth {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::NoValue => "no value",
        }
    }
}

impl Engine {
    /// Why a rule's condition holds for an act, or does not. None where there is no rule of that name.
    pub fn why(&self, rule: &str, act: &Act<'_>) -> Option<Why> {
        let event_type = EventType::from(&act.event.kind);
        self.explained(rule, &Facts::of_act(act), Some(event_type))
    }

    /// Why a rule's condition holds for a request to an API server, or does not.
    pub fn why_audit(&self, rule: &str, act: &AuditAct<'_>) -> Option<Why> {
        self.explained(rule, &Facts::of_audit(act), None)
    }

    /// [`Why::distance`] of an act, for a fraction of the work.
    pub fn distance(&self, rule: &str, act: &Act<'_>) -> Option<u64> {
        let event_type = EventType::from(&act.event.kind);
        self.measured(rule, &Facts::of_act(act), Some(event_type))
    }

    /// [`Why::distance`] of a request, for a fraction of the work.
    pub fn distance_audit(&self, rule: &str, act: &AuditAct<'_>) -> Option<u64> {
        self.measured(rule, &Facts::of_audit(act), None)
    }

    fn measured(
        &self,
        rule: &str,
        facts: &Facts<'_>,
        event_type: Option<EventType>,
    ) -> Option<u64> {
        let rule = self.rules.iter().find(|known| known.name == rule)?;
        let mut reader = Reader { engine: self, facts, event_type, written: None };
        Some(reader.part(&rule.outline, 0, "").to_hold + other_source(rule, event_type))
    }

    fn explained(
        &self,
        rule: &str,
        facts: &Facts<'_>,
        event_type: Option<EventType>,
    ) -> Option<Why> {
        let rule = self.rules.iter().find(|known| known.name == rule)?;
        let written = Written { texts: self.graph.check_texts().collect(), parts: vec![] };
        let mut reader = Reader { engine: self, facts, event_type, written: Some(written) };
        let outcome = reader.part(&rule.outline, 0, "");
        let distance = outcome.to_hold + other_source(rule, event_type);
        Some(Why {
            rule: rule.name.clone(),
            holds: distance == 0,
            distance,
            needs: rule.stateful.as_ref().map(ToString::to_string),
            parts: reader.written.map(|written| written.parts).unwrap_or_default(),
        })
    }
}

/// Rules about acts are not asked of requests, nor the other way round: how far away that is.
fn other_source(rule: &Rule, event_type: Option<EventType>) -> u64 {
    if (rule.source == EventSource::Syscall) == event_type.is_some() { 0 } else { OTHER_TYPE }
}

/// How many checks keep a part from holding, and from not holding. One of them is 0.
#[derive(Clone, Copy)]
struct Outcome {
    to_hold: u64,
    to_fail: u64,
}

impl Outcome {
    fn holds(self) -> bool {
        self.to_hold == 0
    }

    fn negated(self) -> Self {
        Self { to_hold: self.to_fail, to_fail: self.to_hold }
    }

    fn all(parts: &[Self]) -> Self {
        let to_hold = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.to_hold));
        let to_fail = parts.iter().map(|part| part.to_fail).min().unwrap_or(OTHER_TYPE);
        Self { to_hold, to_fail }
    }

    fn any(parts: &[Self]) -> Self {
        let negated: Vec<_> = parts.iter().map(|part| part.negated()).collect();
        Self::all(&negated).negated()
    }
}

/// Goes through the parts of a condition in their order.
struct Reader<'w> {
    engine: &'w Engine,
    facts: &'w Facts<'w>,
    /// None: a request.
    event_type: Option<EventType>,
    /// None where nobody is going to read it.
    written: Option<Written<'w>>,
}

struct Written<'w> {
    texts: HashMap<CheckId, &'w str>,
    parts: Vec<WhyPart>,
}

impl Reader<'_> {
    /// `begin` stands before the part's own words.
    fn part(&mut self, outline: &Outline, depth: usize, begin: &str) -> Outcome {
        match outline {
            Outline::Check(node) => self.check(*node, depth, begin),
            Outline::Macro(named) => {
                let begin = match self.written {
                    Some(_) => format!("{begin}{}: ", named.name),
                    None => String::new(),
                };
                self.part(&named.outline, depth, &begin)
            }
            Outline::Not(inner) => {
                let place = self.open(depth, begin, "not");
                let outcome = self.part(inner, depth + 1, "").negated();
                self.close(place, outcome)
            }
            Outline::And(parts) => {
                let place = self.open(depth, begin, "all of");
                let outcomes = self.parts(parts, depth + 1);
                self.close(place, Outcome::all(&outcomes))
            }
            Outline::Or(parts) => {
                let place = self.open(depth, begin, "any of");
                let outcomes = self.parts(parts, depth + 1);
                self.close(place, Outcome::any(&outcomes))
            }
        }
    }

    fn parts(&mut self, parts: &[Outline], depth: usize) -> Vec<Outcome> {
        parts.iter().map(|part| self.part(part, depth, "")).collect()
    }

    /// Begins a part whose own parts come next; tells its place.
    fn open(&mut self, depth: usize, begin: &str, words: &str) -> usize {
        let Some(Written { parts, .. }) = &mut self.written else { return 0 };
        let text = format!("{begin}{words}");
        parts.push(WhyPart { depth, truth: Truth::False, text, values: vec![] });
        parts.len() - 1
    }

    fn close(&mut self, place: usize, outcome: Outcome) -> Outcome {
        if let Some(part) = self.written.as_mut().and_then(|written| written.parts.get_mut(place)) {
            part.truth = if outcome.holds() { Truth::True } else { Truth::False };
        }
        outcome
    }

    fn check(&mut self, node: NodeId, depth: usize, begin: &str) -> Outcome {
        let (holds, weight) = match self.engine.graph.node(node) {
            Node::Check(id) => self.asked(*id, depth, begin),
            // What is asked is the same for everything: nothing makes it come out otherwise.
            node => (*node == Node::Constant(true), OTHER_TYPE),
        };
        if holds {
            Outcome { to_hold: 0, to_fail: weight }
        } else {
            Outcome { to_hold: weight, to_fail: 0 }
        }
    }

    /// Whether a check holds, and its weight.
    fn asked(&mut self, id: CheckId, depth: usize, begin: &str) -> (bool, u64) {
        let check = self.engine.graph.check(id);
        let by_type = self.event_type.and_then(|event_type| decided(check, event_type));
        let holds = by_type.unwrap_or_else(|| check.holds(self.facts));
        if let Some(Written { texts, parts }) = &mut self.written {
            let values = values(check, self.facts);
            let truth = match (holds, values.is_empty()) {
                (true, _) => Truth::True,
                (false, true) => Truth::NoValue,
                (false, false) => Truth::False,
            };
            let text = format!("{begin}{}", cut(texts.get(&id).copied().unwrap_or("?")));
            parts.push(WhyPart { depth, truth, text, values });
        }
        (holds, if check.field.kind() == Kind::EventType { OTHER_TYPE } else { 1 })
    }
}

/// The values that a check is asked of, as they are compared.
fn values(check: &Check, facts: &Facts<'_>) -> Vec<String> {
    let (mut values, mut more) = (vec![], 0_usize);
    check.field.access.for_each(facts, |value| {
        if values.len() < MOST_VALUES {
            values.push(shown(&transformed(&check.transformers, value)));
        } else {
            more += 1;
        }
    });
    if more > 0 {
        values.push(format!("{more} more"));
    }
    values
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => format!("{:?}", cut(text)),
        other => other.to_string(),
    }
}

/// The text, or its beginning.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
