use super::place::Place;
use super::problem::{LoadError, Located};
use super::setting::{Setting, Value};
use serde::Serialize;
use serde_json::Value as Json;

/// Likeness (1 is equal) from which a known key is worth suggesting.
const LIKE_ENOUGH: f64 = 0.7;

/// The keys that a configuration may have, and their defaults.
pub(crate) struct KnownKeys {
    defaults: Json,
}

/// What is known of a path.
pub(crate) enum Known<'a> {
    /// A section with fixed keys.
    Section(&'a serde_json::Map<String, Json>),
    /// A value with this default.
    Value(&'a Json),
    /// It lies in a part whose keys the defaults don't tell; its type checks them.
    Open,
    Unknown,
}

impl KnownKeys {
    /// The keys of a configuration, from its defaults.
    pub(crate) fn of(defaults: &impl Serialize) -> Result<Self, LoadError> {
        serde_json::to_value(defaults)
            .map(|defaults| Self { defaults })
            .map_err(LoadError::Defaults)
    }

    /// The defaults of all keys.
    pub(crate) fn defaults(&self) -> &Json {
        &self.defaults
    }

    /// What is known of `path`.
    pub(crate) fn look_up(&self, path: &[String]) -> Known<'_> {
        let mut value = &self.defaults;
        for key in path {
            value = match value {
                Json::Object(keys) if !keys.is_empty() => match keys.get(key) {
                    Some(value) => value,
                    None => return Known::Unknown,
                },
                Json::Object(_) | Json::Null => return Known::Open,
                _ => return Known::Unknown,
            };
        }
        match value {
            Json::Object(keys) if !keys.is_empty() => Known::Section(keys),
            Json::Object(_) => Known::Open,
            value => Known::Value(value),
        }
    }

    /// What is wrong with the keys of `settings`: unknown ones, and values where sections are expected.
    pub(crate) fn check(&self, settings: &Setting) -> Vec<Located> {
        let mut problems = Vec::new();
        self.check_section(settings, &mut Vec::new(), &mut problems);
        problems
    }

    fn check_section(&self, section: &Setting, path: &mut Vec<String>, found: &mut Vec<Located>) {
        let Value::Section(entries) = &section.value else { return };
        for entry in entries {
            path.push(entry.key.clone());
            match self.look_up(path) {
                Known::Unknown => found.push(self.unknown(entry.key_place.clone(), path)),
                Known::Section(keys) => match &entry.setting.value {
                    Value::Section(_) => self.check_section(&entry.setting, path, found),
                    _ if entry.setting.is_null() => {}
                    _ => found.push(section_expected(entry.setting.place.clone(), path, keys)),
                },
                Known::Value(_) | Known::Open => {}
            }
            path.pop();
        }
    }

    /// The problem of an unknown key, with the way out.
    pub(crate) fn unknown(&self, place: Place, path: &[String]) -> Located {
        let way_out = match (self.nearest(path), &place) {
            (Some(nearest), Place::Variable(_)) => {
                format!("did you mean {} ({})?", variable_name(&nearest), nearest.join("."))
            }
            (Some(nearest), _) => format!("did you mean {}?", nearest.join(".")),
            (None, _) => self.what_is_known_near(path),
        };
        Located { place, message: format!("unknown key {}; {way_out}", path.join(".")) }
    }

    fn nearest(&self, path: &[String]) -> Option<Vec<String>> {
        self.paths()
            .into_iter()
            .map(|known| (likeness(path, &known), known))
            .filter(|(likeness, _)| *likeness >= LIKE_ENOUGH)
            .max_by(|(one, _), (other, _)| one.total_cmp(other))
            .map(|(_, known)| known)
    }

    fn what_is_known_near(&self, path: &[String]) -> String {
        for length in (1..path.len()).rev() {
            match self.look_up(&path[..length]) {
                Known::Section(keys) => {
                    return format!("{} has the keys {}", path[..length].join("."), names(keys));
                }
                Known::Value(_) => return format!("{} has no keys", path[..length].join(".")),
                Known::Open | Known::Unknown => {}
            }
        }
        let top = self.defaults.as_object().map(names).unwrap_or_default();
        format!("the top keys are {top}")
    }

    /// All known paths, sections too.
    pub(crate) fn paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        collect_paths(&self.defaults, &mut Vec::new(), &mut paths);
        paths
    }

    /// All keys that hold a value, with their defaults.
    pub(crate) fn values(&self) -> Vec<(Vec<String>, &Json)> {
        let known = self.paths().into_iter();
        known
            .filter_map(|path| {
                let value = path.iter().try_fold(&self.defaults, |value, key| value.get(key))?;
                let is_section = value.as_object().is_some_and(|keys| !keys.is_empty());
                (!is_section).then_some((path, value))
            })
            .collect()
    }
}

/// The environment variable that overrides the key at `path`.
pub(crate) fn variable_name(path: &[String]) -> String {
    format!("DEFENDER_{}", path.join("__").to_uppercase())
}

fn section_expected(
    place: Place,
    path: &[String],
    keys: &serde_json::Map<String, Json>,
) -> Located {
    let message = format!("{}: expected a section with the keys {}", path.join("."), names(keys));
    Located { place, message }
}

fn names(keys: &serde_json::Map<String, Json>) -> String {
    keys.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn collect_paths(value: &Json, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let Json::Object(keys) = value else { return };
    for (key, value) in keys {
        path.push(key.clone());
        paths.push(path.clone());
        collect_paths(value, path, paths);
        path.pop();
    }
}

/// How alike two paths are, from 0 to 1. A right key in a wrong section is almost right.
fn likeness(written: &[String], known: &[String]) -> f64 {
    let whole = strsim::normalized_damerau_levenshtein(&written.join("."), &known.join("."));
    let same_key = written.last() == known.last();
    if same_key { whole.max(LIKE_ENOUGH + 0.1 * whole) } else { whole }
}
