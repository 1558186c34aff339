//! Rules against acts.

mod remembering;

use crate::act::{Act, AuditAct};
use crate::event_source::EventSource;
use crate::event_type::{EventType, EventTypes};
use crate::explanation;
use crate::field::{Facts, whole_request};
use crate::graph::{Graph, Node, NodeId};
use crate::guard::Popularity;
use crate::index::Index;
use crate::lower::for_event_type;
use crate::memory::Tally;
use crate::output::shown;
use crate::paths::WantedPaths;
use crate::rule::{Rule, RuleSet};
use crate::shared_parts::Memo;
use crate::suppression::{Suppression, Suppressions};
use event_model::{Alert, AlertSubject, BlindRule, Host, MatchedField, Process, Timestamp};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// All rules, indexed by the type of event that they can match.
#[derive(Debug)]
pub struct Engine {
    pub(crate) rules: Vec<Rule>,
    pub(crate) graph: Graph,
    event_types: EventTypes,
    /// For each of [`EventType::seen`]: the rules that can match it.
    candidates: Vec<Vec<Candidate>>,
    /// For each of them: which of those can match an act.
    indexes: Vec<Index>,
    /// Rules of requests to API servers, and which of them can match one.
    audit: (Vec<Candidate>, Index),
    /// For each of them: whether some rule asks for it, or for a field that few types tell.
    wanted: Vec<bool>,
    wanted_paths: WantedPaths,
    suppressions: Suppressions,
}

/// A rule for events of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    rule: usize,
    /// It is not the rule's own condition but that of a step before it.
    step: Option<usize>,
    /// The rule's condition with what the event's type decides left out.
    condition: NodeId,
}

impl Engine {
    /// Indexes the rules. What could be wrong with them was found when they were loaded.
    pub fn compile(rules: RuleSet) -> Self {
        let RuleSet { mut rules, suppressions, mut graph, .. } = rules;
        explanation::fingerprint(&mut rules, &graph);
        let suppressions = Suppressions::compile(suppressions, &mut graph);
        let unasked = candidates(&rules, &mut graph, EventType::unseen());
        let candidates: Vec<_> = EventType::seen()
            .map(|event_type| candidates(&rules, &mut graph, event_type))
            .collect();
        let audit_candidates = audit_candidates(&rules);
        let none = EventTypes::none();
        let event_types = rules.iter().flat_map(needed).fold(none, EventTypes::union);
        // What is the same for events of a type that does not exist matches whatever happens, not this type.
        let wanted = candidates
            .iter()
            .map(|of_type| of_type.iter().any(|candidate| !unasked.contains(candidate)))
            .collect();
        let mut engine = Self {
            rules,
            graph,
            event_types,
            candidates,
            indexes: vec![],
            audit: (audit_candidates, Index::default()),
            wanted,
            wanted_paths: WantedPaths::default(),
            suppressions,
        };
        engine.find_paths();
        engine.share_parts();
        let popularity = engine.popularity();
        engine.audit.1 = engine.index(&engine.audit.0, &popularity);
        let of_types = engine.candidates.iter();
        engine.indexes = of_types.map(|of_type| engine.index(of_type, &popularity)).collect();
        engine
    }

    pub(crate) fn popularity(&self) -> Popularity {
        Popularity::of(&self.graph, self.rules.iter().map(|rule| rule.condition))
    }

    /// What conditions of acts of one type share is asked once for all of them.
    fn share_parts(&mut self) {
        let of_acts = self.candidates.iter().flatten();
        let conditions: BTreeSet<NodeId> =
            of_acts.chain(&self.audit.0).map(|candidate| candidate.condition).collect();
        self.graph.share(conditions.into_iter());
    }

    fn index(&self, of_type: &[Candidate], popularity: &Popularity) -> Index {
        let conditions: Vec<NodeId> = of_type.iter().map(|candidate| candidate.condition).collect();
        Index::new(&self.graph, &conditions, popularity)
    }

    fn find_paths(&mut self) {
        for (index, rule) in self.rules.iter().enumerate() {
            for (event_type, of_type) in EventType::seen().zip(&self.candidates) {
                if !self.wanted[event_type.index()] {
                    continue;
                }
                for Candidate { condition, .. } in of_type.iter().filter(|it| it.rule == index) {
                    self.wanted_paths.add(&rule.name, &mut self.graph, *condition, event_type);
                }
            }
        }
    }

    /// Whether some rule compares or prints the environment of programs.
    pub fn wants_environment(&self) -> bool {
        self.rules.iter().any(Rule::wants_environment)
    }

    /// The files that rules can match acts on.
    pub fn wanted_paths(&self) -> &WantedPaths {
        &self.wanted_paths
    }

    /// How many rules are loaded and switched on.
    pub fn rules_loaded(&self) -> u32 {
        u32::try_from(self.rules.len()).unwrap_or(u32::MAX)
    }

    /// The rules, in the order in which they are evaluated.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The suppressions, in the order of their files.
    pub fn suppressions(&self) -> &[Suppression] {
        self.suppressions.all()
    }

    /// The types of events that some rule wants to see.
    pub fn event_types(&self) -> &EventTypes {
        &self.event_types
    }

    /// Whether some rule can match events of that type.
    pub fn looks_at(&self, event_type: EventType) -> bool {
        self.candidates.get(event_type.index()).is_some_and(|candidates| !candidates.is_empty())
    }

    /// Whether some rule needs events of that type: it asks for the type, or for a field that few types tell. A rule
    /// that could match any act of a process needs none in particular.
    pub fn wants(&self, event_type: EventType) -> bool {
        self.wanted.get(event_type.index()).copied().unwrap_or(false)
    }

    /// The rules about acts that match nothing where only events of the types for which `sees` holds are seen.
    pub fn blind_rules(&self, sees: impl Fn(EventType) -> bool) -> Vec<BlindRule> {
        self.rules.iter().filter_map(|rule| blindness(rule, &sees)).collect()
    }

    /// The rules of which an act makes an alert, in their order: where a rule asks for several acts, the one that completes
    /// them.
    pub fn detect<'e>(&'e self, act: &Act<'_>, tally: &mut Tally) -> Vec<Match<'e>> {
        let facts = Facts::of_act(act);
        self.completed(self.candidates_for(act, &facts), &facts, tally)
    }

    /// The rules whose conditions an act matches, in their order, as if none asked for several acts. To report only the
    /// first, as the language's `rule_matching: first` does, take one.
    pub fn evaluate<'e, 'a: 'e>(
        &'e self,
        act: &'a Act<'a>,
    ) -> impl Iterator<Item = Match<'e>> + use<'e, 'a> {
        let facts = Facts::of_act(act);
        let candidates = self.candidates_for(act, &facts);
        let own = candidates.filter(|candidate| candidate.step.is_none());
        let mut memo = Memo::new();
        own.filter_map(move |candidate| self.matched_if_it_holds(candidate, &facts, &mut memo))
    }

    /// The rules of which a request to an API server makes an alert, as [`Self::detect`] does of acts.
    pub fn detect_audit<'e>(&'e self, act: &AuditAct<'_>, tally: &mut Tally) -> Vec<Match<'e>> {
        let facts = Facts::of_audit(act);
        self.completed(self.audit_candidates_for(&facts), &facts, tally)
    }

    /// The rules whose conditions a request to an API server matches, in their order, as if none asked for several.
    pub fn evaluate_audit<'e, 'a: 'e>(
        &'e self,
        act: &'a AuditAct<'a>,
    ) -> impl Iterator<Item = Match<'e>> + use<'e, 'a> {
        let facts = Facts::of_audit(act);
        let candidates = self.audit_candidates_for(&facts);
        let own = candidates.filter(|candidate| candidate.step.is_none());
        let mut memo = Memo::new();
        own.filter_map(move |candidate| self.matched_if_it_holds(candidate, &facts, &mut memo))
    }

    /// Whether some rule can match requests to an API server.
    pub fn looks_at_audit(&self) -> bool {
        !self.audit.0.is_empty()
    }

    /// The rules that an act can match by what it shows.
    fn candidates_for<'e>(
        &'e self,
        act: &Act<'_>,
        facts: &Facts<'_>,
    ) -> impl Iterator<Item = Candidate> + use<'e> {
        let place = EventType::from(&act.event.kind).index();
        let of_type = self.candidates.get(place).zip(self.indexes.get(place));
        let places = of_type
            .map(|(candidates, index)| index.candidates(facts).map(move |place| candidates[place]));
        places.into_iter().flatten()
    }

    /// The rules that a request to an API server can match by what it shows.
    fn audit_candidates_for<'e>(
        &'e self,
        facts: &Facts<'_>,
    ) -> impl Iterator<Item = Candidate> + use<'e> {
        let (candidates, index) = &self.audit;
        index.candidates(facts).map(|place| candidates[place])
    }

    fn matched_if_it_holds(
        &self,
        candidate: Candidate,
        facts: &Facts<'_>,
        memo: &mut Memo,
    ) -> Option<Match<'_>> {
        let holds = self.graph.holds(candidate.condition, facts, memo);
        holds.then(|| self.matched(candidate, facts, memo))
    }

    fn matched(&self, candidate: Candidate, facts: &Facts<'_>, memo: &mut Memo) -> Match<'_> {
        let rule = &self.rules[candidate.rule];
        let message = rule.output.render(facts);
        let matched_fields = self.matched_fields(candidate.condition, facts, memo);
        let suppression = self.suppressions.of(candidate.rule, &self.graph, facts, memo);
        Match { id: Uuid::now_v7(), rule, message, matched_fields, suppression }
    }

    /// The fields that made a condition hold, each once.
    fn matched_fields(
        &self,
        condition: NodeId,
        facts: &Facts<'_>,
        memo: &mut Memo,
    ) -> Vec<MatchedField> {
        let mut checks = Vec::new();
        self.graph.evidence(condition, facts, memo, &mut checks);
        let mut fields: Vec<MatchedField> = Vec::with_capacity(checks.len());
        for check in checks {
            let field = check.field.to_string();
            if fields.iter().any(|known| known.field == field) {
                continue;
            }
            let value = check.value_that_holds(facts);
            let value = check.field.access.without_secrets(value);
            fields.push(MatchedField { field, value: shown(value.as_ref()) });
        }
        fields
    }
}

fn candidates(rules: &[Rule], graph: &mut Graph, event_type: EventType) -> Vec<Candidate> {
    let mut done = HashMap::new();
    let mut candidates = Vec::new();
    let of_acts = |(_, rule): &(usize, &Rule)| rule.source == EventSource::Syscall;
    for (index, rule) in rules.iter().enumerate().filter(of_acts) {
        for (step, condition) in conditions(rule) {
            let condition = for_event_type(graph, condition, event_type, &mut done);
            if *graph.node(condition) != Node::Constant(false) {
                candidates.push(Candidate { rule: index, step, condition });
            }
        }
    }
    candidates
}

/// A rule's own condition, then those of the steps before it, the last of them first: so no act is two steps of one sequence.
fn conditions(rule: &Rule) -> impl Iterator<Item = (Option<usize>, NodeId)> {
    let steps = rule.steps().iter().enumerate().rev();
    let before = steps.map(|(place, step)| (Some(place), step.condition));
    std::iter::once((None, rule.condition)).chain(before)
}

/// The types of acts that its own condition needs, and then those of each step before it.
fn needed(rule: &Rule) -> impl Iterator<Item = &EventTypes> {
    let before = rule.steps().iter().map(|step| &step.event_types);
    std::iter::once(rule.event_types()).chain(before)
}

fn audit_candidates(rules: &[Rule]) -> Vec<Candidate> {
    let of_audit = |(_, rule): &(usize, &Rule)| rule.source == EventSource::KubernetesAudit;
    let rules = rules.iter().enumerate().filter(of_audit);
    let candidates = rules.flat_map(|(index, rule)| {
        conditions(rule).map(move |(step, condition)| Candidate { rule: index, step, condition })
    });
    candidates.collect()
}

fn blindness(rule: &Rule, sees: &impl Fn(EventType) -> bool) -> Option<BlindRule> {
    if rule.source != EventSource::Syscall {
        return None;
    }
    let unseen = needed(rule).find_map(|types| match types {
        EventTypes::Only(types) if !types.iter().any(|it| sees(*it)) => Some(types),
        _ => None,
    });
    let types = unseen?;
    let names: Vec<&str> = types.iter().map(|event_type| event_type.name()).collect();
    let reason = match names.as_slice() {
        [] => match rule.fields().iter().find(|field| field.is_never_told()) {
            Some(field) => format!("needs `{}`, which no sensor tells", field.name),
            None => "its condition can't hold for any event".to_owned(),
        },
        [only] => format!("needs events of the type {only}"),
        _ => format!("needs events of one of the types {}", names.join(", ")),
    };
    Some(BlindRule { rule: rule.name().to_owned(), reason })
}

/// A rule that an act matched.
#[derive(Clone, Debug)]
pub struct Match<'e> {
    /// Of the alert that is made of it, however often, where it is about an act.
    id: Uuid,
    rule: &'e Rule,
    message: String,
    matched_fields: Vec<MatchedField>,
    suppression: Option<&'e Suppression>,
}

impl<'e> Match<'e> {
    /// The rule.
    pub fn rule(&self) -> &'e Rule {
        self.rule
    }

    /// The rule's output, filled in.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The fields that the part of the condition that holds compared, and their values.
    pub fn matched_fields(&self) -> &[MatchedField] {
        &self.matched_fields
    }

    /// The suppression that says that this alert is expected, where one does: it is to be counted, not sent.
    pub fn suppression(&self) -> Option<&'e Suppression> {
        self.suppression
    }

    /// The alert, with its evidence whole. `act` is the one that matched.
    pub fn into_alert(self, act: &Act<'_>, detected_at: Timestamp) -> Alert {
        let ancestors = act.ancestors.iter().copied();
        let chain: Vec<Process> = std::iter::once(act.process).chain(ancestors).cloned().collect();
        let subject = AlertSubject::Act {
            event: act.event.clone(),
            process_chain: chain,
            container: act.container.cloned(),
        };
        self.alert(act.event.time, subject, act.host, detected_at)
    }

    /// The alert about a request, with its evidence whole. `act` is the one that matched. Whoever is told of the request, and
    /// however often, gives it the same id: API servers tell again what they are not sure was heard, perhaps to another.
    pub fn into_audit_alert(self, act: &AuditAct<'_>, detected_at: Timestamp) -> Alert {
        let told = format!("{}\0{}", self.rule.name, whole_request(act.event));
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, told.as_bytes());
        let subject = AlertSubject::Audit(Box::new(act.event.clone()));
        Self { id, ..self }.alert(act.event.stage_at, subject, act.host, detected_at)
    }

    fn alert(
        self,
        time: Timestamp,
        subject: AlertSubject,
        host: &Host,
        detected_at: Timestamp,
    ) -> Alert {
        Alert {
            id: self.id,
            time,
            detected_at,
            rule: self.rule.name.clone(),
            priority: self.rule.priority,
            message: self.message,
            tags: self.rule.tags.clone(),
            subject,
            host: host.clone(),
            matched_fields: self.matched_fields,
        }
    }
}

#[cfg(test)]
mod pushdown_tests;
#[cfg(test)]
mod tests;
