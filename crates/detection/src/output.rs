//! Outputs: text in which fields are replaced by their values.

use crate::condition::{Subject, Transformer, parse_leading_subject};
use crate::diagnostic::{Report, Severity};
use crate::event_source::EventSource;
use crate::field::{Facts, FieldUse, Value};
use crate::lower::{Problem, Used, refuse_of_other_source, used};
use crate::source::LocatedText;
use crate::transform::transformed;
use std::fmt::Write as _;
use std::ops::Range;

/// What stands for a missing value.
const MISSING: &str = "<NA>";
/// Longest value that is shown whole, in bytes. The alert carries the process's arguments besides.
const LONGEST_VALUE: usize = 4096;
/// A field that other engines replace by nothing.
const NOTHING: &str = "container.info";
/// The fields that are added to the outputs of rules that do not print them, when the act was in a container.
const ADDED: [(&str, &str); 6] = [
    ("container_id", "container.id"),
    ("container_name", "container.name"),
    ("container_image_repository", "container.image.repository"),
    ("container_image_tag", "container.image.tag"),
    ("k8s_ns_name", "k8s.ns.name"),
    ("k8s_pod_name", "k8s.pod.name"),
];

/// A rule's output, read.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    /// Printed in containers, behind the rest.
    added: Vec<(&'static str, FieldUse)>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Field { field: FieldUse, transformers: Vec<Transformer>, width: Option<usize> },
}

impl Template {
    /// None where a field is not as it should be; `problems` tell then.
    pub fn parse(
        text: &LocatedText,
        source: EventSource,
        report: &Report<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let errors_before = problems.len();
        let mut reader = Reader { text, source, at: 0, pieces: Vec::new() };
        while let Some(percent) = reader.rest().find('%') {
            reader.plain(percent);
            if let Err(problem) = reader.placeholder(report) {
                problems.push(problem);
                reader.at += 1;
            }
        }
        reader.plain(reader.rest().len());
        if problems.len() > errors_before {
            return None;
        }
        let pieces = reader.pieces;
        let added = ADDED.iter().filter(|(_, name)| !prints(&pieces, name));
        let added = added
            .filter_map(|(label, name)| Some((*label, FieldUse::named(name, None).ok()?)))
            .collect();
        Some(Self { pieces, added })
    }

    /// Whether it prints a field.
    pub fn prints(&self, name: &str) -> bool {
        prints(&self.pieces, name)
    }

    /// The text for one act.
    pub fn render(&self, facts: &Facts<'_>) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Field { field, transformers, width } => {
                    let value = field.access.value(facts);
                    let value = value.as_ref().map(|value| transformed(transformers, value));
                    push_padded(&mut text, &shown(value.as_ref()), *width);
                }
            }
        }
        if facts.in_container() {
            for (label, field) in &self.added {
                // Writing to a String can't fail.
                let _ = write!(text, " {label}={}", shown(field.access.value(facts).as_ref()));
            }
        }
        text
    }
}

fn prints(pieces: &[Piece], name: &str) -> bool {
    pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Field { field, .. } if field.fields().iter().any(|field| field.name == name)))
}

/// A value as people read it: control characters escaped, very long ones cut.
pub(crate) fn shown(value: Option<&Value<'_>>) -> String {
    let Some(value) = value else { return MISSING.to_owned() };
    let text = value.to_string();
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if shown.len() >= LONGEST_VALUE {
            shown.push('…');
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn push_padded(text: &mut String, value: &str, width: Option<usize>) {
    let Some(width) = width else {
        text.push_str(value);
        return;
    };
    let length = value.chars().count();
    text.extend(value.chars().take(width));
    text.extend(std::iter::repeat_n(' ', width.saturating_sub(length)));
}

struct Reader<'t> {
    text: &'t LocatedText,
    source: EventSource,
    at: usize,
    pieces: Vec<Piece>,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.as_str().get(self.at..).unwrap_or_default()
    }

    /// Takes the next `length` bytes as they are.
    fn plain(&mut self, length: usize) {
        let text = &self.rest()[..length];
        self.at += length;
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(before)) => before.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    /// What begins with the percent sign at which the reader stands.
    fn placeholder(&mut self, report: &Report<'_>) -> Result<(), Problem> {
        let start = self.at;
        let behind = &self.rest()[1..];
        if behind.starts_with('%') {
            self.at += 1;
            self.plain(1);
            return Ok(());
        }
        let digits = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let width = behind[..digits].parse().ok().map(|width: usize| width.min(LONGEST_VALUE));
        let from = start + 1 + digits;
        if !self.text.as_str()[from..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            let help = "a percent sign itself is written `%%`";
            return Err(self.problem(
                report,
                start..from,
                "expected a field behind `%`",
                Some(help),
            ));
        }
        let (subject, end) = parse_leading_subject(self.text, from).map_err(|error| {
            let mut diagnostic = report.diagnostic(Severity::Error, error.place, error.message);
            diagnostic.help = error.help;
            Problem::new(diagnostic)
        })?;
        if subject.call.is_some() || subject.field != NOTHING {
            let piece = field_piece(&subject, width, self.source, report)?;
            self.pieces.push(piece);
        }
        self.at = end;
        Ok(())
    }

    fn problem(
        &self,
        report: &Report<'_>,
        range: Range<usize>,
        message: &str,
        help: Option<&str>,
    ) -> Problem {
        let mut diagnostic =
            report.diagnostic(Severity::Error, self.text.place(range), message.to_owned());
        diagnostic.help = help.map(str::to_owned);
        Problem::new(diagnostic)
    }
}

fn field_piece(
    subject: &Subject,
    width: Option<usize>,
    source: EventSource,
    report: &Report<'_>,
) -> Result<Piece, Problem> {
    let Used { field, transformers, .. } = used(subject, report)?;
    let of_others = field
        .fields()
        .into_iter()
        .find_map(|field| refuse_of_other_source(field, source, subject.place, report));
    if let Some(problem) = of_others {
        return Err(problem);
    }
    Ok(Piece::Field { field, transformers, width })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_from_outside_can_t_forge_a_line() {
        let value = Value::Text("a\nb\u{1b}[2J".into());
        assert_eq!(shown(Some(&value)), "a\\nb\\u{1b}[2J");
        assert_eq!(shown(None), "<NA>");
    }

    #[test]
    fn a_very_long_value_is_cut() {
        let value = Value::Text("x".repeat(1 << 20).into());
        assert!(shown(Some(&value)).len() < LONGEST_VALUE + 8);
    }

    #[test]
    fn values_are_padded_or_cut_to_a_width() {
        let padded = |width| {
            let mut text = String::new();
            push_padded(&mut text, "nginx", width);
            text
        };
        assert_eq!(padded(Some(8)), "nginx   ");
        assert_eq!(padded(Some(3)), "ngi");
        assert_eq!(padded(None), "nginx");
    }

    #[test]
    fn kinds_are_checked_behind_transformers() {
        let text = LocatedText::detached("%len(proc.pid)");
        let mut problems = Vec::new();
        assert!(
            Template::parse(&text, EventSource::Syscall, &Report::new(&[]), &mut problems)
                .is_none()
        );
        assert!(problems[0].diagnostic.message.contains("takes a text"), "{problems:?}");
    }
}
