//! Whether rules do as their cases say.

use crate::{Case, RuleCases};
use detection::Engine;
use std::collections::BTreeSet;

/// A case that does not do as it says.
#[derive(Debug)]
pub struct Failure<'c> {
    /// The case.
    pub case: &'c Case,
    /// What it does instead.
    pub wrong: Wrong,
    /// The rules that it matches.
    pub raised: BTreeSet<String>,
}

/// What a case does instead of what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It should match the rule and does not: `metadata_known` tells whether the container runtime had told of the container.
    Silent {
        /// False: only the container's id was known.
        metadata_known: bool,
    },
    /// It should not match the rule and does.
    Alerts,
}

impl Wrong {
    /// Whether the container runtime had told of the container.
    pub const fn metadata_known(self) -> bool {
        !matches!(self, Self::Silent { metadata_known: false })
    }
}

/// The cases that do not do as they say. Acts that are to raise the alert must do so while nothing but the container's id is
/// known, too, unless the case says that it needs more. A rule that asks for several acts is asked as if one sufficed, unless
/// its cases are `in_order`.
pub fn judge<'c>(engine: &Engine, cases: &'c RuleCases) -> Vec<Failure<'c>> {
    let mut failures = vec![];
    let raised_by = |case: &Case, metadata_known| {
        if cases.in_order {
            case.alerts_in_order(engine, metadata_known)
        } else {
            case.matches(engine, metadata_known)
        }
    };
    for case in &cases.alerts {
        let ways: &[bool] =
            if case.needs_metadata || case.container.is_none() { &[true] } else { &[true, false] };
        for &metadata_known in ways {
            let raised = raised_by(case, metadata_known);
            if !raised.contains(&cases.rule) {
                failures.push(Failure { case, wrong: Wrong::Silent { metadata_known }, raised });
                // One way tells enough.
                break;
            }
        }
    }
    for case in &cases.silent {
        let raised = raised_by(case, true);
        if raised.contains(&cases.rule) {
            failures.push(Failure { case, wrong: Wrong::Alerts, raised });
        }
    }
    failures
}
