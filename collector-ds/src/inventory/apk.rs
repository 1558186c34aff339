//! Alpine's package database.

use super::limits;
use super::packages::Found;
use super::root::{Root, Skipped};
use event_model::{Package, PackageManager};

/// Where the database is: since apk 3 below `usr`.
pub const INSTALLED: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

/// Reads all packages.
pub fn read(root: &Root, found: &mut Found<'_>) {
    for path in INSTALLED {
        match root.text(path, limits::DATABASE_BYTES) {
            Ok(text) => return parse(&text, found),
            Err(Skipped::Absent) => {}
            Err(skipped) => found.skipped(path, skipped),
        }
    }
}

/// Lines of a letter, a colon and a value; an empty line ends a package.
fn parse(text: &str, found: &mut Found<'_>) {
    let (mut name, mut version, mut architecture, mut origin) = (None, None, None, None);
    for line in text.lines().chain([""]) {
        match line.split_once(':') {
            Some(("P", value)) => name = Some(value),
            Some(("V", value)) => version = Some(value),
            Some(("A", value)) => architecture = Some(value),
            Some(("o", value)) => origin = Some(value),
            None if line.is_empty() => {
                if let (Some(name), Some(version)) = (name.take(), version.take()) {
                    found.add(package(name, version, architecture, origin));
                }
                (architecture, origin) = (None, None);
            }
            _ => {}
        }
    }
}

fn package(name: &str, version: &str, architecture: Option<&str>, origin: Option<&str>) -> Package {
    let clipped = |text: &str| limits::clipped(text, limits::NAME);
    Package {
        manager: PackageManager::Apk,
        name: clipped(name),
        version: clipped(version),
        architecture: architecture.map(clipped),
        source: origin.filter(|origin| *origin != name).map(clipped),
        path: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    const DATABASE: &str = "\
C:Q1abc=
P:musl
V:1.2.5-r0
A:x86_64
S:400000
o:musl
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755

C:Q1def=
P:musl-utils
V:1.2.5-r0
A:x86_64
o:musl
";

    #[test]
    fn packages_are_read_with_their_origin() {
        for path in INSTALLED {
            let folder = testing::root(&[(path, DATABASE)]);
            let (packages, problems) = testing::packages(folder.path(), read);
            assert_eq!(packages.len(), 2, "{packages:?}");
            assert_eq!((packages[0].name.as_str(), packages[0].source.as_deref()), ("musl", None));
            assert_eq!(packages[1].source.as_deref(), Some("musl"));
            assert_eq!(packages[1].architecture.as_deref(), Some("x86_64"));
            assert!(problems.is_empty(), "{problems:?}");
        }
    }
}
