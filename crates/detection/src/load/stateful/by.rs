use crate::diagnostic::{Report, Severity};
use crate::event_source::EventSource;
use crate::field::FieldUse;
use crate::load::entries::Entries;
use crate::lower::{Problem, field_use, refuse_of_other_source};
use crate::memory::{Key, PROCESS_TREE};
use crate::source::Text;

/// Fields that tell one memory from another.
const MOST_FIELDS: usize = 4;

/// The fields that a key names: a list of them, or one alone.
pub(super) fn read(parts: &Entries<'_>, key: &str, report: &mut Report<'_>) -> Option<Vec<Text>> {
    let one = parts.node(key)?.scalar().filter(|text| !text.value.trim().is_empty());
    let fields = match one {
        Some(field) => vec![field],
        None => parts.texts(key, report)?,
    };
    if fields.is_empty() || fields.len() > MOST_FIELDS {
        report.error(parts.key_place(key), format!("`{key}` names 1 to {MOST_FIELDS} fields"));
        return None;
    }
    Some(fields)
}

/// None where a field is none: a problem was added.
pub(super) fn lower(
    texts: &[Text],
    source: EventSource,
    report: &Report<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Key> {
    let fields: Option<_> =
        texts.iter().map(|text| field(text, source, report, problems)).collect();
    Some(Key { process_tree: false, fields: fields? })
}

/// The same, where `process_tree` may stand among the fields.
pub(super) fn lower_of_sequence(
    texts: &[Text],
    source: EventSource,
    report: &Report<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Key> {
    let (trees, fields): (Vec<_>, Vec<_>) =
        texts.iter().cloned().partition(|text| text.value == PROCESS_TREE);
    if let Some(tree) = trees.first().filter(|_| source != EventSource::Syscall) {
        let message = "`process_tree` is of acts of processes, and the rule is about requests";
        let diagnostic = report.diagnostic(Severity::Error, tree.place, message.to_owned());
        problems.push(Problem::new(diagnostic));
        return None;
    }
    let key = lower(&fields, source, report, problems)?;
    Some(Key { process_tree: !trees.is_empty(), ..key })
}

pub(super) fn field(
    text: &Text,
    source: EventSource,
    report: &Report<'_>,
    problems: &mut Vec<Problem>,
) -> Option<FieldUse> {
    let bracketed = text.value.strip_suffix(']').and_then(|text| text.split_once('['));
    let (name, argument) = match bracketed {
        Some((name, argument)) => (name, Some(argument)),
        None => (text.value.as_str(), None),
    };
    match field_use(name, argument, text.place, report) {
        Ok(used) => {
            let refusal = refuse_of_other_source(used.field, source, text.place, report);
            let is_refused = refusal.is_some();
            problems.extend(refusal);
            (!is_refused).then_some(used)
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}
