//! The rules of this node, and the alerts that they make of what happens here.

use detection::{Act, Diagnostic, Engine, EventType, LoadError, RuleSet, SourceFile, WantedPaths};
use ebpf_probes::RecordKind;
use event_model::{Alert, BlindRule, EventKind, NetworkAct, Timestamp};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Larger files are no rules.
const MAXIMUM_FILE_BYTES: u64 = 16 << 20;

/// Why there are no rules to look for.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum RulesError {
    #[error("cannot read the rules at {}: {source}; name an existing file or folder in rules.paths", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the rule file {} has over {MAXIMUM_FILE_BYTES} bytes: is it the right file?", path.display())]
    TooLarge { path: PathBuf },
    #[error("{0}")]
    Broken(#[from] LoadError),
}

/// Compiled rules.
pub struct Rules {
    engine: Engine,
    warnings: Vec<String>,
}

impl Rules {
    /// Reads and compiles all files at once: names of lists and macros are shared between them.
    pub fn load(paths: &[PathBuf]) -> Result<Self, RulesError> {
        let mut files = vec![];
        for path in paths {
            collect_files(path, &mut files)?;
        }
        let texts = files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
        let names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
        let sources: Vec<_> =
            names.iter().zip(&texts).map(|(name, text)| SourceFile { name, text }).collect();
        let rules = RuleSet::load(&sources)?;
        let warnings = rules.warnings().iter().map(Diagnostic::to_string).collect();
        Ok(Self { engine: Engine::compile(rules), warnings })
    }

    /// What the files say that has no effect, or another than it seems.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many rules are loaded and enabled.
    pub fn loaded(&self) -> u32 {
        self.engine.rules_loaded()
    }

    /// The rules that cannot match where only some types of event are seen.
    pub fn blind(&self, seen: impl Fn(EventType) -> bool) -> Vec<BlindRule> {
        self.engine.blind_rules(seen)
    }

    /// Whether any rule can match events of that kind.
    pub fn look_at(&self, kind: &EventKind) -> bool {
        self.engine.looks_at(EventType::from(kind))
    }

    /// The acts that some rule needs. What no rule needs is not worth a probe.
    pub fn wanted_acts(&self) -> BTreeSet<RecordKind> {
        let is_wanted = |kind: &RecordKind| {
            kind.is_act() && event_types_of(*kind).any(|event_type| self.engine.wants(event_type))
        };
        RecordKind::ALL.into_iter().filter(is_wanted).collect()
    }

    /// The files that rules can match acts on.
    pub fn wanted_paths(&self) -> &WantedPaths {
        self.engine.wanted_paths()
    }

    /// The alerts that an event raises.
    pub fn alerts(&self, act: &Act<'_>) -> Vec<Alert> {
        self.engine.evaluate(act).map(|matched| matched.into_alert(act, Timestamp::now())).collect()
    }
}

/// The types of events that a kind of record becomes.
pub fn event_types_of(kind: RecordKind) -> impl Iterator<Item = EventType> {
    let (event_type, other) = match kind {
        RecordKind::Exec => (Some(EventType::EXECVE), None),
        RecordKind::Fork => (Some(EventType::CLONE), None),
        RecordKind::Exit => (Some(EventType::PROCEXIT), None),
        RecordKind::CgroupMade | RecordKind::CgroupRemoved | RecordKind::Outcome => (None, None),
        RecordKind::Dns => (Some(EventType::DNS), None),
        RecordKind::File(act) => (Some(act.into()), None),
        RecordKind::Network(NetworkAct::Datagram) => {
            (Some(NetworkAct::Datagram.into()), Some(EventType::RECVFROM))
        }
        RecordKind::Network(act) => (Some(act.into()), None),
        RecordKind::System(act) => (Some(act.into()), None),
    };
    event_type.into_iter().chain(other)
}

/// A file itself; of a folder the rule files in it, by the order of their names.
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
    use event_model::{FileAct, SystemAct};

    fn rules(condition: &str) -> Rules {
        let folder = tempfile::tempdir().expect("a directory");
        let rule = format!(
            "- rule: R\n  desc: D.\n  condition: {condition}\n  output: O\n  priority: NOTICE\n"
        );
        std::fs::write(folder.path().join("rules.yaml"), rule).expect("a rule file");
        Rules::load(&[folder.path().to_owned()]).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_acts_that_rules_need_are_wanted_by_their_records() {
        let wanted = |condition| rules(condition).wanted_acts();
        assert_eq!(wanted("evt.type in (execve, clone) and proc.name = sh"), BTreeSet::new());
        assert_eq!(
            wanted("evt.type = openat or (evt.type = recvmsg and fd.sport = 53)"),
            [RecordKind::File(FileAct::Open), RecordKind::Network(NetworkAct::Datagram)].into()
        );
        assert_eq!(
            wanted("evt.arg.request = PTRACE_ATTACH and evt.type = ptrace"),
            [RecordKind::System(SystemAct::Ptrace)].into()
        );
    }

    #[test]
    fn every_type_that_can_be_seen_has_a_record() {
        let types: BTreeSet<EventType> =
            RecordKind::ALL.into_iter().flat_map(event_types_of).collect();
        assert_eq!(types, EventType::seen().collect());
    }
}
