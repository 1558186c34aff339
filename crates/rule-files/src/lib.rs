//! Rule files on a disk, files of suppressions of their alerts, and files of threat intelligence for their lists.

mod disk;
mod rule_paths;
mod stamp;
mod threat_intelligence;

pub use rule_paths::RulePaths;
pub use stamp::Stamp;
pub use threat_intelligence::ThreatIntelligence;

use detection::{LoadError, RuleSet, SourceFile, Sources};
use event_model::Timestamp;
use std::path::PathBuf;

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

/// A rule file: the name that stands in messages, and its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// Its path.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// Rules that load, and what their files say that has no effect, or another than it seems.
#[derive(Debug)]
pub struct LoadedRules {
    /// The rules.
    pub rules: RuleSet,
    /// In words, with the file and the line.
    pub warnings: Vec<String>,
}

/// The rules of all files together: names of lists and macros are shared between them. A folder stands for the rule files
/// in it, by the order of their names; folders below it are not looked into.
///
/// # Errors
/// A path that can't be read, or every error of every file at once.
pub fn load(paths: &[PathBuf]) -> Result<RuleSet, RulesError> {
    load_from(&RulePaths::of_rules(paths)).map(|loaded| loaded.rules)
}

/// The same, with the suppressions of their alerts and what is known to be malicious in their lists.
///
/// # Errors
/// A path that can't be read, a file of threat intelligence that can't be used, or every error of every other file at once.
pub fn load_from(paths: &RulePaths) -> Result<LoadedRules, RulesError> {
    let intelligence = ThreatIntelligence::read(&paths.threat_intelligence)?;
    let mut warnings = intelligence.warnings().to_vec();
    let (rules, suppressions) = (read_all(&paths.rules)?, read_all(&paths.suppressions)?);
    let rules = RuleSet::load_from(Sources {
        rules: &sources(&rules),
        suppressions: &sources(&suppressions),
        additions: &intelligence.into_additions(),
        now: Timestamp::now(),
    })?;
    warnings.extend(rules.warnings().iter().map(ToString::to_string));
    warnings.extend(rules.unused_additions().iter().map(|list| {
        format!("threat intelligence for the list `{list}` is not used: no rule file defines it")
    }));
    Ok(LoadedRules { rules, warnings })
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
        disk::visible_files(path, &rule_paths::RULES, &mut files)?;
    }
    let file = |path: &PathBuf| {
        let text = disk::read(path, MAXIMUM_FILE_BYTES)?;
        Ok(RuleFile { name: path.display().to_string(), text })
    };
    files.iter().map(file).collect()
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
        let paths = RulePaths {
            rules: vec![rules],
            suppressions: vec![below.clone()],
            ..RulePaths::default()
        };
        let error = load_from(&paths).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("mine.yaml:1:") && error.contains("did you mean `Netcat`?"),
            "{error}"
        );
        std::fs::write(below.join("mine.yaml"), text.replace("Netact", "Netcat")).unwrap();
        let loaded = load_from(&paths).unwrap().rules;
        assert_eq!(loaded.suppressions().count(), 1);
        let warning = &loaded.warnings()[0];
        assert!(warning.message.contains("expired on 2020-01-01"), "{warning}");
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let error = load(&["/nowhere/rules".into()]).unwrap_err().to_string();
        assert!(error.starts_with("cannot read /nowhere/rules: No such file"), "{error}");
    }
}
