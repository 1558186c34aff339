//! Rules that remember acts, asked of one more.

use super::{Candidate, Engine, Match};
use crate::field::Facts;
use crate::memory::{Evidence, Fingerprint, Stateful, Tally};
use crate::rule::Rule;
use crate::shared_parts::Memo;
use event_model::MatchedField;

impl Engine {
    /// Those of the candidates that hold and make an alert, with what came before.
    pub(super) fn completed<'e>(
        &'e self,
        candidates: impl Iterator<Item = Candidate>,
        facts: &Facts<'_>,
        tally: &mut Tally,
    ) -> Vec<Match<'e>> {
        let mut memo = Memo::new();
        let mut matches = vec![];
        for candidate in candidates {
            if !self.graph.holds(candidate.condition, facts, &mut memo) {
                continue;
            }
            if let Some(before) = self.remember(candidate, facts, &mut memo, tally) {
                let mut found = self.matched(candidate, facts, &mut memo);
                found.matched_fields.extend(before);
                matches.push(found);
            }
        }
        matches
    }

    /// What a rule remembers of an act that a condition of it holds for. None: it makes no alert.
    fn remember(
        &self,
        candidate: Candidate,
        facts: &Facts<'_>,
        memo: &mut Memo,
        tally: &mut Tally,
    ) -> Option<Vec<MatchedField>> {
        let rule = &self.rules[candidate.rule];
        let Some(stateful) = &rule.stateful else { return Some(vec![]) };
        let completes = match (stateful, candidate.step) {
            (Stateful::Sequence(sequence), Some(step)) => {
                let evidence = || self.evidence(candidate, facts, memo);
                tally.reach(rule.fingerprint, sequence, step, facts, evidence);
                false
            }
            (Stateful::Sequence(sequence), None) => {
                return tally.ends(rule.fingerprint, sequence, facts).map(|it| told_before(&it));
            }
            (Stateful::Burst(burst), _) => tally.completes(rule.fingerprint, burst, facts),
            (Stateful::FirstSeen(baseline), _) => tally.is_new(rule.fingerprint, baseline, facts),
        };
        completes.then(Vec::new)
    }

    fn evidence(&self, candidate: Candidate, facts: &Facts<'_>, memo: &mut Memo) -> Evidence {
        let mut fields = self.matched_fields(candidate.condition, facts, memo);
        Evidence::of(facts, &mut fields)
    }

    /// The rules that keep baselines.
    pub(crate) fn baseline_rules(&self) -> impl Iterator<Item = Fingerprint> {
        let keeps = |rule: &&Rule| matches!(rule.stateful, Some(Stateful::FirstSeen(_)));
        self.rules.iter().filter(keeps).map(|rule| rule.fingerprint)
    }
}

/// What is told of the acts before: `after[1].time`, `after[1].actor`, `after[1].file.path`, …
fn told_before(before: &[Evidence]) -> Vec<MatchedField> {
    let numbered = (1..).zip(before);
    numbered.flat_map(|(number, evidence)| evidence.told(&format!("after[{number}]"))).collect()
}
