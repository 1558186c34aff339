//! From syntax to the graph: names of lists, macros and fields are looked up, values are read by the fields' types.

mod comparison;
mod lists;
mod other_source;
mod used;

use crate::addition::Additions;
use crate::condition::{Check, Expression, Name};
use crate::diagnostic::{Diagnostic, Report, Severity};
use crate::event_source::EventSource;
use crate::event_type::{EventType, EventTypes};
use crate::field::{Access, Field, Kind, Value};
use crate::graph::{Graph, Node, NodeId};
use crate::load::Definitions;
use crate::outline::{Outline, Part};
use crate::source::{LocatedText, Place, Text};
use crate::test::{Test, TextTest};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

pub(crate) use comparison::field_use;
use lists::Lists;
pub(crate) use other_source::refuse as refuse_of_other_source;
pub(crate) use used::{Used, used};

/// Most parts that one condition may have once its macros are written out.
const LARGEST: u64 = 100_000;
/// Deepest nesting of a condition once its macros are written out.
const DEEPEST: u32 = 1_000;
/// Most macros that refer to one another in a chain.
const LONGEST_CHAIN: usize = 64;

/// Something wrong with a condition or an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub diagnostic: Box<Diagnostic>,
    /// It is a field or an event type that this engine does not know.
    pub unknown_name: bool,
}

impl Problem {
    /// One that is not an unknown name.
    pub fn new(diagnostic: Diagnostic) -> Self {
        Self { diagnostic: Box::new(diagnostic), unknown_name: false }
    }
}

/// A rule's condition in the graph, and what it needs.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub condition: NodeId,
    pub outline: Outline,
    pub fields: Vec<&'static Field>,
    pub event_types: EventTypes,
}

/// Lowers the conditions of macros and rules.
pub(crate) struct Lowering<'d> {
    lists: Lists<'d>,
    macros: &'d Definitions<LocatedText>,
    states: HashMap<&'d str, MacroState>,
    chain: Vec<&'d str>,
    graph: Graph,
    /// By event type: what conditions are for events of that type.
    special: HashMap<EventType, HashMap<NodeId, NodeId>>,
}

/// How far a macro has come.
enum MacroState {
    Parsed(Result<Expression, Problem>),
    InProgress,
    Lowered(Part),
    Faulty(Vec<Problem>),
}

impl<'d> Lowering<'d> {
    /// Reads all lists and macros. Errors in their own text are reported even where no rule uses them.
    pub fn new(
        lists: &'d Definitions<Vec<Text>>,
        additions: &Additions<'_>,
        macros: &'d Definitions<LocatedText>,
        report: &mut Report<'_>,
    ) -> Self {
        let lists = Lists::expand(lists, additions, report);
        let mut lowering = Self {
            lists,
            macros,
            states: HashMap::new(),
            chain: Vec::new(),
            graph: Graph::default(),
            special: HashMap::new(),
        };
        for definition in macros.iter() {
            let state = Self::parsed_macro(&definition.name.value, &definition.value, report);
            lowering.states.insert(&definition.name.value, state);
        }
        // In this order, so that a macro mostly finds those it uses done.
        for definition in macros.iter() {
            lowering.lower_macro(&definition.name.value, report);
        }
        report.subject = None;
        lowering
    }

    fn parsed_macro(name: &str, text: &LocatedText, report: &mut Report<'_>) -> MacroState {
        report.subject = Some(format!("macro `{name}`"));
        MacroState::Parsed(crate::condition::parse(text).map_err(|error| {
            let mut diagnostic = report.diagnostic(Severity::Error, error.place, error.message);
            diagnostic.help = error.help;
            report.diagnostics.push(diagnostic.clone());
            Problem::new(diagnostic)
        }))
    }

    /// Lowers a rule's condition.
    pub fn rule(
        &mut self,
        condition: &Expression,
        source: EventSource,
        report: &Report<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Lowered> {
        let Part { node: id, outline } =
            self.expression(condition, usize::MAX, report, problems)?;
        self.fields_of_other_sources(condition, source, report, problems);
        let mut fields: Vec<&'static Field> = Vec::new();
        let mut mentioned = Vec::new();
        self.graph.visit_checks(id, &mut |check| {
            for asked in check.field.fields() {
                if !fields.iter().any(|field| std::ptr::eq(*field, asked)) {
                    fields.push(asked);
                }
            }
            if check.field.kind() == Kind::EventType {
                mentioned.extend(told_apart(&check.test));
            }
        });
        let event_types = match source {
            EventSource::Syscall => self.event_types(id, mentioned),
            // Requests to an API server have no type of that kind.
            EventSource::KubernetesAudit => EventTypes::none(),
        };
        Some(Lowered { condition: id, outline, fields, event_types })
    }

    pub fn into_graph(self) -> Graph {
        self.graph
    }

    /// The event types that a condition can hold for.
    fn event_types(&mut self, condition: NodeId, mentioned: Vec<EventType>) -> EventTypes {
        let mut candidates: BTreeSet<EventType> = EventType::seen().collect();
        candidates.extend(mentioned);
        let other = EventType::all().find(|event_type| !candidates.contains(event_type));
        if other.is_some_and(|other| self.can_hold_for(condition, other)) {
            return EventTypes::All;
        }
        EventTypes::Only(
            candidates
                .into_iter()
                .filter(|candidate| self.can_hold_for(condition, *candidate))
                .collect(),
        )
    }

    fn can_hold_for(&mut self, condition: NodeId, event_type: EventType) -> bool {
        let done = self.special.entry(event_type).or_default();
        let special = for_event_type(&mut self.graph, condition, event_type, done);
        *self.graph.node(special) != Node::Constant(false)
    }

    /// The part that an expression is. None where something is wrong with it; all problems are collected.
    fn expression(
        &mut self,
        expression: &Expression,
        visibility: usize,
        report: &Report<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Part> {
        let part = match expression {
            Expression::And(parts) => {
                let (nodes, outlines) = self.parts(parts, visibility, report, problems)?;
                Part { node: self.graph.and(nodes), outline: Outline::And(outlines) }
            }
            Expression::Or(parts) => {
                let (nodes, outlines) = self.parts(parts, visibility, report, problems)?;
                Part { node: self.graph.or(nodes), outline: Outline::Or(outlines) }
            }
            Expression::Not(part) => {
                let Part { node, outline } = self.expression(part, visibility, report, problems)?;
                Part { node: self.graph.not(node), outline: Outline::Not(Box::new(outline)) }
            }
            Expression::Macro(name) => self.macro_use(name, visibility, report, problems)?,
            Expression::Check(check) => {
                let node = self.check(check, report, problems)?;
                Part { node, outline: Outline::Check(node) }
            }
        };
        self.within_bounds(part.node, expression, report, problems).then_some(part)
    }

    fn parts(
        &mut self,
        parts: &[Expression],
        visibility: usize,
        report: &Report<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<(Vec<NodeId>, Box<[Outline]>)> {
        let lowered: Vec<Option<Part>> =
            parts.iter().map(|part| self.expression(part, visibility, report, problems)).collect();
        let parts: Option<Vec<Part>> = lowered.into_iter().collect();
        let (nodes, outlines): (_, Vec<_>) =
            parts?.into_iter().map(|part| (part.node, part.outline)).unzip();
        Some((nodes, outlines.into()))
    }

    fn check(
        &mut self,
        check: &Check,
        report: &Report<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<NodeId> {
        match comparison::lower(check, &self.lists, report) {
            Ok((text, lowered)) => Some(self.graph.add_check(text, || lowered)),
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }

    fn within_bounds(
        &self,
        id: NodeId,
        expression: &Expression,
        report: &Report<'_>,
        problems: &mut Vec<Problem>,
    ) -> bool {
        let message = if self.graph.size(id) > LARGEST {
            format!("the condition has more than {LARGEST} parts once its macros are written out")
        } else if self.graph.depth(id) > DEEPEST {
            format!(
                "the condition is more than {DEEPEST} levels deep once its macros are written out"
            )
        } else {
            return true;
        };
        problems.push(problem(report, place_of(expression), message));
        false
    }

    fn macro_use(
        &mut self,
        name: &Name,
        visibility: usize,
        report: &Report<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Part> {
        let definitions = self.macros;
        let Some(definition) = definitions.get(&name.text) else {
            let mut unknown =
                problem(report, name.place, format!("there is no macro `{}`", name.text));
            unknown.diagnostic.suggest(&name.text, definitions.names());
            problems.push(unknown);
            return None;
        };
        if definition.position >= visibility {
            let mut later =
                problem(report, name.place, format!("the macro `{}` is defined later", name.text));
            later.diagnostic.help("a macro can use only macros that stand before it");
            problems.push(later);
            return None;
        }
        self.lower_macro_within(&definition.name.value, name, report, problems)
    }

    fn lower_macro_within(
        &mut self,
        macro_name: &'d str,
        used: &Name,
        report: &Report<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Part> {
        let message = match self.states.get(macro_name) {
            Some(MacroState::InProgress) => {
                format!("the macro refers to itself: {}", self.chain_to(macro_name))
            }
            Some(MacroState::Parsed(_)) if self.chain.len() == LONGEST_CHAIN => {
                format!("more than {LONGEST_CHAIN} macros refer to one another")
            }
            _ => String::new(),
        };
        if !message.is_empty() {
            problems.push(problem(report, used.place, message));
            return None;
        }
        match self.lowered_macro(macro_name, report) {
            Ok(part) => Some(part),
            Err(faults) => {
                // Each once: a macro that uses a faulty one twice must not tell its faults twice.
                for fault in faults {
                    if !problems.contains(&fault) {
                        problems.push(fault);
                    }
                }
                None
            }
        }
    }

    fn chain_to(&self, name: &str) -> String {
        let start = self.chain.iter().position(|link| *link == name).unwrap_or(0);
        let links: Vec<&str> = self.chain[start..].iter().copied().chain([name]).collect();
        links.join(" → ")
    }

    /// Lowers a macro for its own sake: what refers to macros that are not there is an error even if unused.
    fn lower_macro(&mut self, name: &'d str, report: &mut Report<'_>) {
        if let Err(problems) = self.lowered_macro(name, report) {
            let definite = problems.into_iter().filter(|problem| !problem.unknown_name);
            report.diagnostics.extend(definite.map(|problem| *problem.diagnostic));
        }
    }

    fn lowered_macro(&mut self, name: &'d str, report: &Report<'_>) -> Result<Part, Vec<Problem>> {
        let state = self.states.insert(name, MacroState::InProgress);
        let result = match state {
            Some(MacroState::Lowered(part)) => Ok(part),
            Some(MacroState::Faulty(problems)) => Err(problems),
            Some(MacroState::Parsed(Ok(expression))) => {
                self.lower_parsed_macro(name, &expression, report)
            }
            Some(MacroState::Parsed(Err(problem))) => Err(vec![problem]),
            Some(MacroState::InProgress) | None => Err(Vec::new()),
        };
        let state = match &result {
            Ok(part) => MacroState::Lowered(part.clone()),
            Err(problems) => MacroState::Faulty(problems.clone()),
        };
        self.states.insert(name, state);
        result
    }

    fn lower_parsed_macro(
        &mut self,
        name: &'d str,
        expression: &Expression,
        report: &Report<'_>,
    ) -> Result<Part, Vec<Problem>> {
        let visibility = self.macros.get(name).map_or(0, |definition| definition.visibility);
        let own_report = Report {
            files: report.files,
            diagnostics: Vec::new(),
            subject: Some(format!("macro `{name}`")),
        };
        let mut problems = Vec::new();
        self.chain.push(name);
        let part = self.expression(expression, visibility, &own_report, &mut problems);
        self.chain.pop();
        let Part { node, outline } = part.ok_or(problems)?;
        Ok(Part { node, outline: Outline::of_macro(name, outline) })
    }
}

/// The event types that a test tells from most others.
fn told_apart(test: &Test) -> Vec<EventType> {
    let (held, refused): (Vec<_>, Vec<_>) =
        EventType::all().partition(|event_type| asks_for(test, *event_type));
    if held.len() <= refused.len() { held } else { refused }
}

/// Whether a test of `evt.type` holds for a type: for the name that stands for it where names are compared whole, for
/// any of its names where parts are.
fn asks_for(test: &Test, event_type: EventType) -> bool {
    let holds = |name: &'static str| test.holds(&Value::Text(Cow::Borrowed(name)));
    match test {
        Test::Any(tests) => tests.iter().any(|test| asks_for(test, event_type)),
        Test::All(tests) => {
            !tests.is_empty() && tests.iter().all(|test| asks_for(test, event_type))
        }
        Test::ExactlyOne(tests) => {
            tests.iter().filter(|test| asks_for(test, event_type)).count() == 1
        }
        Test::Text(TextTest::Equal(_) | TextTest::NotEqual(_) | TextTest::OneOf(_)) => {
            holds(event_type.name())
        }
        _ => event_type.names_of_type().iter().any(|name| holds(name)),
    }
}

/// An error that is not an unknown name.
fn problem(report: &Report<'_>, place: Place, message: String) -> Problem {
    Problem::new(report.diagnostic(Severity::Error, place, message))
}

fn place_of(expression: &Expression) -> Place {
    match expression {
        Expression::And(parts) | Expression::Or(parts) => {
            parts.first().map(place_of).unwrap_or_default()
        }
        Expression::Not(part) => place_of(part),
        Expression::Macro(name) => name.place,
        Expression::Check(check) => check.place,
    }
}

/// A condition for events of one type: checks of `evt.type`, and of fields that such events never tell, are decided.
pub(crate) fn for_event_type(
    graph: &mut Graph,
    condition: NodeId,
    event_type: EventType,
    done: &mut HashMap<NodeId, NodeId>,
) -> NodeId {
    graph.specialised(condition, &|check| decided(check, event_type), done)
}

/// How a check comes out for all events of one type, where the type alone tells.
pub(crate) fn decided(check: &crate::graph::Check, event_type: EventType) -> Option<bool> {
    if check.field.kind() == Kind::EventType && check.transformers.is_empty() {
        return Some(asks_for(&check.test, event_type));
    }
    if check.field.access.is_told_of(event_type) {
        return None;
    }
    Some(match check.field.access {
        Access::Never(Some(stand_in)) => check.test.holds(&Value::Text(stand_in.into())),
        _ => false,
    })
}
