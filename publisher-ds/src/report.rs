//! What the publisher says of itself, through its own spool: at the start, on each change, and every half minute.

use crate::spool::{BACKEND, DestinationState, Spool, SpoolState};
use event_model::{Record, SensorStatus, SourceDescription, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_secs(30);

/// Changes are told at most this often.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// Makes status records of the spool's state and the egress's trouble.
pub struct Reporter {
    source: SourceDescription,
    spool: Spool,
    spool_state: watch::Receiver<SpoolState>,
    egress_problem: watch::Receiver<Option<String>>,
    started_at: Timestamp,
}

impl Reporter {
    /// A reporter for a publisher that starts now.
    pub fn new(
        source: SourceDescription,
        spool: Spool,
        egress_problem: watch::Receiver<Option<String>>,
    ) -> Self {
        let spool_state = spool.state();
        Self { source, spool, spool_state, egress_problem, started_at: Timestamp::now() }
    }

    /// Reports until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let told = self.problems();
            self.spool.report(Record::SensorStatus(Box::new(self.status(&told))));
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
                () = self.problems_change(&told) => {}
            }
        }
    }

    async fn problems_change(&mut self, told: &[String]) {
        tokio::time::sleep(SHORTEST_INTERVAL).await;
        while self.problems() == told {
            let changed = tokio::select! {
                changed = self.spool_state.changed() => changed,
                changed = self.egress_problem.changed() => changed,
            };
            if changed.is_err() {
                // Spool or egress ended, and so will this.
                std::future::pending::<()>().await;
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        let spool = self.spool_state.borrow().problem.clone();
        spool.into_iter().chain(self.egress_problem.borrow().clone()).collect()
    }

    fn status(&self, problems: &[String]) -> SensorStatus {
        let state = self.spool_state.borrow();
        let mut counters = BTreeMap::from([("spool_bytes".to_owned(), state.bytes.iter().sum())]);
        counters.extend(state.destinations.iter().flat_map(counters_of));
        SensorStatus {
            description: self.source.clone(),
            started_at: self.started_at,
            observed_at: Timestamp::now(),
            problems: problems.to_vec(),
            probes: Vec::new(),
            rules_loaded: 0,
            blind_rules: Vec::new(),
            counters,
        }
    }
}

/// What waits for a destination in `spool_records`, which is of the backend where it has no name behind it, and what
/// was lost to it in `spool_lost`.
fn counters_of(destination: &DestinationState) -> [(String, u64); 2] {
    let suffix = match destination.name.as_str() {
        BACKEND => String::new(),
        name => format!("_{name}"),
    };
    [
        (format!("spool_records{suffix}"), destination.records.iter().sum()),
        (format!("spool_lost{suffix}"), destination.lost.iter().sum()),
    ]
}
