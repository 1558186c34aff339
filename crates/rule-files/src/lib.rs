//! Rule files on a disk.

mod stamp;

pub use stamp::Stamp;

use detection::{LoadError, RuleSet, SourceFile};
use event_model::Timestamp;
use std::path::{Path, PathBuf};

/// Larger files are no rules.
const MAXIMUM_FILE_BYTES: u64 = 16 << 20;

/// Why there are no rules to look for.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum RulesError {
    #[error("cannot read the rules at {}: {source}; name an existing file or folder", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the rule file {} has over {MAXIMUM_FILE_BYTES} bytes: is it the right file?", path.display())]
    TooLarge { path: PathBuf },
    #[error("{0}")]
    Broken(#[from] LoadError),
}

/// A rule file: the name that stands in messages, and its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// Its path.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// The rules of all files together: names of lists and macros are shared between them. A folder stands for the rule files
/// in it, by the order of their names; folders below it are not looked into.
///
/// # Errors
/// A path that can't be read, or every error of every file at once.
pub fn load(paths: &[PathBuf]) -> Result<RuleSet, RulesError> {
    load_with_suppressions(paths, &[])
}

/// The same, with the suppressions of files and folders that are found in the same way.
///
/// # Errors
/// A path that can't be read, or every error of every file at once.
pub fn load_with_suppressions(
    paths: &[PathBuf],
    suppressions: &[PathBuf],
) -> Result<RuleSet, RulesError> {
    let (rules, suppressions) = (read_all(paths)?, read_all(suppressions)?);
    let (rules, suppressions) = (sources(&rules), sources(&suppressions));
    Ok(RuleSet::load_with_suppressions(&rules, &suppressions, Timestamp::now())?)
}

fn sources(files: &[RuleFile]) -> Vec<SourceFile<'_>> {
    files.iter().map(|RuleFile { name, text }| SourceFile { name, text }).collect()
}

/// The files that [`load`] loads, in its order.
///
/// # Errors
/// A path that can't be read.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<RuleFile>, RulesError> {
    let mut files = vec![];
    for path in paths {
        collect_files(path, &mut files)?;
    }
    let file =
        |path: &PathBuf| Ok(RuleFile { name: path.display().to_string(), text: read(path)? });
    files.iter().map(file).collect()
}

fn collect_files(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), RulesError> {
    let unreadable = |source| RulesError::Unreadable { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut inside = vec![];
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            inside.push(file);
        }
    }
    inside.sort();
    files.append(&mut inside);
    Ok(())
}

fn read(path: &Path) -> Result<String, RulesError> {
    let unreadable = |source| RulesError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAXIMUM_FILE_BYTES {
        return Err(RulesError::TooLarge { path: path.to_owned() });
    }
    std::fs::read_to_string(path).map_err(unreadable)
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
    fn suppressions_are_found_as_rules_are_and_their_errors_name_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules.yaml");
        std::fs::write(&rules, rule("Netcat")).unwrap();
        let below = folder.path().join("suppressions");
        std::fs::create_dir(&below).unwrap();
        let text = "- {suppression: S, rule: Netact, when: proc.name = nc, reason: R, owner: O, expires: 2020-01-01}\n";
        std::fs::write(below.join("mine.yaml"), text).unwrap();
        let (rules, below) = ([rules], [below]);
        let error = load_with_suppressions(&rules, &below).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("mine.yaml:1:") && error.contains("did you mean `Netcat`?"),
            "{error}"
        );
        std::fs::write(below[0].join("mine.yaml"), text.replace("Netact", "Netcat")).unwrap();
        let loaded = load_with_suppressions(&rules, &below).unwrap();
        assert_eq!(loaded.suppressions().count(), 1);
        let warning = &loaded.warnings()[0];
        assert!(warning.message.contains("expired on 2020-01-01"), "{warning}");
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let error = load(&["/nowhere/rules".into()]).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot read the rules at /nowhere/rules: No such file"),
            "{error}"
        );
    }
}
