//! What the command line sets: each flag names its key.

use super::environment::interpret;
use super::keys::{Known, KnownKeys};
use super::place::Place;
use super::problem::Located;
use super::setting::Setting;
use crate::Flag;

/// Writes the values of flags into `settings`, and tells what is wrong with them.
pub(crate) fn apply(
    settings: &mut Setting,
    flags: &[(Flag, String)],
    known: &KnownKeys,
) -> Vec<Located> {
    let mut problems = Vec::new();
    for (flag, text) in flags {
        let path: Vec<String> = flag.key.split('.').map(str::to_owned).collect();
        let default = match known.look_up(&path) {
            Known::Value(default) => Some(default),
            _ => None,
        };
        match interpret(&Place::Flag(flag.name), text, default) {
            Ok(setting) => settings.set(&path, setting),
            Err(problem) => problems.push(problem),
        }
    }
    problems
}
