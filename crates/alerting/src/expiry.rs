use crate::Rules;
use event_model::Timestamp;
use std::collections::BTreeSet;

/// Expired suppressions that are named; the rest is counted.
const MOST_NAMED: usize = 5;

/// Tells of suppressions that have expired: once in the log, and among the sensor's problems as long as they are there.
#[derive(Debug, Default)]
pub struct Expiry {
    logged: BTreeSet<String>,
}

impl Expiry {
    /// The problems that there are at that moment.
    pub fn problems(&mut self, rules: &Rules, now: Timestamp) -> Vec<String> {
        let expired = || rules.suppressions().iter().filter(|known| known.has_expired(now));
        let told = |name: &str, expires: &str, owner: &str| {
            format!(
                "the suppression `{name}` expired on {expires} and has no effect; its owner is {owner}"
            )
        };
        let mut problems: Vec<_> = expired()
            .take(MOST_NAMED)
            .map(|known| told(known.name(), known.expires(), known.owner()))
            .collect();
        let more = expired().count().saturating_sub(MOST_NAMED);
        if more > 0 {
            problems.push(format!("{more} more suppressions have expired"));
        }
        for known in expired() {
            if self.logged.insert(known.name().to_owned()) {
                tracing::warn!("{}", told(known.name(), known.expires(), known.owner()));
            }
        }
        self.logged.retain(|name| expired().any(|known| known.name() == name));
        problems
    }
}
