use crate::RulePaths;
use crate::disk::visible_files;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What tells whether rule files changed, without reading them: which there are, and when each was written. Links are followed, so that
/// a ConfigMap's new version is seen, which comes by a link that is exchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(Vec<(PathBuf, Option<Version>)>);

/// Of a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of the files that [`crate::load_from`] would read now.
    pub fn of(paths: &RulePaths) -> Self {
        let mut files = vec![];
        for (path, extensions) in paths.each() {
            if visible_files(path, extensions, &mut files).is_err() {
                files.push(path.clone());
            }
        }
        Self(files.into_iter().map(|file| (file.clone(), version(&file))).collect())
    }
}

fn version(file: &Path) -> Option<Version> {
    let found = fs::metadata(file).ok()?;
    Some(Version {
        device: found.dev(),
        inode: found.ino(),
        bytes: found.len(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_written_added_removed_or_linked_to_changes_the_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("one")).unwrap();
        fs::create_dir(path("two")).unwrap();
        for name in ["one/rules.yaml", "two/rules.yaml"] {
            fs::write(path(name), "[]").unwrap();
        }
        symlink(path("one"), path("..data")).unwrap();
        let paths = RulePaths::of_rules(&[path("..data")]);
        let mut before = Stamp::of(&paths);
        assert_eq!(Stamp::of(&paths), before, "nothing happened");
        let mut differs = |what: &str| {
            let after = Stamp::of(&paths);
            assert_ne!(after, before, "{what}");
            before = after;
        };
        fs::write(path("one/rules.yaml"), "[ ]").unwrap();
        differs("a file was written");
        fs::write(path("one/more.yml"), "[]").unwrap();
        differs("a file came");
        fs::remove_file(path("one/more.yml")).unwrap();
        differs("a file went");
        symlink(path("two"), path("new")).unwrap();
        fs::rename(path("new"), path("..data")).unwrap();
        differs("the link leads elsewhere");
        fs::remove_file(path("..data")).unwrap();
        differs("nothing is there");
    }
}
