//! The rules about requests, from files that are read again when they change.

use alerting::{Expiry, Reload, Reloaded, RuleMatching, RulePaths, RuleState, Rules, SharedRules};
use anyhow::Context;
use arc_swap::ArcSwap;
use detection::EventSource;
use event_model::Timestamp;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Between looks at which suppressions have expired.
const EXPIRY_EVERY: Duration = Duration::from_mins(1);

/// The rules in force, for those who ask them and those who tell of them.
#[derive(Clone)]
pub struct RulesInForce {
    rules: SharedRules,
    problems: Arc<Mutex<Vec<String>>>,
}

impl RulesInForce {
    /// How many rules are loaded and switched on.
    pub fn loaded(&self) -> u32 {
        self.rules.load().loaded()
    }

    /// What is wrong with files of rules, and which suppressions have expired.
    pub fn problems(&self) -> Vec<String> {
        self.lock().clone()
    }

    pub(super) fn shared(&self) -> SharedRules {
        Arc::clone(&self.rules)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rules that follow their files.
pub(super) struct FollowedRules {
    in_force: RulesInForce,
    paths: RulePaths,
    matching: RuleMatching,
    reload: Reload,
    state: RuleState,
    expiry: Expiry,
}

impl FollowedRules {
    /// Reads the files for the first time.
    pub(super) async fn load(paths: RulePaths, matching: RuleMatching) -> anyhow::Result<Self> {
        let reload = Reload::of(paths.clone()).context("listening to SIGHUP")?;
        let read = {
            let paths = paths.clone();
            move || read(&paths, matching)
        };
        // A thread that ends gives back what reading took.
        let rules = tokio::task::spawn_blocking(read).await?.map_err(anyhow::Error::msg)?;
        let rules = rules_with_warnings(rules);
        tracing::info!(rules = rules.loaded(), "rules about requests loaded");
        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let in_force = RulesInForce { rules, problems: Arc::default() };
        let (state, expiry) = (RuleState::begin(), Expiry::default());
        Ok(Self { in_force, paths, matching, reload, state, expiry })
    }

    pub(super) fn in_force(&self) -> RulesInForce {
        self.in_force.clone()
    }

    /// Exchanges the rules when their files changed, until `shutdown`. Rules that can't be used change nothing.
    pub(super) async fn follow(self, shutdown: CancellationToken) -> Result<(), Infallible> {
        let Self { in_force, paths, matching, reload, mut state, mut expiry } = self;
        let (hand_on, mut reloaded) = mpsc::channel(1);
        let reloading = reload.run(move || read(&paths, matching), hand_on, shutdown);
        let exchanging = async {
            let mut looks = tokio::time::interval(EXPIRY_EVERY);
            loop {
                let mut problems = expiry.problems(&in_force.rules.load(), Timestamp::now());
                problems.extend(state.problem());
                *in_force.lock() = problems;
                tokio::select! {
                    _ = looks.tick() => {}
                    rules = reloaded.recv() => match rules {
                        Some(rules) => exchange(&in_force.rules, rules, &mut state),
                        None => return,
                    }
                }
            }
        };
        tokio::join!(reloading, exchanging);
        Ok(())
    }
}

fn exchange(in_force: &SharedRules, reloaded: Reloaded<Rules>, state: &mut RuleState) {
    match reloaded {
        Ok(rules) => {
            in_force.store(Arc::new(rules_with_warnings(rules)));
            state.reloaded(in_force.load().loaded());
        }
        Err(reason) => state.refused(&reason),
    }
}

/// Rules about other things than requests are not compiled: nothing here could match them.
fn read(paths: &RulePaths, matching: RuleMatching) -> Reloaded<Rules> {
    let rules = Rules::load_of_source(paths, EventSource::KubernetesAudit);
    rules.map(|rules| rules.with_matching(matching)).map_err(|error| error.to_string())
}

fn rules_with_warnings(rules: Rules) -> Rules {
    for warning in rules.warnings() {
        tracing::warn!("{warning}");
    }
    rules
}
