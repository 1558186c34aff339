use crate::{RuleMatching, RulePaths, Rules, RulesError, ThreatIntelligence};
use serde::{Deserialize, Serialize};
use service_runtime::ConfigProblem;
use std::path::PathBuf;

/// The key `rules`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RulesConfig {
    /// Rule files, and folders whose `*.yaml` and `*.yml` are read by the order of their names.
    pub paths: Vec<PathBuf>,
    /// Which of the rules that an act matches raise an alert.
    pub matching: RuleMatching,
}

/// The key `threat_intelligence`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThreatIntelligenceConfig {
    /// Files, and folders whose `*.txt` and `*.json` are read by the order of their names: `LIST.txt` has a value of the rules' list LIST in
    /// each line, `*.json` are bundles of STIX 2.1.
    pub paths: Vec<PathBuf>,
}

/// The key `suppressions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuppressionsConfig {
    /// Files of suppressions, and folders whose `*.yaml` and `*.yml` are read by the order of their names. None unless given.
    pub paths: Vec<PathBuf>,
}

impl Default for RulesConfig {
    fn default() -> Self {
        Self { paths: vec!["/etc/defender/rules".into()], matching: RuleMatching::default() }
    }
}

/// Finds what is wrong with files of rules, and names the key. Where several are wrong, what others build on is told of first.
pub fn check_rules(paths: &RulePaths) -> Result<(), ConfigProblem> {
    let Err(error) = Rules::load_from(paths) else { return Ok(()) };
    let problem = |key: &'static str, error: RulesError| ConfigProblem::new(key, error.to_string());
    ThreatIntelligence::read(&paths.threat_intelligence)
        .map_err(|error| problem("threat_intelligence.paths", error))?;
    Rules::load_from(&RulePaths { suppressions: vec![], ..paths.clone() })
        .map_err(|error| problem("rules.paths", error))?;
    Err(problem("suppressions.paths", error))
}
