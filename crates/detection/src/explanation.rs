//! What a rule asks for, as the engine understood it.

use crate::engine::Engine;
use crate::event_source::EventSource;
use crate::event_type::EventTypes;
use crate::graph::{CheckId, Graph, Node, NodeId};
use crate::guard::{Ask, Guard};
use crate::lower::for_event_type;
use crate::memory::Stateful;
use crate::paths::WantedPaths;
use crate::rule::Rule;
use foldhash::quality::FixedState;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hash, Hasher};

/// More texts than these are counted.
const MOST_SHOWN: usize = 12;

/// A rule's condition and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// With its macros and lists written out, a part a line.
    pub condition: String,
    /// Which events it is about.
    pub source: EventSource,
    /// The types of acts that it can match. None: every type.
    pub event_types: Option<Vec<&'static str>>,
    /// The fields that it compares, and which part of the sensor tells each.
    pub fields: Vec<(&'static str, &'static str)>,
    /// One of these an act must show before the condition is asked. Empty: it is asked of every act of its types.
    pub shown: Vec<String>,
    /// What makes an alert besides an act that the condition holds for: what the rule counts, or waits for, or learns.
    pub needs: Option<String>,
    /// The files that it can match acts on.
    pub paths: WantedPaths,
}

impl Engine {
    /// Explains a rule by its name; None where there is no such rule.
    pub fn explain(&mut self, name: &str) -> Option<Explanation> {
        let rule = self.rules.iter().find(|rule| rule.name == name)?;
        let (condition, types) = (rule.condition, rule.event_types().clone());
        let source = rule.source;
        let needs = rule.stateful.as_ref().map(|it| needs(it, &self.graph));
        let steps: Vec<_> =
            rule.steps().iter().map(|it| (it.condition, it.event_types.clone())).collect();
        let fields = rule.fields.iter().map(|field| (field.name, field.provider.name())).collect();
        let event_types = match &types {
            EventTypes::All => None,
            EventTypes::Only(types) => {
                Some(types.iter().map(|event_type| event_type.name()).collect())
            }
        };
        let popularity = self.popularity();
        let mut shown = BTreeSet::new();
        let mut always = false;
        let mut paths = WantedPaths::default();
        for (condition, types) in steps {
            for event_type in crate::EventType::seen().filter(|seen| types.contains(*seen)) {
                let mut done = HashMap::new();
                let special = for_event_type(&mut self.graph, condition, event_type, &mut done);
                paths.add(name, &mut self.graph, special, event_type);
            }
        }
        if source == EventSource::KubernetesAudit {
            match Guard::of(&self.graph, condition, &popularity) {
                Some(guard) => shown.extend(guard.any.iter().map(in_words)),
                None => always = true,
            }
        }
        for event_type in crate::EventType::seen().filter(|seen| types.contains(*seen)) {
            let special =
                for_event_type(&mut self.graph, condition, event_type, &mut HashMap::new());
            match Guard::of(&self.graph, special, &popularity) {
                Some(guard) => shown.extend(guard.any.iter().map(in_words)),
                None => always = true,
            }
            paths.add(name, &mut self.graph, special, event_type);
        }
        let shown = if always { vec![] } else { shown.into_iter().collect() };
        let condition = Writer::new(&self.graph).written(condition);
        Some(Explanation { condition, source, event_types, fields, shown, needs, paths })
    }
}

fn needs(stateful: &Stateful, graph: &Graph) -> String {
    let steps = stateful.steps();
    let writer = (!steps.is_empty()).then(|| Writer::new(graph));
    let written = writer.iter().flat_map(|writer| {
        (1..).zip(steps).map(|(number, step)| {
            format!("{number}. {}", writer.written(step.condition).replace('\n', " "))
        })
    });
    std::iter::once(stateful.to_string()).chain(written).collect::<Vec<_>>().join("\n")
}

/// Numbers for what the rules say that remember acts: the same after a reload, and after a restart of the same program.
pub(crate) fn fingerprint(rules: &mut [Rule], graph: &Graph) {
    let hashes = FixedState::default();
    let mut writer = None;
    for rule in rules {
        let Some(stateful) = &rule.stateful else { continue };
        let writer = writer.get_or_insert_with(|| Writer::new(graph));
        let mut said = hashes.build_hasher();
        (rule.name.as_str(), stateful.to_string()).hash(&mut said);
        writer.written(rule.condition).hash(&mut said);
        for step in stateful.steps() {
            writer.written(step.condition).hash(&mut said);
            step.by.as_ref().map(ToString::to_string).hash(&mut said);
        }
        rule.fingerprint = said.finish();
    }
}

fn in_words(ask: &Ask) -> String {
    let verb = if ask.whole { "is" } else { "contains" };
    let texts: Vec<_> = ask.texts.iter().take(MOST_SHOWN).map(|text| format!("{text:?}")).collect();
    let more = ask.texts.len().saturating_sub(MOST_SHOWN);
    let more = if more > 0 { format!(" or {more} more") } else { String::new() };
    format!("{} {verb} {}{more}", ask.subject.written(), texts.join(" or "))
}

struct Writer<'g> {
    graph: &'g Graph,
    checks: HashMap<CheckId, &'g str>,
}

impl<'g> Writer<'g> {
    fn new(graph: &'g Graph) -> Self {
        Self { graph, checks: graph.check_texts().collect() }
    }

    fn written(&self, condition: NodeId) -> String {
        let mut text = String::new();
        self.write(condition, 0, &mut text);
        text
    }

    fn write(&self, id: NodeId, depth: usize, text: &mut String) {
        match self.graph.node(id) {
            Node::Constant(truth) => text.push_str(if *truth { "always" } else { "never" }),
            Node::Check(check) => text.push_str(self.checks.get(check).copied().unwrap_or("?")),
            Node::Not(part) => {
                text.push_str("not ");
                self.write_within(*part, depth, text);
            }
            Node::And(parts) => self.write_parts(parts, "and ", depth, text),
            Node::Or(parts) => self.write_parts(parts, "or ", depth, text),
        }
    }

    fn write_parts(&self, parts: &[NodeId], word: &str, depth: usize, text: &mut String) {
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                text.push('\n');
                text.push_str(&"    ".repeat(depth));
                text.push_str(word);
            }
            self.write_within(*part, depth + 1, text);
        }
    }

    fn write_within(&self, id: NodeId, depth: usize, text: &mut String) {
        let has_parts = matches!(self.graph.node(id), Node::And(_) | Node::Or(_));
        text.push_str(if has_parts { "(" } else { "" });
        self.write(id, depth, text);
        text.push_str(if has_parts { ")" } else { "" });
    }
}
