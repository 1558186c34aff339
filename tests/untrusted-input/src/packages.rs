//! Databases of packages: whoever makes an image chooses what is in them.

use collector_ds::inventory::pace::Pace;
use collector_ds::inventory::packages::{self, Found};
use collector_ds::inventory::{Root, limits};
use event_model::Package;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const LISTS: [&str; 3] =
    ["var/lib/dpkg/status", "var/lib/dpkg/status.d/base", "lib/apk/db/installed"];
const RPM_DATABASES: [&str; 3] =
    ["var/lib/rpm/Packages", "var/lib/rpm/Packages.db", "var/lib/rpm/rpmdb.sqlite"];

/// The first byte says which list the rest is.
pub fn lists(bytes: &[u8]) {
    let [which, list @ ..] = bytes else { return };
    read_as(LISTS[usize::from(*which) % LISTS.len()], list);
}

/// The first byte says in which format the rest is.
pub fn rpm_database(bytes: &[u8]) {
    let [which, database @ ..] = bytes else { return };
    read_as(RPM_DATABASES[usize::from(*which) % RPM_DATABASES.len()], database);
}

fn read_as(path: &str, bytes: &[u8]) {
    thread_local! {
        static FOLDER: TempDir = tempfile::tempdir().expect("a folder");
    }
    FOLDER.with(|folder| {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("folders");
        fs::write(&file, bytes).expect("a file");
        read(folder.path(), bytes.len());
        fs::remove_file(&file).expect("it is there");
    });
}

fn read(root: &Path, length: usize) {
    let root = Root::of_node(root).expect("a root");
    let mut pace = Pace::hurried();
    let mut found = Found::new(&mut pace);
    packages::read(&root, false, &[], &mut found);
    assert!(found.packages.len() <= limits::ITEMS.min(length), "{length} bytes");
    found.packages.iter().for_each(is_bounded);
    assert!(found.problems().iter().all(|problem| problem.len() <= 2 * limits::PATH));
}

fn is_bounded(package: &Package) {
    let texts = [Some(&package.name), Some(&package.version)];
    let mut texts =
        texts.into_iter().chain([package.architecture.as_ref(), package.source.as_ref()]).flatten();
    assert!(texts.all(|text| text.len() <= limits::NAME), "{package:?}");
}
