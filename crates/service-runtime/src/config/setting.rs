use super::place::Place;
use serde_json::Value as Json;

/// A value, and where it was written. Sections keep the order of their keys.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a [`Setting`] holds.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A string, number, boolean or null.
    Scalar(Json),
    List(Vec<Setting>),
    Section(Vec<Entry>),
}

/// One key of a section.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) setting: Setting,
}

impl Setting {
    /// A section without keys.
    pub(crate) fn empty_section() -> Self {
        Self { place: Place::Default, value: Value::Section(Vec::new()) }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Scalar(Json::Null))
    }

    /// Puts `setting` at `path`, making the sections on the way.
    pub(crate) fn set(&mut self, path: &[String], setting: Setting) {
        let [key, rest @ ..] = path else {
            *self = setting;
            return;
        };
        if !matches!(self.value, Value::Section(_)) {
            self.value = Value::Section(Vec::new());
        }
        let Value::Section(entries) = &mut self.value else { return };
        let known = entries.iter().position(|entry| entry.key == *key);
        let index = known.unwrap_or_else(|| {
            entries.push(Entry {
                key: key.clone(),
                key_place: setting.place.clone(),
                setting: Setting { place: setting.place.clone(), ..Self::empty_section() },
            });
            entries.len() - 1
        });
        entries[index].setting.set(rest, setting);
    }

    /// Where the value at `path` was written; where only a part of the path was, the place of that part.
    pub(crate) fn place_of<'a>(&'a self, path: &[String]) -> &'a Place {
        let [step, rest @ ..] = path else { return &self.place };
        let next = match &self.value {
            Value::Section(entries) => {
                entries.iter().find(|entry| entry.key == *step).map(|entry| &entry.setting)
            }
            Value::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
            Value::Scalar(_) => None,
        };
        next.map_or(&self.place, |setting| setting.place_of(rest))
    }

    /// Writes these settings over `target`. A section that was left empty keeps what `target` has.
    pub(crate) fn overlay(&self, target: &mut Json) {
        match (&self.value, target) {
            (Value::Section(entries), Json::Object(object)) => {
                for entry in entries {
                    let slot = object.entry(entry.key.clone()).or_insert(Json::Null);
                    entry.setting.overlay(slot);
                }
            }
            (Value::Scalar(Json::Null), Json::Object(_)) => {}
            (_, target) => *target = self.to_json(),
        }
    }

    fn to_json(&self) -> Json {
        match &self.value {
            Value::Scalar(scalar) => scalar.clone(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Section(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.setting.to_json())).collect()
            }
        }
    }
}
