//! Events of this machine's kernel, with the processes that they are of.

use crate::load;
use alerting::Rules;
use anyhow::{Context, Result};
use collector_ds::config::{FilesConfig, NetworkConfig};
use collector_ds::enrich::containers::{ContainerLimits, Containers};
use collector_ds::enrich::processes::{ProcessLimits, Processes};
use collector_ds::enrich::users::Users;
use collector_ds::enrich::{Enriched, Enricher};
use collector_ds::kernel::{KernelConfig, Sensor};
use event_model::{Event, Process};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// Nothing is to be lost.
const RING_BYTES: u64 = 64 << 20;

pub struct Recorded {
    pub event: Event,
    pub process: Arc<Process>,
    pub ancestors: Vec<Arc<Process>>,
}

pub struct Recording {
    pub events: Vec<Recorded>,
}

impl Recording {
    /// The first `count` of them.
    pub fn beginning(mut self, count: usize) -> Self {
        self.events.truncate(count);
        self
    }
}

/// All that can be told.
pub fn everything() -> KernelConfig {
    KernelConfig::everything(RING_BYTES)
}

/// What rules ask for, beside what is watched by default.
pub fn of_rules(rules: &Rules) -> Result<KernelConfig> {
    let wanted = rules.wanted_paths();
    let mut files = FilesConfig::default();
    files.read.extend(wanted.read.iter().cloned());
    files.write.extend(wanted.write.iter().cloned());
    Ok(KernelConfig {
        acts: collector_ds::detect::wanted_acts(rules),
        network: NetworkConfig::default().filter(),
        files: files.filter(Path::new("/proc"))?,
        ..everything()
    })
}

/// Repeats the load until there are so many events.
pub fn record(count: usize, acts: &Path) -> Result<Recording> {
    let (mut sensor, _) = Sensor::load(&everything()).context("loading the sensor")?;
    let mut enricher = enricher();
    enricher.resync(sensor.snapshot(Path::new("/proc")), Instant::now());
    let mut events = Vec::with_capacity(count);
    while events.len() < count {
        while_loaded(acts, || take(&mut sensor, &mut enricher, &mut events))?;
    }
    events.truncate(count);
    Ok(Recording { events })
}

/// How many records one load makes.
pub fn told_of_one_load(config: &KernelConfig, acts: &Path) -> Result<u64> {
    let (mut sensor, _) = Sensor::load(config).context("loading the sensor")?;
    let mut told = 0;
    while_loaded(acts, || told += sensor.poll(usize::MAX, drop) as u64)?;
    Ok(told)
}

/// Calls `look` until the load is done, and once more.
fn while_loaded(acts: &Path, mut look: impl FnMut()) -> Result<()> {
    thread::scope(|scope| {
        let load = scope.spawn(|| load::run(acts));
        while !load.is_finished() {
            look();
            thread::yield_now();
        }
        look();
        load.join().expect("the load does not panic")
    })
}

fn enricher() -> Enricher {
    let processes = Processes::new(ProcessLimits::default());
    let containers = Containers::new(ContainerLimits::default());
    Enricher::new(processes, containers, Users::of_host(Path::new("/")))
}

fn take(sensor: &mut Sensor, enricher: &mut Enricher, events: &mut Vec<Recorded>) {
    let now = Instant::now();
    sensor.poll(usize::MAX, |record| {
        if let Enriched::Act(event, Some(process)) = enricher.take(record, now) {
            let ancestors = enricher.processes.ancestors(&process).map(Arc::clone).collect();
            events.push(Recorded { event, process, ancestors });
        }
    });
    enricher.tick(now);
}

/// Exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
pub fn number(count: usize) -> f64 {
    count as f64
}
