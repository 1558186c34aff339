//! YAML text to [`Setting`]s, each with its line and column.

use super::place::Place;
use super::problem::{LoadError, Located};
use super::setting::{Entry, Setting, Value};
use crate::bounded_file::read_bounded_text;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;
use serde_saphyr::{Location, Spanned};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// More than any configuration of ours needs: a larger file is another kind of file.
const LARGEST_FILE: u64 = 1 << 20;

/// Reads the configuration file. An empty one is a section without keys.
pub(crate) fn read(path: &Path) -> Result<Setting, LoadError> {
    let text = read_text(path)?;
    let file: Arc<Path> = path.into();
    let place = |location: Location| Place::File {
        path: Arc::clone(&file),
        line: location.line(),
        column: location.column(),
    };
    let document = parse(&text, &place).map_err(|problem| LoadError::Wrong(vec![problem]))?;
    match document.value {
        Value::Section(_) => Ok(document),
        _ if document.is_null() => Ok(Setting::empty_section()),
        _ => Err(LoadError::Wrong(vec![Located {
            place: document.place,
            message: "expected `key: value` lines at the top of the file".to_owned(),
        }])),
    }
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    read_bounded_text(path, LARGEST_FILE)
        .map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })
}

/// Reads YAML `text`; `place` turns a location in it into words for the reader.
pub(crate) fn parse(text: &str, place: &dyn Fn(Location) -> Place) -> Result<Setting, Located> {
    if text.trim().is_empty() {
        return Ok(Setting { place: Place::Default, value: Value::Scalar(Json::Null) });
    }
    serde_saphyr::from_str::<Node>(text).map(|node| node.into_setting(place)).map_err(|error| {
        let error = error.without_snippet();
        Located {
            place: place(error.location().unwrap_or(Location::UNKNOWN)),
            message: format!("not valid YAML: {}", without_location(&error.to_string())),
        }
    })
}

/// The parser appends where the error is; our messages begin with it.
fn without_location(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(words, _)| words)
}

/// A YAML node as the parser gives it.
struct Node(Spanned<Yaml>);

enum Yaml {
    Scalar(Json),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

impl Node {
    fn into_setting(self, place: &dyn Fn(Location) -> Place) -> Setting {
        let value = match self.0.value {
            Yaml::Scalar(scalar) => Value::Scalar(scalar),
            Yaml::List(items) => {
                Value::List(items.into_iter().map(|item| item.into_setting(place)).collect())
            }
            Yaml::Map(entries) => Value::Section(
                entries
                    .into_iter()
                    .map(|(key, node)| Entry {
                        key_place: place(key.referenced),
                        key: key.value,
                        setting: node.into_setting(place),
                    })
                    .collect(),
            ),
        };
        Setting { place: place(self.0.referenced), value }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(Json::Null))
    }

    fn visit_none<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(Json::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Yaml, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Yaml, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Yaml::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Yaml, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Yaml::Map(map))
    }
}
