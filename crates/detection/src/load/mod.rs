//! From files to rules.

mod definitions;
mod entries;
mod exception;
mod item;
mod stateful;
mod suppression;
mod version;
mod yaml;

use crate::addition::Additions;
use crate::condition::Expression;
use crate::diagnostic::{Diagnostic, LoadError, Report, Severity};
use crate::event_source::EventSource;
use crate::lower::{Lowered, Lowering};
use crate::memory::Stateful;
use crate::output::Template;
use crate::rule::{Rule, RuleSet};
use crate::source::{LocatedText, SourceFile, Sources};
use crate::suppression::LoadedSuppression;
use definitions::{Collection, Definition, RuleDefinition};
use event_model::Timestamp;
use std::collections::HashSet;
use suppression::SuppressionItem;
use yaml::{Node, Value};

pub(crate) use definitions::Definitions;

/// Loads files in their order: a later one overrides an earlier one. Suppressions are checked against the rules of all.
pub(crate) fn load(sources: Sources<'_>) -> Result<RuleSet, LoadError> {
    let Sources { rules: files, suppressions, additions, now } = sources;
    let all = [files, suppressions].concat();
    let mut report = Report::new(&all);
    let collection = collect(files, &mut report);
    let suppressions = collect_suppressions(files.len(), suppressions, now, &mut report);
    report.subject = None;
    let additions = Additions::new(additions);
    let rules = lower(&collection, &additions, suppressions, &mut report);
    let (errors, warnings) = sorted(report);
    if !errors.is_empty() {
        return Err(LoadError { diagnostics: errors, faulty_rules: rules.faulty });
    }
    let LoadedRules { rules, suppressions, graph, .. } = rules;
    let unused_additions = additions.unused(|list| collection.lists.get(list).is_some());
    Ok(RuleSet { rules, suppressions, graph, warnings, unused_additions })
}

fn collect(files: &[SourceFile<'_>], report: &mut Report<'_>) -> Collection {
    let mut collection = Collection::default();
    for (index, file) in (0..).zip(files) {
        let Some(root) = yaml::parse(report, index, file) else { continue };
        for node in items(&root, report) {
            if let Some(item) = item::read(node, report) {
                collection.add(item, report);
            }
        }
        report.subject = None;
    }
    collection
}

/// The suppressions of files that stand behind `before` others in the report.
fn collect_suppressions(
    before: usize,
    files: &[SourceFile<'_>],
    now: Timestamp,
    report: &mut Report<'_>,
) -> Vec<SuppressionItem> {
    let mut items = Vec::new();
    for (index, file) in (u32::try_from(before).unwrap_or(u32::MAX)..).zip(files) {
        report.subject = None;
        let Some(root) = yaml::parse(report, index, file) else { continue };
        suppression::read_file(&root, now, &mut items, report);
    }
    items
}

/// The items of a file; an empty file has none.
fn items<'n>(root: &'n Node, report: &mut Report<'_>) -> &'n [Node] {
    match &root.value {
        Value::Sequence(items) => items,
        Value::Null => &[],
        _ => {
            let message = format!("a rule file is a list of items, this is {}", root.kind());
            report.error(root.place, message).help("begin each item with `- `");
            &[]
        }
    }
}

struct LoadedRules {
    rules: Vec<Rule>,
    suppressions: Vec<LoadedSuppression>,
    faulty: Vec<String>,
    graph: crate::graph::Graph,
}

fn lower(
    collection: &Collection,
    additions: &Additions<'_>,
    suppressions: Vec<SuppressionItem>,
    report: &mut Report<'_>,
) -> LoadedRules {
    let mut lowering = Lowering::new(&collection.lists, additions, &collection.macros, report);
    let (mut rules, mut faulty) = (Vec::with_capacity(collection.rules.len()), Vec::new());
    for definition in collection.rules.iter() {
        report.subject = Some(format!("rule `{}`", definition.name.value));
        let Some(source) = source_of(&definition.value, report) else { continue };
        match lower_rule(definition, source, &mut lowering, report) {
            Ok(rule) => rules.extend(rule.filter(|rule| rule.enabled)),
            Err(Faulty) => faulty.push(definition.name.value.clone()),
        }
    }
    let suppressions = suppression::lower(suppressions, collection, &rules, &mut lowering, report);
    LoadedRules { rules, suppressions, faulty, graph: lowering.into_graph() }
}

/// The source that a rule is about. None where this engine has no events of it, which a warning tells.
fn source_of(rule: &RuleDefinition, report: &mut Report<'_>) -> Option<EventSource> {
    let Some(written) = &rule.source else { return Some(EventSource::default()) };
    let source = EventSource::named(&written.value);
    if source.is_none() {
        let message = format!(
            "there are no events of the source `{}` here: the rule is skipped",
            written.value
        );
        report.warning(written.place, message);
    }
    source
}

/// The rule has errors, which were reported.
struct Faulty;

/// The rule; none where it is to be skipped.
fn lower_rule(
    definition: &Definition<RuleDefinition>,
    source: EventSource,
    lowering: &mut Lowering<'_>,
    report: &mut Report<'_>,
) -> Result<Option<Rule>, Faulty> {
    let rule = &definition.value;
    let mut problems = Vec::new();
    let errors_before = report.diagnostics.len();
    let condition = expression(rule, report);
    let lowered = condition.and_then(|it| lowering.rule(&it, source, report, &mut problems));
    let output = Template::parse(&rule.output, source, report, &mut problems);
    for exception in &rule.exceptions {
        exception::check_fields(exception, report, &mut problems);
    }
    let stateful = rule.stateful.as_ref();
    let stateful =
        stateful.map(|item| stateful::lower(item, source, lowering, report, &mut problems));
    if rule.skip_if_unknown_filter
        && !problems.is_empty()
        && problems.iter().all(|problem| problem.unknown_name)
    {
        let message = format!("the rule is skipped: {}", problems[0].diagnostic.message);
        report.warning(definition.name.place, message);
        return Ok(None);
    }
    report.diagnostics.extend(problems.into_iter().map(|problem| *problem.diagnostic));
    let faulty = report.diagnostics.len() > errors_before;
    let (Some(Lowered { condition, outline, mut fields, event_types }), Some(output), false) =
        (lowered, output, faulty)
    else {
        return Err(Faulty);
    };
    let stateful = stateful.flatten();
    for field in stateful.iter().flat_map(Stateful::steps).flat_map(|step| &step.fields) {
        if !fields.iter().any(|known| std::ptr::eq(*known, *field)) {
            fields.push(field);
        }
    }
    Ok(Some(Rule {
        name: definition.name.value.clone(),
        description: rule.description.trim().to_owned(),
        priority: rule.priority,
        tags: rule.tags.clone(),
        source,
        enabled: rule.enabled,
        output,
        condition,
        outline,
        fields,
        event_types,
        stateful,
        fingerprint: 0,
    }))
}

/// The rule's condition, and its exceptions. None where the condition itself can't be read.
fn expression(rule: &RuleDefinition, report: &mut Report<'_>) -> Option<Expression> {
    let condition = parsed(&rule.condition, report);
    let exceptions =
        rule.exceptions.iter().filter_map(|exception| exception::condition(exception, report));
    let exceptions: Vec<Expression> = exceptions.collect();
    let mut parts = vec![condition?];
    parts.extend(exceptions.into_iter().map(|exception| Expression::Not(Box::new(exception))));
    Some(if parts.len() == 1 { parts.remove(0) } else { Expression::And(parts) })
}

/// The condition, or an error in the report.
fn parsed(text: &LocatedText, report: &mut Report<'_>) -> Option<Expression> {
    match crate::condition::parse(text) {
        Ok(expression) => Some(expression),
        Err(error) => {
            report.error(error.place, error.message).help = error.help;
            None
        }
    }
}

/// Errors and warnings, each once, in the order of the files as they were read.
fn sorted(report: Report<'_>) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
    let order = |diagnostic: &Diagnostic| {
        let file = report.files.iter().position(|file| file.name == diagnostic.file);
        (file, diagnostic.line, diagnostic.column)
    };
    let mut seen = HashSet::new();
    let mut diagnostics = report.diagnostics;
    diagnostics.retain(|d| seen.insert((d.file.clone(), d.line, d.column, d.message.clone())));
    diagnostics.sort_by_cached_key(order);
    diagnostics.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Error)
}
