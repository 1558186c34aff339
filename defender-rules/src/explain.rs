use crate::{WRONG, why_blind};
use detection::{Engine, EventSource, Explanation, Rule, WantedPaths};
use std::process::ExitCode;

/// Explains a rule, or tells which rules have nearly that name.
pub fn explain(mut engine: Engine, name: &str) -> ExitCode {
    let Some(explanation) = engine.explain(name) else {
        eprintln!("{}", unknown(&engine, name));
        return ExitCode::from(WRONG);
    };
    if let Some(rule) = engine.rules().iter().find(|rule| rule.name() == name) {
        print!("{}", written(rule, &explanation));
    }
    if let Some(reason) = why_blind(&engine, name) {
        println!("\nNo sensor tells what it needs: it {reason}.");
    }
    ExitCode::SUCCESS
}

/// That there is no such rule, and which it could be.
pub fn unknown(engine: &Engine, name: &str) -> String {
    let lower = name.to_lowercase();
    let alike = engine.rules().iter().map(Rule::name);
    let alike: Vec<_> = alike.filter(|known| known.to_lowercase().contains(&lower)).collect();
    let help = match alike.as_slice() {
        [] => "`defender-rules list` names those that there are".to_owned(),
        some => format!("did you mean {}?", some.join(", or ")),
    };
    format!("error: no rule that is switched on has the name `{name}`\n = help: {help}")
}

fn written(rule: &Rule, explanation: &Explanation) -> String {
    let Explanation { condition, source, event_types, fields, shown, needs, paths } = explanation;
    let types = match (source, event_types) {
        (EventSource::Syscall, None) => "all".to_owned(),
        (EventSource::Syscall, Some(types)) => types.join(", "),
        (other, _) => other.describe().to_owned(),
    };
    let mut text = format!("{} ({})\n", rule.name(), rule.priority());
    section(&mut text, "What it finds", [rule.description()]);
    section(&mut text, "Tags", [&*rule.tags().join(", ")]);
    section(&mut text, "Types of events", [&*types]);
    section(&mut text, "Condition, macros and lists written out", condition.lines());
    if let Some(needs) = needs {
        section(&mut text, "An alert takes", needs.lines());
    }
    let fields = fields.iter().map(|(field, provider)| format!("{field}: told by {provider}"));
    section(&mut text, "Fields", fields);
    if shown.is_empty() {
        section(&mut text, "Asked of", ["every act of these types"]);
    } else {
        section(&mut text, "Asked of acts that show one of these", shown);
    }
    write_paths(&mut text, paths);
    text
}

fn write_paths(text: &mut String, paths: &WantedPaths) {
    let WantedPaths { read, write, unbounded } = paths;
    if !read.is_empty() {
        section(text, "The kernel tells of these files when they are read", read);
    }
    if !write.is_empty() {
        section(text, "The kernel tells of these files when they are changed", write);
    }
    if !unbounded.is_empty() {
        let only =
            "Its condition bounds no path: of acts on files it sees those that kernel.files names.";
        section(text, "Files", [only]);
    }
}

fn section(text: &mut String, title: &str, lines: impl IntoIterator<Item = impl AsRef<str>>) {
    for part in ["\n", title, ":\n"] {
        text.push_str(part);
    }
    for line in lines {
        for part in ["    ", line.as_ref(), "\n"] {
            text.push_str(part);
        }
    }
}
