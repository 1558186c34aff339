//! Tables in Markdown, made from what the engine itself uses.

use crate::event_type::EventType;
use crate::field::{Argument, Field, fields};
use crate::rule::Rule;
use std::fmt::Write as _;

/// The table of fields: name, type, who tells it, meaning.
pub fn field_table() -> String {
    let mut table = "| Field | Type | Told by | Meaning |\n|---|---|---|---|\n".to_owned();
    for field in fields() {
        let mark = if field.own { " (ours)" } else { "" };
        let (kind, provider) = (field.kind.name(), field.provider.name());
        let meaning = cell(field.meaning);
        // Writing to a String can't fail.
        let _ = writeln!(
            table,
            "| `{}`{mark} | {kind} | {provider} | {meaning} |",
            with_argument(field)
        );
    }
    table
}

fn with_argument(field: &Field) -> String {
    match field.argument {
        Argument::None => field.name.to_owned(),
        Argument::Generation | Argument::Place => format!("{0}`, `{0}[N]", field.name),
        Argument::OptionalKey => format!("{0}`, `{0}[name]", field.name),
        Argument::Key => format!("{}[key]", field.name),
        Argument::Pointer => format!("{}[/pointer]", field.name),
    }
}

/// The table of event types that sensors tell: the name that stands for each, and its other names.
pub fn event_type_table() -> String {
    let mut table = "| Type | Asked for as well by |\n|---|---|\n".to_owned();
    for event_type in EventType::seen() {
        let others: Vec<String> =
            event_type.names_of_type().iter().skip(1).map(|name| format!("`{name}`")).collect();
        let _ = writeln!(table, "| `{}` | {} |", event_type.name(), others.join(", "));
    }
    table
}

/// The table of rules: name, priority, tags, description.
pub fn rule_table(rules: &[Rule]) -> String {
    let mut table = "| Rule | Priority | Tags | What it finds |\n|---|---|---|---|\n".to_owned();
    for rule in rules {
        let (name, tags) = (cell(rule.name()), cell(&rule.tags().join(", ")));
        let description = cell(rule.description());
        let _ = writeln!(table, "| {name} | {} | {tags} | {description} |", rule.priority());
    }
    table
}

/// Text that does not end a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
