//! Packages of Python: folders `NAME-VERSION.dist-info` with METADATA, or the older `.egg-info` with PKG-INFO.

use super::limits;
use super::packages::Found;
use super::root::{Root, Skipped};
use event_model::{Package, PackageManager};

/// Name and version stand before the description, which is long.
const LINES: usize = 200;

/// The file that describes the package of such a folder; None where it is no such folder.
pub fn description(folder: &str) -> Option<&'static str> {
    if folder.ends_with(".dist-info") {
        Some("METADATA")
    } else if folder.ends_with(".egg-info") {
        Some("PKG-INFO")
    } else {
        None
    }
}

/// Reads the package that a folder describes.
pub fn read(root: &Root, folder: &str, description: &str, found: &mut Found<'_>) {
    let path = format!("{folder}/{description}");
    let text = match root.text(&path, limits::METADATA_BYTES) {
        Ok(text) => text,
        Err(Skipped::Absent) => return,
        Err(skipped) => return found.skipped(&path, skipped),
    };
    // Headers as in mail; an empty line ends them.
    let headers = || text.lines().take(LINES).take_while(|line| !line.is_empty());
    let value = |name: &str| headers().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let (Some(name), Some(version)) = (value("Name:"), value("Version:")) else { return };
    found.add(Package {
        manager: PackageManager::Python,
        name: limits::clipped(name, limits::NAME),
        version: limits::clipped(version, limits::NAME),
        architecture: None,
        source: None,
        path: Some(limits::clipped(folder, limits::PATH)),
    });
}
