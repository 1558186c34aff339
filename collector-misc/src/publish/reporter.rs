use super::publisher::Publisher;
use crate::audit::RulesInForce;
use crate::watch::{Health, Kinds, problems, unreadiness};
use event_model::{SensorStatus, SourceDescription, Timestamp};
use service_runtime::Part;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often the collector tells how it is when nothing changes.
const EVERY: Duration = Duration::from_secs(30);

/// Tells how the watches are: to the backend as [`SensorStatus`], to the kubelet as readiness.
pub(crate) struct Reporter {
    description: SourceDescription,
    started_at: Timestamp,
    kinds: watch::Receiver<Kinds>,
    leadership_problem: watch::Receiver<Option<String>>,
    /// None where no audit events are taken.
    rules: Option<RulesInForce>,
    publisher: Publisher,
    part: Part,
}

impl Reporter {
    pub(crate) fn new(
        description: SourceDescription,
        health: &Health,
        leadership_problem: watch::Receiver<Option<String>>,
        rules: Option<RulesInForce>,
        publisher: Publisher,
        part: Part,
    ) -> Self {
        let started_at = Timestamp::now();
        Self {
            description,
            started_at,
            kinds: health.subscribe(),
            leadership_problem,
            rules,
            publisher,
            part,
        }
    }

    /// Reports at once, on every change, and each half minute, until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                // It cannot end before us: the watches hold its other end until shutdown.
                _ = self.kinds.changed() => {}
                // The election ends before us only with the program.
                Ok(()) = self.leadership_problem.changed() => {}
                () = shutdown.cancelled() => return Ok(()),
            }
            let kinds = self.kinds.borrow_and_update().clone();
            self.tell_readiness(&kinds);
            self.publisher.report(self.status(&kinds));
        }
    }

    fn tell_readiness(&self, kinds: &Kinds) {
        match unreadiness(kinds) {
            None => self.part.ready(),
            Some(reasons) => self.part.not_ready(reasons),
        }
    }

    fn status(&self, kinds: &Kinds) -> SensorStatus {
        let counters = kinds.iter().map(|(name, kind)| (format!("{name}_known"), kind.objects));
        let leads = ("leads".to_owned(), u64::from(self.publisher.leads()));
        let mut problems = problems(kinds);
        problems.extend(self.leadership_problem.borrow().clone());
        problems.extend(self.publisher.problem());
        problems.extend(self.rules.iter().flat_map(RulesInForce::problems));
        SensorStatus {
            description: self.description.clone(),
            started_at: self.started_at,
            observed_at: Timestamp::now(),
            problems,
            probes: Vec::new(),
            rules_loaded: self.rules.as_ref().map_or(0, RulesInForce::loaded),
            blind_rules: Vec::new(),
            counters: counters.chain([leads]).collect(),
        }
    }
}
