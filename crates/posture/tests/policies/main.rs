//! The policies that we ship: their cases, what the chart makes of them, and objects that mean harm.
#![allow(clippy::unwrap_used)] // The lint knows only functions marked #[test] as tests.

mod cases;
mod chart;
mod evaluation;
mod generated;
mod hostile;

use posture::{PolicyFile, PolicySet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The YAML files of a folder, by the order of their names.
fn files(folder: &str) -> Vec<(String, String)> {
    let folder = repository().join(folder);
    let inside = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = inside
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    let file =
        |path: &PathBuf| (path.display().to_string(), std::fs::read_to_string(path).unwrap());
    paths.iter().map(file).collect()
}

/// Every policy that we ship.
fn policies() -> Arc<PolicySet> {
    static POLICIES: OnceLock<Arc<PolicySet>> = OnceLock::new();
    let load = || {
        let files = files("policies");
        let files: Vec<_> = files.iter().map(|(name, text)| PolicyFile { name, text }).collect();
        Arc::new(PolicySet::load(&files).unwrap_or_else(|error| panic!("{error}")))
    };
    Arc::clone(POLICIES.get_or_init(load))
}
