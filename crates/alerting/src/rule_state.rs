use event_model::Timestamp;
use metrics::{counter, gauge};

/// Longer descriptions belong into the log.
const LONGEST_PROBLEM: usize = 1000;

/// How it stands with the rules since the start.
#[derive(Debug)]
pub struct RuleState {
    /// Which set of rules is in force: the first is 1.
    generation: u64,
    problem: Option<String>,
}

impl RuleState {
    /// The first rules were loaded.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // Nobody reloads 2^52 times.
    pub fn begin() -> Self {
        gauge!("defender_rules_generation").set(1.0);
        gauge!("defender_rules_reload_last_success_timestamp_seconds").set(seconds());
        // Both are there from the start, so that an alert on them needs no guess.
        gauge!("defender_rules_reload_last_failure_timestamp_seconds").set(0.0);
        for outcome in ["success", "failure"] {
            counter!("defender_rules_reloads_total", "outcome" => outcome).increment(0);
        }
        Self { generation: 1, problem: None }
    }

    /// Other rules are in force.
    #[allow(clippy::cast_precision_loss)]
    pub fn reloaded(&mut self, rules: u32) {
        self.generation += 1;
        self.problem = None;
        counter!("defender_rules_reloads_total", "outcome" => "success").increment(1);
        gauge!("defender_rules_generation").set(self.generation as f64);
        gauge!("defender_rules_reload_last_success_timestamp_seconds").set(seconds());
        tracing::info!(rules, generation = self.generation, "rules reloaded");
    }

    /// The rules in force stay, for that reason.
    pub fn refused(&mut self, reason: &str) {
        counter!("defender_rules_reloads_total", "outcome" => "failure").increment(1);
        gauge!("defender_rules_reload_last_failure_timestamp_seconds").set(seconds());
        tracing::error!(
            generation = self.generation,
            "the rules changed and can't be used; those before stay in force:\n{reason}"
        );
        let problem =
            format!("the rules changed and can't be used; those before stay in force: {reason}");
        self.problem = Some(problem.chars().take(LONGEST_PROBLEM).collect());
    }

    /// Which set of rules is in force.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// What is wrong with the rules that are not in force.
    pub fn problem(&self) -> Option<String> {
        self.problem.clone()
    }
}

#[allow(clippy::cast_precision_loss)] // To the second is enough.
fn seconds() -> f64 {
    (Timestamp::now().0 / 1_000_000_000) as f64
}
