use event_model::{BlindRule, ProbeCoverage, SensorStatus, SourceDescription, Timestamp};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A status that has not changed is repeated this often, as a sign of life.
const REPEAT_EVERY: Duration = Duration::from_secs(30);

/// What there is to say now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusFacts {
    /// What does not work.
    pub problems: Vec<String>,
    /// How each kind of event is seen.
    pub probes: Vec<ProbeCoverage>,
    /// How many rules are loaded.
    pub rules_loaded: u32,
    /// Rules that can't match here.
    pub blind_rules: Vec<BlindRule>,
    /// Counters since start. They alone do not make a status worth telling.
    pub counters: BTreeMap<String, u64>,
}

/// Says how the sensor is: at start, on every change, and each half minute.
#[derive(Debug)]
pub struct StatusReporter {
    description: SourceDescription,
    started_at: Timestamp,
    last: Option<(Instant, StatusFacts)>,
}

impl StatusReporter {
    /// Of the sensor that starts now.
    pub fn new(description: SourceDescription) -> Self {
        Self { description, started_at: Timestamp::now(), last: None }
    }

    /// The status, where it is due.
    pub fn report(&mut self, facts: StatusFacts, now: Instant) -> Option<SensorStatus> {
        let is_due = self.last.as_ref().is_none_or(|(at, told)| {
            now.saturating_duration_since(*at) >= REPEAT_EVERY || !says_the_same(told, &facts)
        });
        if !is_due {
            return None;
        }
        self.last = Some((now, facts.clone()));
        Some(SensorStatus {
            description: self.description.clone(),
            started_at: self.started_at,
            observed_at: Timestamp::now(),
            problems: facts.problems,
            probes: facts.probes,
            rules_loaded: facts.rules_loaded,
            blind_rules: facts.blind_rules,
            counters: facts.counters,
        })
    }

    /// Makes the next status due, as for a publisher that has heard none.
    pub fn report_again(&mut self) {
        self.last = None;
    }
}

fn says_the_same(told: &StatusFacts, facts: &StatusFacts) -> bool {
    told.problems == facts.problems
        && told.probes == facts.probes
        && told.rules_loaded == facts.rules_loaded
        && told.blind_rules == facts.blind_rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{Component, SourceId};

    fn reporter() -> StatusReporter {
        StatusReporter::new(SourceDescription {
            id: SourceId::generate(),
            component: Component::CollectorDs,
            version: "0".to_owned(),
            node: "node".to_owned(),
            boot_id: uuid::Uuid::nil(),
        })
    }

    fn facts(problem: &str, count: u64) -> StatusFacts {
        StatusFacts {
            problems: vec![problem.to_owned()],
            counters: BTreeMap::from([("events_captured".to_owned(), count)]),
            ..StatusFacts::default()
        }
    }

    #[test]
    fn a_status_is_told_at_start_on_change_and_each_half_minute() {
        let mut reporter = reporter();
        let start = Instant::now();
        assert!(reporter.report(facts("a", 1), start).is_some(), "at start");
        assert!(reporter.report(facts("a", 2), start).is_none(), "counters are no change");
        assert!(reporter.report(facts("b", 2), start).is_some(), "a new problem");
        let later = start + Duration::from_secs(29);
        assert!(reporter.report(facts("b", 3), later).is_none());
        let later = start + Duration::from_secs(30);
        let repeated = reporter.report(facts("b", 9), later).expect("half a minute has passed");
        assert_eq!(repeated.counters["events_captured"], 9);
        reporter.report_again();
        assert!(reporter.report(facts("b", 9), later).is_some());
    }
}
