//! Packages of Node.js: folders of `node_modules`, each with a package.json.

use super::limits;
use super::packages::Found;
use super::root::{Root, Skipped};
use event_model::{Package, PackageManager};
use serde::Deserialize;

#[derive(Deserialize)]
struct Manifest {
    name: Option<String>,
    version: Option<String>,
}

/// Reads the package in a folder, where there is one.
pub fn read(root: &Root, folder: &str, found: &mut Found<'_>) {
    let path = format!("{folder}/package.json");
    let bytes = match root.read(&path, limits::METADATA_BYTES) {
        Ok(bytes) => bytes,
        Err(Skipped::Absent) => return,
        Err(skipped) => return found.skipped(&path, skipped),
    };
    // Packages hold folders with a package.json that names nothing; and tests of parsers hold broken ones.
    let Ok(Manifest { name: Some(name), version: Some(version) }) = serde_json::from_slice(&bytes)
    else {
        return;
    };
    found.add(Package {
        manager: PackageManager::Npm,
        name: limits::clipped(&name, limits::NAME),
        version: limits::clipped(&version, limits::NAME),
        architecture: None,
        source: None,
        path: Some(limits::clipped(folder, limits::PATH)),
    });
}
