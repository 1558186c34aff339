//! Debian's package database, `/var/lib/dpkg/status`; distroless images have a file a package in `status.d`.

use super::limits;
use super::packages::Found;
use super::root::{Root, Skipped};
use event_model::{Package, PackageManager};

/// The database.
pub const STATUS: &str = "var/lib/dpkg/status";
const STATUS_FOLDER: &str = "var/lib/dpkg/status.d";

/// Reads all packages of which files lie on the disk.
pub fn read(root: &Root, found: &mut Found<'_>) {
    match root.text(STATUS, limits::DATABASE_BYTES) {
        Ok(text) => parse(&text, found),
        Err(Skipped::Absent) => {}
        Err(skipped) => found.skipped(STATUS, skipped),
    }
    let Ok(listing) = root.list(STATUS_FOLDER, limits::DIRECTORY_ENTRIES) else { return };
    for entry in listing.entries {
        if entry.is_directory || entry.name.ends_with(".md5sums") {
            continue;
        }
        let path = format!("{STATUS_FOLDER}/{}", entry.name);
        match root.text(&path, limits::METADATA_BYTES) {
            Ok(text) => parse(&text, found),
            Err(skipped) => found.skipped(&path, skipped),
        }
    }
}

/// Paragraphs of deb-control(5). Lines that begin with a space continue the one before, and hold nothing we need.
fn parse(text: &str, found: &mut Found<'_>) {
    let mut paragraph = Paragraph::default();
    for line in text.lines().chain([""]) {
        if line.is_empty() {
            if let Some(package) = std::mem::take(&mut paragraph).package() {
                found.add(package);
            }
        } else {
            paragraph.take(line);
        }
    }
}

#[derive(Default)]
struct Paragraph<'text> {
    name: Option<&'text str>,
    version: Option<&'text str>,
    architecture: Option<&'text str>,
    source: Option<&'text str>,
    status: Option<&'text str>,
}

impl<'text> Paragraph<'text> {
    fn take(&mut self, line: &'text str) {
        let Some((name, value)) = line.split_once(':') else { return };
        let field = match name {
            "Package" => &mut self.name,
            "Version" => &mut self.version,
            "Architecture" => &mut self.architecture,
            "Source" => &mut self.source,
            "Status" => &mut self.status,
            _ => return,
        };
        *field = Some(value.trim()).filter(|value| !value.is_empty());
    }

    /// None where the package was removed, or the paragraph is none of a package.
    fn package(self) -> Option<Package> {
        let state = self.status.and_then(|status| status.split_ascii_whitespace().nth(2));
        if matches!(state, Some("not-installed" | "config-files")) {
            return None;
        }
        Some(Package {
            manager: PackageManager::Dpkg,
            name: limits::clipped(self.name?, limits::NAME),
            version: limits::clipped(self.version?, limits::NAME),
            architecture: self.architecture.map(|text| limits::clipped(text, limits::NAME)),
            source: self.source.map(|text| limits::clipped(text, limits::NAME)),
            path: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn packages_that_were_removed_are_not_there() {
        let folder = testing::root(&[(
            STATUS,
            "\
Package: libc6
Status: install ok installed
Version: 2.36-9
Architecture: amd64
Source: glibc
Description: the library
 of all: libraries
Package-Type: deb

Package: gone
Status: deinstall ok config-files
Version: 1
Architecture: all

Package: held
Status: hold ok half-configured
Version: 3",
        )]);
        let (packages, problems) = testing::packages(folder.path(), read);
        let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["libc6", "held"]);
        assert_eq!(packages[0].source.as_deref(), Some("glibc"));
        assert_eq!(packages[0].version, "2.36-9");
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn distroless_images_have_a_file_for_each_package() {
        let folder = testing::root(&[
            ("var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12\n"),
            ("var/lib/dpkg/status.d/base.md5sums", "Package: no\nVersion: 1\n"),
        ]);
        let (packages, _) = testing::packages(folder.path(), read);
        assert_eq!(packages.len(), 1, "{packages:?}");
    }

    #[test]
    fn the_database_of_this_machine_is_read_as_dpkg_reads_it() {
        let Ok(output) = std::process::Command::new("dpkg-query")
            .args(["-W", "-f", "${db:Status-Abbrev} ${Package} ${Version} ${Architecture}\n"])
            .output()
        else {
            return; // Not a Debian.
        };
        let mut expected: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter(|line| !matches!(line.as_bytes().get(1), Some(b'n' | b'c')))
            .filter_map(|line| Some(line.split_once(' ')?.1.trim().to_owned()))
            .collect();
        let (packages, problems) = testing::packages(std::path::Path::new("/"), read);
        let mut read: Vec<String> = packages
            .iter()
            .map(|package| {
                let architecture = package.architecture.as_deref().unwrap_or_default();
                format!("{} {} {architecture}", package.name, package.version)
            })
            .collect();
        expected.sort();
        read.sort();
        assert_eq!(read, expected);
        assert!(problems.is_empty(), "{problems:?}");
    }
}
