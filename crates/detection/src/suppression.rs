//! Alerts that somebody wrote down to expect. They are asked of an act that a rule matched, never before.

use crate::event_type::EventType;
use crate::field::Facts;
use crate::graph::{Graph, NodeId};
use crate::lower::for_event_type;
use crate::shared_parts::Memo;
use event_model::Timestamp;
use std::collections::HashMap;

/// Why some alerts of some rules are expected, who says so, and until when.
#[derive(Debug)]
pub struct Suppression {
    pub(crate) name: String,
    pub(crate) reason: String,
    pub(crate) owner: String,
    pub(crate) expires: String,
    pub(crate) ends: Timestamp,
}

impl Suppression {
    /// The name, which no other suppression has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why the alerts are expected, in its author's words.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Who is asked about it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The last day on which it counts, as it is written: `2027-03-31`, in UTC.
    pub fn expires(&self) -> &str {
        &self.expires
    }

    /// Whether it has no effect any more on what happens at that moment.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.ends
    }
}

/// A suppression and the rules that it is about, before the types of events are told apart.
#[derive(Debug)]
pub(crate) struct LoadedSuppression {
    pub suppression: Suppression,
    /// What it asks of the alert, in rules about acts; none where it names no such rule.
    pub of_acts: Option<NodeId>,
    /// The same in rules about requests to API servers.
    pub of_requests: Option<NodeId>,
    /// Places of its rules, of those that are switched on.
    pub rules: Vec<usize>,
}

/// All suppressions, by rule.
#[derive(Debug, Default)]
pub(crate) struct Suppressions {
    all: Vec<Suppression>,
    conditions: Vec<Conditions>,
    /// For each rule: which suppressions are about it.
    by_rule: HashMap<usize, Vec<usize>>,
}

/// What one suppression asks.
#[derive(Debug)]
struct Conditions {
    /// For each of [`EventType::seen`]; none where it is about no rule of acts.
    of_acts: Vec<NodeId>,
    of_requests: Option<NodeId>,
}

impl Suppressions {
    pub fn compile(loaded: Vec<LoadedSuppression>, graph: &mut Graph) -> Self {
        let mut compiled = Self::default();
        for (place, LoadedSuppression { suppression, of_acts, of_requests, rules }) in
            loaded.into_iter().enumerate()
        {
            let of_acts = of_acts.map(|condition| by_event_type(condition, graph));
            compiled
                .conditions
                .push(Conditions { of_acts: of_acts.unwrap_or_default(), of_requests });
            compiled.all.push(suppression);
            for rule in rules {
                compiled.by_rule.entry(rule).or_default().push(place);
            }
        }
        compiled
    }

    /// All of them, in the order of their files.
    pub fn all(&self) -> &[Suppression] {
        &self.all
    }

    /// The first that holds for what a rule matched.
    pub fn of(
        &self,
        rule: usize,
        graph: &Graph,
        facts: &Facts<'_>,
        memo: &mut Memo,
    ) -> Option<&Suppression> {
        let places = self.by_rule.get(&rule)?;
        let mut holds = |place: &&usize| {
            let condition = self.conditions.get(**place).and_then(|it| it.for_facts(facts));
            condition.is_some_and(|condition| graph.holds(condition, facts, memo))
        };
        let counts = |place: &&usize| {
            self.all.get(**place).is_some_and(|known| !known.has_expired(facts.time()))
        };
        let place = places.iter().filter(counts).find(&mut holds)?;
        self.all.get(*place)
    }
}

impl Conditions {
    fn for_facts(&self, facts: &Facts<'_>) -> Option<NodeId> {
        match facts.event_type() {
            Some(event_type) => self.of_acts.get(event_type.index()).copied(),
            None => self.of_requests,
        }
    }
}

fn by_event_type(condition: NodeId, graph: &mut Graph) -> Vec<NodeId> {
    EventType::seen()
        .map(|event_type| for_event_type(graph, condition, event_type, &mut HashMap::new()))
        .collect()
}
