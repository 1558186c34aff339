//! YAML as a tree in which each node knows its place in the file.

use crate::diagnostic::Report;
use crate::source::{Place, SourceFile, Text};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// Deepest nesting of a rule file: an exception's list of lists, with room to spare.
const DEEPEST: usize = 24;
/// Most nodes of one file: lists of 100,000 items are in use.
const MOST_NODES: usize = 2_000_000;

/// A node and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub place: Place,
    pub value: Value,
}

/// What a node holds. Scalars keep their spelling: rules read numbers and words alike as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Scalar(String),
    Sequence(Vec<Node>),
    Mapping(Vec<(Text, Node)>),
}

impl Node {
    /// The scalar's text.
    pub fn scalar(&self) -> Option<Text> {
        match &self.value {
            Value::Scalar(value) => Some(Text { value: value.clone(), place: self.place }),
            _ => None,
        }
    }

    /// What a reader would call it.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

/// Parses one file. None where it is not YAML; the report says why then.
pub(crate) fn parse(report: &mut Report<'_>, index: u32, file: &SourceFile<'_>) -> Option<Node> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        emit_comments: false,
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            max_nodes: MOST_NODES,
            max_events: MOST_NODES * 2,
        },
    };
    match serde_saphyr::from_str_with_options::<Option<Spanned<Raw>>>(file.text, options) {
        Ok(raw) => {
            let nothing =
                Node { place: Place { file: index, start: 0, end: 0 }, value: Value::Null };
            Some(raw.map_or(nothing, |raw| node(raw, index, file.text)))
        }
        Err(error) => {
            let place = error.location().map_or(Place { file: index, start: 0, end: 0 }, |at| {
                place_of(at, index, file.text)
            });
            report.error(place, format!("this is not YAML that can be read: {}", reason(&error)));
            None
        }
    }
}

/// The parser's message without the position, which the diagnostic shows.
fn reason(error: &serde_saphyr::Error) -> String {
    let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    let line = message.lines().next().unwrap_or_default();
    line.split(" at line ").next().unwrap_or(line).to_owned()
}

fn node(raw: Spanned<Raw>, file: u32, text: &str) -> Node {
    let place = place_of(raw.defined, file, text);
    let spelling = || text.get(place.start as usize..place.end as usize).unwrap_or_default().trim();
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Typed => Value::Scalar(spelling().to_owned()),
        Raw::Text(value) => Value::Scalar(value),
        Raw::Sequence(items) => {
            Value::Sequence(items.into_iter().map(|item| node(item, file, text)).collect())
        }
        Raw::Mapping(entries) => Value::Mapping(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let place = place_of(key.defined, file, text);
                    (Text { value: key.value, place }, node(value, file, text))
                })
                .collect(),
        ),
    };
    Node { place, value }
}

/// Byte offsets of a location; computed from line and column where the parser does not tell them.
fn place_of(at: Location, file: u32, text: &str) -> Place {
    let narrow = |offset: usize| u32::try_from(offset.min(text.len())).unwrap_or(u32::MAX);
    let span = at.span();
    if let (Some(start), Some(length)) = (span.byte_offset(), span.byte_len()) {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let length = usize::try_from(length).unwrap_or(0);
        return Place { file, start: narrow(start), end: narrow(start.saturating_add(length)) };
    }
    let line = usize::try_from(at.line()).unwrap_or(1).max(1);
    let column = usize::try_from(at.column()).unwrap_or(1).max(1);
    let line_start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(line_start..).unwrap_or_default();
    let start = line_start + rest.char_indices().nth(column - 1).map_or(0, |(offset, _)| offset);
    Place { file, start: narrow(start), end: narrow(start + 1) }
}

/// A node as serde hands it over.
enum Raw {
    Null,
    /// A number or a truth value: its spelling is read from the file.
    Typed,
    Text(String),
    Sequence(Vec<Spanned<Raw>>),
    Mapping(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rule file")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut sequence = Vec::new();
        while let Some(item) = items.next_element()? {
            sequence.push(item);
        }
        Ok(Raw::Sequence(sequence))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(Raw::Mapping(mapping))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Node {
        let files = [SourceFile { name: "test.yaml", text }];
        let mut report = Report::new(&files);
        let node = parse(&mut report, 0, &files[0]);
        node.unwrap_or_else(|| panic!("{}", report.diagnostics[0]))
    }

    fn scalars(node: &Node, text: &str, out: &mut Vec<(String, String)>) {
        let spelling = text[node.place.start as usize..node.place.end as usize].to_owned();
        match &node.value {
            Value::Null => out.push(("null".to_owned(), spelling)),
            Value::Scalar(value) => out.push((value.clone(), spelling)),
            Value::Sequence(items) => items.iter().for_each(|item| scalars(item, text, out)),
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    let spelling = &text[key.place.start as usize..key.place.end as usize];
                    out.push((key.value.clone(), spelling.to_owned()));
                    scalars(value, text, out);
                }
            }
        }
    }

    #[test]
    fn every_scalar_keeps_its_spelling_and_its_place() {
        let text = "# c\n- é: [0755, yes, 1.50, ~, \"q\\n\", 'it''s']\n  b: word two\n  c: 1e3\n";
        let mut seen = Vec::new();
        scalars(&parsed(text), text, &mut seen);
        let expected = [
            ("é", "é"),
            ("0755", "0755"),
            ("yes", "yes"),
            ("1.50", "1.50"),
            ("null", "~"),
            ("q\n", "\"q\\n\""),
            ("it's", "'it''s'"),
            ("b", "b"),
            ("word two", "word two"),
            ("c", "c"),
            ("1e3", "1e3"),
        ];
        let seen: Vec<(&str, &str)> = seen.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_block_scalar_s_place_begins_behind_its_indicator() {
        let text = "- a: >  # comment\n    one\n    two\n  b: |-\n    x\n";
        let mut seen = Vec::new();
        scalars(&parsed(text), text, &mut seen);
        assert_eq!(seen[1].0, "one two\n");
        assert!(seen[1].1.starts_with("one\n    two"), "{seen:?}");
        assert_eq!(seen[3].1.trim_end(), "x");
    }
}
