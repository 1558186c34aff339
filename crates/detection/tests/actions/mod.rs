//! The actions by which sensors are judged (`rules/tests/acts/actions.yaml`), and what performs each.

use crate::PerformedAct;
use detection::{EventType, Rule, RuleSet};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// An action: acts that are performed, or the rule whose cases are requests of that kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Action {
    #[serde(rename = "action")]
    words: String,
    #[serde(default)]
    acts: Vec<String>,
    rule: Option<String>,
}

/// What stands behind an action.
struct Proof<'r> {
    rules: Vec<&'r Rule>,
    performed_by: String,
}

fn actions() -> Vec<Action> {
    let file = crate::repository().join("rules/tests/acts/actions.yaml");
    let text = std::fs::read_to_string(file).expect("the actions");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

impl Action {
    /// Panics where an act or a rule is not there.
    fn proof<'r>(&self, rules: &'r RuleSet, acts: &[PerformedAct]) -> Proof<'r> {
        let rule = |name: &str| {
            let found = rules.rules().iter().find(|rule| rule.name() == name);
            found.unwrap_or_else(|| panic!("{}: there is no rule `{name}`", self.words))
        };
        if let Some(name) = &self.rule {
            assert!(self.acts.is_empty(), "{}: of a request there are cases alone", self.words);
            let performed_by = "the rule's cases in `rules/tests`".to_owned();
            return Proof { rules: vec![rule(name)], performed_by };
        }
        let act = |name: &String| {
            let found = acts.iter().find(|act| act.name == *name && act.not_done.is_none());
            found.unwrap_or_else(|| panic!("{}: there is no act `{name}`", self.words))
        };
        let acts: Vec<&PerformedAct> = self.acts.iter().map(act).collect();
        assert!(!acts.is_empty(), "{}: nothing performs it", self.words);
        let names: BTreeSet<&str> = acts.iter().map(|act| act.rule.as_str()).collect();
        let performed = acts.iter().map(|act| act.proved_by.as_deref().unwrap_or(&act.name));
        let performed_by = performed.collect::<Vec<_>>().join("; ");
        Proof { rules: names.into_iter().map(rule).collect(), performed_by }
    }
}

/// The event types that the rules are about.
fn event_types(rules: &[&Rule]) -> String {
    let is_of =
        |event_type: &EventType| rules.iter().any(|rule| rule.event_types().contains(*event_type));
    let names: Vec<&str> = EventType::seen().filter(is_of).map(EventType::name).collect();
    if names.is_empty() { "audit event".to_owned() } else { names.join(", ") }
}

/// A line for each action.
pub fn table(rules: &RuleSet, acts: &[PerformedAct]) -> String {
    let mut table =
        "| Action | Rule | Event | Techniques | Performed, for real, by |\n|---|---|---|---|---|\n"
            .to_owned();
    for action in actions() {
        let Proof { rules, performed_by } = action.proof(rules, acts);
        let names: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
        let techniques = crate::techniques(&rules);
        let events = event_types(&rules);
        // Writing to a String can't fail.
        let _ = writeln!(
            table,
            "| {} | {} | {events} | {techniques} | {performed_by} |",
            action.words,
            names.join("; ")
        );
    }
    table
}
