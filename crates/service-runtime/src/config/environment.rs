//! Overrides from the environment: `DEFENDER_` and the key's path in capitals,
//! `__` between its levels.

use super::document;
use super::keys::{Known, KnownKeys, variable_name};
use super::place::Place;
use super::problem::Located;
use super::setting::{Setting, Value};
use serde_json::Value as Json;
use std::ffi::OsString;

const PREFIX: &str = "DEFENDER_";

/// The variable that names the configuration file itself.
pub(crate) const FILE_VARIABLE: &str = "DEFENDER_CONFIG";

/// Writes the overrides among `variables` into `settings`, and tells what is wrong with them.
pub(crate) fn apply(
    settings: &mut Setting,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    known: &KnownKeys,
) -> Vec<Located> {
    let mut problems = Vec::new();
    for (name, text) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        match read(name, text, known) {
            Ok(Some((path, setting))) => settings.set(&path, setting),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// The override that a variable stands for. None where it is not ours: Kubernetes sets
/// `DEFENDER_BACKEND_SERVICE_HOST` and the like for a Service named `defender-backend`.
fn read(
    name: &str,
    text: OsString,
    known: &KnownKeys,
) -> Result<Option<(Vec<String>, Setting)>, Located> {
    if name == FILE_VARIABLE {
        return Ok(None);
    }
    let problem = |message: String| Located { place: Place::Variable(name.to_owned()), message };
    let path = path_of(name);
    let default = match known.look_up(&path) {
        Known::Value(default) => Some(default),
        Known::Open => None,
        Known::Section(keys) => {
            let keys = keys.keys().map(|key| with_key(&path, key)).collect::<Vec<_>>();
            return Err(problem(format!("names a section; set one of {}", keys.join(", "))));
        }
        Known::Unknown if name.contains("__") => {
            return Err(known.unknown(Place::Variable(name.to_owned()), &path));
        }
        Known::Unknown => return misspelt(name, known).map_or(Ok(None), |way| Err(problem(way))),
    };
    let text =
        text.into_string().map_err(|_| problem(format!("{}: not valid UTF-8", path.join("."))))?;
    let setting = interpret(&Place::Variable(name.to_owned()), &text, default)
        .map_err(|Located { message, .. }| problem(format!("{}: {message}", path.join("."))))?;
    Ok(Some((path, setting)))
}

fn path_of(name: &str) -> Vec<String> {
    name[PREFIX.len()..].split("__").map(str::to_lowercase).collect()
}

fn with_key(path: &[String], key: &str) -> String {
    let mut path = path.to_vec();
    path.push(key.to_owned());
    variable_name(&path)
}

/// The way out where one `_` was written between levels instead of two.
fn misspelt(name: &str, known: &KnownKeys) -> Option<String> {
    known
        .values()
        .into_iter()
        .map(|(path, _)| variable_name(&path))
        .find(|meant| meant.replace("__", "_") == name)
        .map(|meant| format!("write {meant}, with two underscores between levels"))
}

/// The value that `text` stands for, in the light of the key's default: text stays text, a list
/// may leave its brackets out, all else is YAML.
pub(super) fn interpret(
    place: &Place,
    text: &str,
    default: Option<&Json>,
) -> Result<Setting, Located> {
    let yaml = match default {
        Some(Json::String(_)) => {
            return Ok(Setting { place: place.clone(), value: Value::Scalar(text.into()) });
        }
        Some(Json::Array(_)) if !text.trim_start().starts_with('[') => format!("[{text}]"),
        _ => text.to_owned(),
    };
    let mut setting = document::parse(&yaml, &|_| place.clone())?;
    setting.place = place.clone();
    Ok(setting)
}
