//! Rule files on a disk, and files of threat intelligence for their lists.

mod disk;
mod threat_intelligence;

use detection::{ListAddition, LoadError, RuleSet, SourceFile};
use disk::{read, visible_files};
use std::path::PathBuf;
pub use threat_intelligence::ThreatIntelligence;

/// Larger files are no rules.
const MAXIMUM_FILE_BYTES: u64 = 16 << 20;

/// Why there are no rules to look for.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum RulesError {
    #[error("cannot read {}: {source}; name an existing file or folder", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the file {} has over {maximum_bytes} bytes: is it the right file?", path.display())]
    TooLarge { path: PathBuf, maximum_bytes: u64 },
    #[error("{} is no bundle of STIX 2.1: {reason}", path.display())]
    NoBundle { path: PathBuf, reason: String },
    #[error("{0}")]
    Broken(#[from] LoadError),
}

/// The rules of all files together: names of lists and macros are shared between them. A folder stands for the rule files
/// in it, by the order of their names; folders below it are not looked into.
///
/// # Errors
/// A path that can't be read, or every error of every file at once.
pub fn load(paths: &[PathBuf]) -> Result<RuleSet, RulesError> {
    load_with_additions(paths, &[])
}

/// The same, with what is known to be malicious in their lists. What of it is for no list that a rule file defines is told by
/// [`RuleSet::unused_additions`].
///
/// # Errors
/// As [`load`].
pub fn load_with(
    paths: &[PathBuf],
    intelligence: ThreatIntelligence,
) -> Result<RuleSet, RulesError> {
    load_with_additions(paths, &intelligence.into_additions())
}

fn load_with_additions(
    paths: &[PathBuf],
    additions: &[ListAddition],
) -> Result<RuleSet, RulesError> {
    let mut files = vec![];
    for path in paths {
        visible_files(path, &["yaml", "yml"], &mut files)?;
    }
    let read = |path: &PathBuf| read(path, MAXIMUM_FILE_BYTES);
    let texts = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    let sources: Vec<_> =
        names.iter().zip(&texts).map(|(name, text)| SourceFile { name, text }).collect();
    Ok(RuleSet::load_with(&sources, additions)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str) -> String {
        format!(
            "- rule: {name}\n  desc: D.\n  condition: evt.type = execve\n  output: O\n  priority: NOTICE\n"
        )
    }

    #[test]
    fn the_rule_files_of_a_folder_are_loaded_by_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "c.txt"] {
            std::fs::write(folder.path().join(name), rule(name)).unwrap();
        }
        std::fs::create_dir(folder.path().join("below")).unwrap();
        let rules = load(&[folder.path().to_owned()]).unwrap();
        let names: Vec<_> = rules.rules().iter().map(detection::Rule::name).collect();
        assert_eq!(names, ["a.yml", "b.yaml"]);
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let error = load(&["/nowhere/rules".into()]).unwrap_err().to_string();
        assert!(error.starts_with("cannot read /nowhere/rules: No such file"), "{error}");
    }
}
