use super::keys::{Known, KnownKeys};
use super::problem::{ConfigProblem, LoadError, Located};
use super::setting::Setting;
use super::{ServiceConfig, document};
use super::{environment, flags};
use crate::Flag;
use serde_path_to_error::Segment;
use std::ffi::OsString;
use std::path::Path;

/// The effective configuration: defaults, then the file, then the environment, then the program's own flags.
pub(crate) fn load<C: ServiceConfig>(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    given: &[(Flag, String)],
) -> Result<C, LoadError> {
    let known = KnownKeys::of(&C::default())?;
    let settings = gather(file, variables, given, &known)?;
    let mut effective = known.defaults().clone();
    settings.overlay(&mut effective);
    let wrong = |problem| LoadError::Wrong(vec![problem]);
    let config: C = serde_path_to_error::deserialize(effective)
        .map_err(|error| wrong(wrong_type(&error, &settings, &known)))?;
    let checked = config.shared().validate().and_then(|()| config.validate());
    checked.map_err(|problem| wrong(wrong_value(&problem, &settings)))?;
    Ok(config)
}

/// What was written, by file, environment and flags. All wrong keys are told at once.
fn gather(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    given: &[(Flag, String)],
    known: &KnownKeys,
) -> Result<Setting, LoadError> {
    let mut settings = file.map_or_else(|| Ok(Setting::empty_section()), document::read)?;
    let mut problems = known.check(&settings);
    problems.extend(environment::apply(&mut settings, variables, known));
    problems.extend(flags::apply(&mut settings, given, known));
    if problems.is_empty() { Ok(settings) } else { Err(LoadError::Wrong(problems)) }
}

fn wrong_type(
    error: &serde_path_to_error::Error<serde_json::Error>,
    settings: &Setting,
    known: &KnownKeys,
) -> Located {
    let path: Vec<String> = error.path().iter().filter_map(step).collect();
    let default = match known.look_up(&path) {
        Known::Value(default) if !default.is_null() => format!(" (the default is {default})"),
        _ => String::new(),
    };
    let key = path.join(".");
    Located {
        place: settings.place_of(&path).clone(),
        message: format!("{key}: {}{default}", error.inner()),
    }
}

fn step(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

fn wrong_value(problem: &ConfigProblem, settings: &Setting) -> Located {
    let path: Vec<String> = problem.key.split('.').map(str::to_owned).collect();
    Located { place: settings.place_of(&path).clone(), message: problem.to_string() }
}
