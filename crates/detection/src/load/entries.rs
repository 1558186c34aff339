//! Reading the keys of a mapping, with an error for each that does not fit.

use super::yaml::{Node, Value};
use crate::diagnostic::{Report, nearest};
use crate::source::{LocatedText, Place, Text};

/// The entries of one mapping of a rule file.
#[derive(Clone, Copy)]
pub(super) struct Entries<'n> {
    entries: &'n [(Text, Node)],
    pub place: Place,
}

impl<'n> Entries<'n> {
    /// None, and an error, where `node` is no mapping.
    pub fn of(node: &'n Node, what: &str, report: &mut Report<'_>) -> Option<Self> {
        let Value::Mapping(entries) = &node.value else {
            let message = format!("{what} must be a mapping, this is {}", node.kind());
            report.error(node.place, message);
            return None;
        };
        Some(Self { entries, place: node.place })
    }

    pub fn node(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
    }

    pub fn has(&self, key: &str) -> bool {
        self.node(key).is_some()
    }

    pub fn keys(&self) -> impl Iterator<Item = &'n Text> + use<'n> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The place of a key, for errors about it.
    pub fn key_place(&self, key: &str) -> Place {
        self.keys().find(|name| name.value == key).map_or(self.place, |name| name.place)
    }

    pub fn text(&self, key: &str, report: &mut Report<'_>) -> Option<Text> {
        let node = self.node(key)?;
        let text = node.scalar().filter(|text| !text.value.trim().is_empty());
        if text.is_none() {
            let place = if node.value == Value::Null { self.key_place(key) } else { node.place };
            report.error(place, format!("`{key}` needs a text, this is {}", node.kind()));
        }
        text
    }

    pub fn located_text(&self, key: &str, report: &mut Report<'_>) -> Option<LocatedText> {
        let text = self.text(key, report)?;
        Some(LocatedText::of_scalar(&text.value, text.place, report.file_text(text.place)))
    }

    pub fn truth(&self, key: &str, report: &mut Report<'_>) -> Option<bool> {
        let text = self.text(key, report)?;
        match text.value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => {
                report.error(text.place, format!("`{key}` is true or false, not `{}`", text.value));
                None
            }
        }
    }

    /// The scalars of a list.
    pub fn texts(&self, key: &str, report: &mut Report<'_>) -> Option<Vec<Text>> {
        let items = self.sequence(key, report)?;
        let texts = items.iter().filter_map(|item| {
            let text = item.scalar();
            if text.is_none() {
                let message = format!("`{key}` holds single values, this is {}", item.kind());
                report.error(item.place, message);
            }
            text
        });
        Some(texts.collect())
    }

    /// A list; a key without a value is an empty one.
    pub fn sequence(&self, key: &str, report: &mut Report<'_>) -> Option<&'n [Node]> {
        let node = self.node(key)?;
        match &node.value {
            Value::Sequence(items) => Some(items),
            Value::Null => Some(&[]),
            _ => {
                report
                    .error(node.place, format!("`{key}` must be a list, this is {}", node.kind()));
                None
            }
        }
    }

    /// An error for each key that is not among `known`.
    pub fn refuse_unknown_keys(&self, known: &[&str], report: &mut Report<'_>) {
        for key in self.unknown_keys(known) {
            let message = format!("unknown key `{}`", key.value);
            report.error(key.place, message).help(help_for(key, known));
        }
    }

    /// A warning for each key that is not among `known`: other engines of the language pass over what they do not know, and files carry notes of their
    /// authors' own.
    pub fn warn_of_unknown_keys(&self, known: &[&str], report: &mut Report<'_>) {
        for key in self.unknown_keys(known) {
            let message = format!("unknown key `{}`: it has no effect", key.value);
            report.warning(key.place, message).help(help_for(key, known));
        }
    }

    fn unknown_keys(&self, known: &[&str]) -> Vec<&'n Text> {
        self.keys().filter(|key| !known.contains(&key.value.as_str())).collect()
    }
}

fn help_for(key: &Text, known: &[&str]) -> String {
    nearest(&key.value, known.iter().copied()).map_or_else(
        || format!("the keys are {}", known.join(", ")),
        |name| format!("did you mean `{name}`?"),
    )
}
