//! The rules in force, and the alerts that they make of what happens.

use arc_swap::ArcSwap;
use detection::{
    Act, AuditAct, Engine, EventSource, EventType, Match, Suppression, Tally, WantedPaths,
};
use event_model::{BlindRule, EventKind};
use rule_files::{LoadedRules, RulePaths, RulesError};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// The rules in force, which may be exchanged at any moment. Who asks several questions about one event keeps what
/// it loaded until it is done.
pub type SharedRules = Arc<ArcSwap<Rules>>;

/// Which of the rules that an act matches raise an alert: the `rule_matching` of the language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleMatching {
    /// Each of them: none hides behind another.
    #[default]
    All,
    /// The first, in the order of the files, as other engines of the language do unless they are told otherwise.
    First,
}

/// Compiled rules.
pub struct Rules {
    engine: Engine,
    warnings: Vec<String>,
    matching: RuleMatching,
}

impl Rules {
    /// Reads and compiles all files at once: names of lists and macros are shared between them.
    pub fn load(paths: &[PathBuf]) -> Result<Self, RulesError> {
        Self::load_from(&RulePaths::of_rules(paths))
    }

    /// The same, with what belongs to them.
    pub fn load_from(paths: &RulePaths) -> Result<Self, RulesError> {
        let LoadedRules { rules, warnings } = rule_files::load_from(paths)?;
        let matching = RuleMatching::default();
        Ok(Self { engine: Engine::compile(rules), warnings, matching })
    }

    /// The rules of one source alone, for a program that sees nothing else: the others take no memory once this returns.
    pub fn load_of_source(paths: &RulePaths, source: EventSource) -> Result<Self, RulesError> {
        let LoadedRules { rules, warnings } = rule_files::load_from(paths)?;
        let matching = RuleMatching::default();
        Ok(Self { engine: Engine::compile(rules.of_source(source)), warnings, matching })
    }

    /// The same, of which only such alerts are raised.
    #[must_use]
    pub fn with_matching(self, matching: RuleMatching) -> Self {
        Self { matching, ..self }
    }

    /// Those of the rules that an act matches that raise an alert.
    fn of_matching<'e>(&self, mut matches: Vec<Match<'e>>) -> Vec<Match<'e>> {
        if self.matching == RuleMatching::First {
            matches.truncate(1);
        }
        matches
    }

    /// What the files say that has no effect, or another than it seems.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many rules are loaded and enabled.
    pub fn loaded(&self) -> u32 {
        self.engine.rules_loaded()
    }

    /// Which alerts somebody wrote down to expect.
    pub fn suppressions(&self) -> &[Suppression] {
        self.engine.suppressions()
    }

    /// The rules that cannot match where only some types of event are seen, and those that see some acts alone: where a
    /// condition bounds no path, the kernel tells of the files that the configuration names.
    pub fn blind(&self, seen: impl Fn(EventType) -> bool) -> Vec<BlindRule> {
        let mut blind = self.engine.blind_rules(seen);
        let in_part = |rule: &&String| !blind.iter().any(|known| known.rule == **rule);
        let reason = "sees in part: its condition bounds no path, so that of acts on files it is told those that kernel.files names";
        let in_part = self.wanted_paths().unbounded.iter().filter(in_part);
        let in_part: Vec<_> = in_part
            .map(|rule| BlindRule { rule: rule.clone(), reason: reason.to_owned() })
            .collect();
        blind.extend(in_part);
        blind
    }

    /// The rules about requests to the API server of Kubernetes, which match nothing where none are told.
    pub fn blind_to_requests(&self, reason: &str) -> impl Iterator<Item = BlindRule> {
        let rules = self.engine.rules().iter();
        rules
            .filter(|rule| rule.source() == EventSource::KubernetesAudit)
            .map(|rule| BlindRule { rule: rule.name().to_owned(), reason: reason.to_owned() })
    }

    /// Gives up what was learnt for rules that are none of these.
    pub fn forget_baselines_of_others(&self, tally: &mut Tally) {
        tally.keep_baselines_of(&self.engine);
    }

    /// Whether any rule can match events of that kind.
    pub fn look_at(&self, kind: &EventKind) -> bool {
        self.engine.looks_at(EventType::from(kind))
    }

    /// Whether some rule asks for events of that type, or for a field that few types tell.
    pub fn want(&self, event_type: EventType) -> bool {
        self.engine.wants(event_type)
    }

    /// Whether some rule compares or prints the environment of programs.
    pub fn want_environment(&self) -> bool {
        self.engine.wants_environment()
    }

    /// The files that rules can match acts on.
    pub fn wanted_paths(&self) -> &WantedPaths {
        self.engine.wanted_paths()
    }

    /// The rules of which an event makes an alert. `tally` counts for rules that ask for several.
    pub fn matches(&self, act: &Act<'_>, tally: &mut Tally) -> Vec<Match<'_>> {
        self.of_matching(self.engine.detect(act, tally))
    }

    /// The rules of which a request to the API server of Kubernetes makes an alert.
    pub fn audit_matches(&self, act: &AuditAct<'_>, tally: &mut Tally) -> Vec<Match<'_>> {
        self.of_matching(self.engine.detect_audit(act, tally))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{Event, Host, Process, Timestamp};

    fn rules(condition: &str) -> Rules {
        let folder = tempfile::tempdir().expect("a directory");
        let rule = format!(
            "- rule: R\n  desc: D.\n  condition: {condition}\n  output: O\n  priority: NOTICE\n"
        );
        std::fs::write(folder.path().join("rules.yaml"), rule).expect("a rule file");
        Rules::load(&[folder.path().to_owned()]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The rules whose alerts the start of a program raises.
    fn alerts(rules: &Rules, arguments: &[&str]) -> Vec<String> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let process = Process { name: "nc".to_owned(), arguments, ..Process::default() };
        let event = Event {
            time: Timestamp(1),
            process: process.reference,
            container: None,
            kind: EventKind::Exec,
        };
        let act = Act {
            event: &event,
            process: &process,
            ancestors: &[],
            container: None,
            host: &Host::default(),
            remote_name: None,
            is_on_sensor: false,
            environment: None,
            login_name: None,
            group_name: None,
        };
        let matches = rules.matches(&act, &mut Tally::default());
        matches.iter().map(|matched| matched.rule().name().to_owned()).collect()
    }

    #[test]
    fn all_rules_raise_their_alerts_unless_the_first_is_asked_for() {
        let folder = tempfile::tempdir().expect("a directory");
        let rule = |name: &str| {
            format!(
                "- rule: {name}\n  desc: D.\n  condition: proc.name = nc\n  output: O\n  priority: NOTICE\n"
            )
        };
        std::fs::write(folder.path().join("a.yaml"), rule("B") + &rule("A")).expect("rules");
        let load = || Rules::load(&[folder.path().to_owned()]).expect("rules");
        assert_eq!(alerts(&load(), &["nc"]), ["B", "A"]);
        assert_eq!(alerts(&load().with_matching(RuleMatching::First), &["nc"]), ["B"]);
    }

    #[test]
    fn threat_intelligence_adds_to_the_lists_and_says_what_it_can_t() {
        let folder = tempfile::tempdir().expect("a directory");
        let rules = "- {list: malicious_domains, items: []}\n- {rule: R, desc: D., condition: 'proc.args mentions (malicious_domains)', output: O, priority: INFO}\n";
        std::fs::write(folder.path().join("rules.yaml"), rules).expect("rules");
        let feed = folder.path().join("malicious_domains.txt");
        std::fs::write(&feed, "evil.example\nnot a domain\n").expect("a feed");
        let other = folder.path().join("nobodys.txt");
        std::fs::write(&other, "x\n").expect("another");
        let paths = RulePaths {
            rules: vec![folder.path().join("rules.yaml")],
            threat_intelligence: vec![feed, other],
            ..RulePaths::default()
        };
        let rules = Rules::load_from(&paths).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(alerts(&rules, &["nc", "a.evil.example"]), ["R"]);
        assert_eq!(alerts(&rules, &["nc", "evil.example.org"]), [] as [&str; 0]);
        let told = rules.warnings().join("\n");
        assert!(told.contains("malicious_domains.txt:2: `not a domain` is no domain"), "{told}");
        assert!(told.contains("the list `nobodys` is not used"), "{told}");
    }

    #[test]
    fn the_environment_is_wanted_where_a_rule_asks_for_it() {
        assert!(rules("proc.env contains x").want_environment());
        assert!(!rules("proc.name = x").want_environment());
    }

    #[test]
    fn a_rule_that_bounds_no_path_says_that_it_sees_in_part() {
        let blind = |condition| rules(condition).blind(|_| true);
        assert_eq!(blind("evt.type = open and fd.name = /etc/shadow"), []);
        let in_part = blind("evt.type = open and fd.name endswith .so");
        assert_eq!(in_part.len(), 1);
        assert!(in_part[0].reason.contains("bounds no path"), "{in_part:?}");
    }
}
