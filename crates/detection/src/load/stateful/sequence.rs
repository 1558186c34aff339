//! Acts that must come before.

use super::{burst, by};
use crate::diagnostic::{Report, Severity};
use crate::event_source::EventSource;
use crate::load::entries::Entries;
use crate::load::{parsed, yaml::Node};
use crate::lower::{Lowering, Problem};
use crate::memory::{Key, Sequence, Step};
use crate::source::{LocatedText, Place, Text};
use std::time::Duration;

/// With the rule's own condition eight.
const MOST_STEPS: usize = 7;

/// The acts before, as a rule writes them.
#[derive(Clone, Debug)]
pub(crate) struct SequenceItem {
    steps: Vec<StepItem>,
    within: Duration,
    by: Vec<Text>,
}

#[derive(Clone, Debug)]
struct StepItem {
    condition: LocatedText,
    by: Option<Vec<Text>>,
}

pub(super) fn read(
    parts: &Entries<'_>,
    place: Place,
    report: &mut Report<'_>,
) -> Option<SequenceItem> {
    parts.refuse_unknown_keys(&["after", "within", "by"], report);
    for key in ["within", "by"].into_iter().filter(|key| !parts.has(key)) {
        let message = format!("`defender` with `after` needs the key `{key}`");
        let help = "for example `defender: {after: [{condition: spawned_process}], within: 5m, by: [process_tree]}`";
        report.error(place, message).help(help);
    }
    let nodes = parts.sequence("after", report);
    if nodes.is_some_and(|nodes| nodes.is_empty() || nodes.len() > MOST_STEPS) {
        let message = format!("`after` holds 1 to {MOST_STEPS} acts, the first of them first");
        report.error(parts.key_place("after"), message);
        return None;
    }
    let steps: Vec<_> = nodes?.iter().map(|node| step(node, report)).collect();
    let within = burst::within(parts, report);
    let by = by::read(parts, "by", report);
    let steps: Option<_> = steps.into_iter().collect();
    Some(SequenceItem { steps: steps?, within: within?, by: by? })
}

fn step(node: &Node, report: &mut Report<'_>) -> Option<StepItem> {
    let parts = Entries::of(node, "an act of `after`", report)?;
    parts.refuse_unknown_keys(&["condition", "by"], report);
    if !parts.has("condition") {
        report.error(parts.place, "an act of `after` needs the key `condition`");
    }
    let by = if parts.has("by") { Some(by::read(&parts, "by", report)?) } else { None };
    Some(StepItem { condition: parts.located_text("condition", report)?, by })
}

/// None where something is wrong: it was reported, or a problem was added.
pub(super) fn lower(
    item: &SequenceItem,
    source: EventSource,
    lowering: &mut Lowering<'_>,
    report: &mut Report<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Sequence> {
    let by = by::lower_of_sequence(&item.by, source, report, problems);
    let steps: Vec<_> = item
        .steps
        .iter()
        .map(|step| lower_step(step, by.as_ref(), source, lowering, report, problems))
        .collect();
    let steps: Option<_> = steps.into_iter().collect();
    Some(Sequence { steps: steps?, within: item.within, by: by? })
}

fn lower_step(
    item: &StepItem,
    of_rule: Option<&Key>,
    source: EventSource,
    lowering: &mut Lowering<'_>,
    report: &mut Report<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Step> {
    let condition = parsed(&item.condition, report);
    let lowered = condition.and_then(|it| lowering.rule(&it, source, report, problems));
    let by = match &item.by {
        Some(texts) => Some(by::lower_of_sequence(texts, source, report, problems)?),
        None => None,
    };
    if let (Some(by), Some(of_rule), Some(texts)) = (&by, of_rule, &item.by)
        && (by.process_tree, by.fields.len()) != (of_rule.process_tree, of_rule.fields.len())
    {
        let place = texts.first().map_or_else(Place::default, |text| text.place);
        let message = "the `by` of an act names as many fields as the rule's, one for each, and `process_tree` where that does";
        problems.push(Problem::new(report.diagnostic(Severity::Error, place, message.to_owned())));
        return None;
    }
    let lowered = lowered?;
    Some(Step {
        condition: lowered.condition,
        event_types: lowered.event_types,
        fields: lowered.fields,
        by,
    })
}
