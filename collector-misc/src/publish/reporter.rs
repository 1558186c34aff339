use super::publisher::Publisher;
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
    publisher: Publisher,
    part: Part,
}

impl Reporter {
    pub(crate) fn new(
        description: SourceDescription,
        health: &Health,
        publisher: Publisher,
        part: Part,
    ) -> Self {
        let started_at = Timestamp::now();
        Self { description, started_at, kinds: health.subscribe(), publisher, part }
    }

    /// Reports at once, on every change, and each half minute, until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                // It cannot end before us: the watches hold its other end until shutdown.
                _ = self.kinds.changed() => {}
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
        let counters = kinds.iter().map(|(plural, kind)| (format!("{plural}_known"), kind.objects));
        SensorStatus {
            description: self.description.clone(),
            started_at: self.started_at,
            observed_at: Timestamp::now(),
            problems: problems(kinds),
            probes: Vec::new(),
            rules_loaded: 0,
            blind_rules: Vec::new(),
            counters: counters.collect(),
        }
    }
}
