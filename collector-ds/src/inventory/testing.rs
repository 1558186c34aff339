//! What tests of the inventory share.

use super::pace::Pace;
use super::packages::Found;
use super::root::Root;
use event_model::Package;
use std::path::Path;

/// A root directory with these files.
pub fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, content).expect("a file");
    }
    folder
}

/// What a reader finds in a root, and its problems.
pub fn packages(
    path: &Path,
    read: impl FnOnce(&Root, &mut Found<'_>),
) -> (Vec<Package>, Vec<String>) {
    let root = Root::of_node(path).expect("a root");
    let mut pace = Pace::hurried();
    let mut found = Found::new(&mut pace);
    read(&root, &mut found);
    let problems = found.problems();
    assert_eq!(found.is_complete(), problems.is_empty());
    (found.packages, problems)
}
