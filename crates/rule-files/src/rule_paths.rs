use std::path::PathBuf;

/// How the names of files of rules and of suppressions end.
pub(crate) const RULES: [&str; 2] = ["yaml", "yml"];
/// How those of threat intelligence end: plain lists and bundles of STIX 2.1.
pub(crate) const THREAT_INTELLIGENCE: [&str; 2] = ["txt", "json"];

/// Where rules are, and what belongs to them: files, and folders whose files are read by the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RulePaths {
    /// Rule files, `*.yaml` and `*.yml`.
    pub rules: Vec<PathBuf>,
    /// Files of suppressions of their alerts, `*.yaml` and `*.yml`.
    pub suppressions: Vec<PathBuf>,
    /// What is known to be malicious, for their lists: `*.txt` and `*.json`.
    pub threat_intelligence: Vec<PathBuf>,
}

impl RulePaths {
    /// Rules alone.
    pub fn of_rules(paths: &[PathBuf]) -> Self {
        Self { rules: paths.to_vec(), ..Self::default() }
    }

    /// Each path, with how the names of a folder's files end that are read.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&PathBuf, &'static [&'static str])> {
        let rules = self.rules.iter().chain(&self.suppressions).map(|path| (path, &RULES[..]));
        rules.chain(self.threat_intelligence.iter().map(|path| (path, &THREAT_INTELLIGENCE[..])))
    }
}
