use crate::enrich::Enricher;
use alerting::AlertCounts;
use ebpf_probes::RecordKind;
use metrics::{Counter, counter, gauge};
use std::collections::BTreeMap;

/// What the pipeline counts, for metrics and for the sensor's status.
pub struct Counters {
    captured: BTreeMap<RecordKind, (Counter, u64)>,
    alerts: AlertCounts,
    processes_refused: u64,
    cgroups_refused: u64,
    counts_forgotten: u64,
    unknown_processes: (Counter, u64),
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            captured: RecordKind::ALL.into_iter().map(captured).collect(),
            alerts: AlertCounts::default(),
            processes_refused: 0,
            cgroups_refused: 0,
            counts_forgotten: 0,
            unknown_processes: (counter!("defender_events_of_unknown_processes_total"), 0),
        }
    }
}

impl Counters {
    /// A record came from the kernel.
    pub fn captured(&mut self, kind: RecordKind) {
        if let Some((counter, total)) = self.captured.get_mut(&kind) {
            counter.increment(1);
            *total += 1;
        }
    }

    /// An act's process was not known: no rule looked at it.
    pub fn of_unknown_process(&mut self) {
        let (counter, total) = &mut self.unknown_processes;
        counter.increment(1);
        *total += 1;
    }

    /// The alerts, those of other threads among them.
    pub const fn alerts(&self) -> &AlertCounts {
        &self.alerts
    }

    /// Takes the sizes of what is remembered.
    #[allow(clippy::cast_precision_loss)] // Sizes of caches are far below 2^52.
    pub fn observe(&mut self, enricher: &Enricher) {
        gauge!("defender_processes_cached").set(enricher.processes.len() as f64);
        gauge!("defender_process_cache_bytes").set(enricher.processes.bytes() as f64);
        gauge!("defender_containers_known").set(enricher.containers.len() as f64);
        self.processes_refused = enricher.processes.refused();
        self.cgroups_refused = enricher.containers.refused();
        counter!("defender_cache_refusals_total", "cache" => "processes")
            .absolute(self.processes_refused);
        counter!("defender_cache_refusals_total", "cache" => "cgroups")
            .absolute(self.cgroups_refused);
    }

    /// Takes how many counts of rules that ask for several acts were given up since the start.
    pub fn counts_forgotten(&mut self, total: u64) {
        self.counts_forgotten = total;
        counter!("defender_rule_counts_forgotten_total").absolute(total);
    }

    /// The counters of a [`event_model::SensorStatus`].
    pub fn summary(&self) -> BTreeMap<String, u64> {
        BTreeMap::from([
            ("events_captured".to_owned(), self.captured.values().map(|(_, total)| total).sum()),
            ("alerts".to_owned(), self.alerts.total_sent()),
            ("alerts_held".to_owned(), self.alerts.total_held()),
            ("events_of_unknown_processes".to_owned(), self.unknown_processes.1),
            ("processes_not_cached".to_owned(), self.processes_refused),
            ("cgroups_not_known".to_owned(), self.cgroups_refused),
            ("rule_counts_forgotten".to_owned(), self.counts_forgotten),
        ])
    }
}

fn captured(kind: RecordKind) -> (RecordKind, (Counter, u64)) {
    (kind, (counter!("defender_events_captured_total", "kind" => kind.name()), 0))
}
