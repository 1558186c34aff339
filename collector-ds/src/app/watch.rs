use super::{Coverage, kernel_config, proc_root};
use crate::audit::State;
use crate::config::Config;
use crate::enrich::containers::metadata::{Finding, Metadata};
use crate::inventory::{Inventory, ViewRequest};
use crate::kernel::{KernelConfig, Sensor, SensorError};
use crate::own::{LastRun, SpareMemory};
use crate::pipeline::Pipeline;
use crate::publish::{KernelLosses, StatusFacts, StatusReporter};
use alerting::{Expiry, Reloaded, RuleState, Rules};
use anyhow::Context;
use event_model::{BlindRule, LossReason, Record, Timestamp};
use node_link::Outbox;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Records that are taken before others get their turn.
const RECORDS_A_TURN: usize = 1024;

/// At the end, the ring is read until it is empty, but not for ever.
const LAST_TURNS: usize = 256;

const TICK: Duration = Duration::from_secs(1);

/// After losses the node is listed anew, at most this often: the listing costs milliseconds.
const RESYNC_EVERY: Duration = Duration::from_secs(15);

/// What works beside the kernel's records, and has problems of its own to tell.
pub(super) struct Beside {
    pub metadata: Metadata,
    pub inventory: Inventory,
    pub audit: State,
    pub last_run: Rc<LastRun>,
}

/// What others tell it.
pub(super) struct Told {
    pub findings: mpsc::Receiver<Finding>,
    pub views: mpsc::Receiver<ViewRequest>,
    pub rules: mpsc::Receiver<Reloaded<Rules>>,
    pub connected: watch::Receiver<bool>,
}

/// The sensor at work.
pub(super) struct Watch {
    sensor: Sensor,
    coverage: Coverage,
    pipeline: Pipeline<Outbox>,
    beside: Beside,
    status: StatusReporter,
    losses: KernelLosses,
    rules: RuleState,
    blind_rules: Vec<BlindRule>,
    config: Config,
    expiry: Expiry,
    proc_root: PathBuf,
    /// What could not be read when the node was last listed.
    listing_problems: Vec<String>,
    listed_at: Option<Instant>,
    /// Records were lost since the node was last listed.
    list_again: bool,
    spare_memory: SpareMemory,
}

impl Watch {
    pub fn new(
        sensor: Sensor,
        coverage: Coverage,
        pipeline: Pipeline<Outbox>,
        beside: Beside,
        status: StatusReporter,
        config: Config,
    ) -> Self {
        let blind_rules = pipeline.rules().blind(|event_type| coverage.sees(event_type));
        Self {
            sensor,
            coverage,
            pipeline,
            beside,
            status,
            losses: KernelLosses::new(Timestamp::now()),
            rules: RuleState::begin(),
            blind_rules,
            proc_root: proc_root(&config),
            config,
            expiry: Expiry::default(),
            listing_problems: vec![],
            listed_at: None,
            list_again: false,
            spare_memory: SpareMemory::default(),
        }
    }

    /// Lists what runs, then takes what happens, until `shutdown`; then what is left in the ring.
    pub async fn run(mut self, told: Told, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Told { mut findings, mut views, mut rules, mut connected } = told;
        self.list();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_connected = false;
        loop {
            let ring_may_hold_more = self.take_records() == RECORDS_A_TURN;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => self.tick(),
                Some(finding) = findings.recv() => self.pipeline.complete(finding, Instant::now()),
                Some(request) = views.recv() => {
                    // Whoever asked waits for it, or is gone.
                    let _ = request.try_send(self.pipeline.view());
                }
                Some(reloaded) = rules.recv() => self.exchange_rules(reloaded),
                Ok(()) = connected.changed() => {
                    if *connected.borrow_and_update() {
                        self.greet(std::mem::replace(&mut was_connected, true));
                    }
                }
                waited = wait(&mut self.sensor, ring_may_hold_more) => {
                    waited.context("waiting for the kernel's records")?;
                }
            }
        }
        self.take_the_last();
        Ok(())
    }

    fn take_records(&mut self) -> usize {
        let now = Instant::now();
        let pipeline = &mut self.pipeline;
        self.sensor.poll(RECORDS_A_TURN, |record| pipeline.take(record, now))
    }

    /// A publisher connected. One that comes after another may have lost what that one was told.
    fn greet(&mut self, is_another: bool) {
        if is_another {
            self.pipeline.announce_again();
            self.status.report_again();
            self.beside.inventory.tell_again();
        }
        self.report_status();
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.report_losses();
        let rested = self.listed_at.is_none_or(|at| now.duration_since(at) >= RESYNC_EVERY);
        if self.list_again && rested {
            self.list();
        }
        self.pipeline.tick(now);
        self.report_status();
        self.spare_memory.give_back(now);
    }

    /// Blocks while it reads. Meanwhile the kernel's records wait in the ring, so that none
    /// is taken that is older than the list, and the list is never older than what was taken.
    fn list(&mut self) {
        let snapshot = self.sensor.snapshot(&self.proc_root);
        let now = Instant::now();
        if snapshot.problems != self.listing_problems {
            for problem in &snapshot.problems {
                tracing::warn!("{problem}");
            }
        }
        tracing::debug!(
            processes = snapshot.processes.len(),
            cgroups = snapshot.cgroups.len(),
            "listed what runs"
        );
        self.listing_problems.clone_from(&snapshot.problems);
        self.pipeline.resync(snapshot, now);
        self.listed_at = Some(now);
        self.list_again = false;
    }

    /// From one record to the next other rules are in force, or the ones before stay, and the reason is told.
    fn exchange_rules(&mut self, reloaded: Reloaded<Rules>) {
        let exchanged = reloaded.and_then(|rules| {
            let config = kernel_config(&self.config, &rules, self.pipeline.own());
            let config = config.map_err(|error| format!("{error:#}"))?;
            self.exchange(rules, &config).map_err(|error| error.to_string())
        });
        match exchanged {
            Ok(()) => self.rules.reloaded(self.pipeline.rules().loaded()),
            Err(reason) => self.rules.refused(&reason),
        }
        self.report_status();
    }

    /// What both sets of rules need is looked at while they are exchanged.
    fn exchange(&mut self, rules: Rules, config: &KernelConfig) -> Result<(), SensorError> {
        for warning in rules.warnings() {
            tracing::warn!("{warning}");
        }
        let asks_anew = !self.sensor.asks_for_the_same(config);
        if asks_anew {
            self.widen(config)?;
        }
        self.pipeline.exchange_rules(rules, &self.config.rules.paths);
        if asks_anew {
            // What is looked at needlessly does no harm.
            if let Err(error) = self.sensor.narrow(config) {
                tracing::warn!(%error, "the kernel tells more than the rules need");
            }
            self.pipeline.know_own_objects(self.sensor.own_objects().clone());
            self.coverage.renew(self.sensor.coverage());
        }
        self.blind_rules = self.pipeline.rules().blind(|event_type| self.coverage.sees(event_type));
        Ok(())
    }

    fn widen(&mut self, config: &KernelConfig) -> Result<(), SensorError> {
        let before = self.sensor.config().clone();
        let pipeline = &mut self.pipeline;
        let widened = self.sensor.widen(config, |sensor| {
            let now = Instant::now();
            while sensor.poll(RECORDS_A_TURN, |record| pipeline.take(record, now)) == RECORDS_A_TURN
            {
            }
        });
        widened.inspect_err(|_| {
            if let Err(error) = self.sensor.narrow(&before) {
                tracing::warn!(%error, "the kernel tells more than the rules need");
            }
        })
    }

    fn report_losses(&mut self) {
        let counts = self.sensor.drops().and_then(|drops| Ok((drops, self.sensor.folded()?)));
        let (drops, folded) = match counts {
            Ok(counts) => counts,
            Err(error) => {
                tracing::error!(%error, "the kernel's counts of dropped records cannot be read");
                return;
            }
        };
        let undecodable = self.sensor.undecodable();
        let (drops, folded) = (|kind| drops.of(kind), |kind| folded.of(kind));
        for loss in self.losses.account(drops, folded, undecodable, Timestamp::now()) {
            let (kind, reason, count) = (&loss.kind, loss.reason.name(), loss.count);
            if loss.reason == LossReason::RateLimited {
                tracing::debug!(kind, count, "acts like others before them were counted only");
            } else {
                tracing::warn!(kind, reason, count, "records of the kernel were lost");
                self.list_again = true;
            }
            self.pipeline.outlet().send(Record::Loss(loss));
        }
    }

    fn report_status(&mut self) {
        let facts = self.facts();
        if let Some(status) = self.status.report(facts, Instant::now()) {
            self.pipeline.outlet().send(Record::SensorStatus(Box::new(status)));
        }
    }

    fn facts(&mut self) -> StatusFacts {
        let mut problems = self.sensor.problems();
        problems.extend(self.rules.problem());
        problems.extend(self.pipeline.memory_problems());
        problems.extend(self.coverage.problems());
        problems.extend(self.beside.metadata.problems());
        problems.extend(self.beside.inventory.problems());
        problems.extend(self.beside.audit.problem());
        problems.extend(self.pipeline.recording_problem());
        problems.extend(self.beside.last_run.problem(Instant::now()));
        problems.extend(self.listing_problems.iter().cloned());
        problems.extend(self.expiry.problems(self.pipeline.rules(), Timestamp::now()));
        let mut counters = self.pipeline.counters().summary();
        counters.insert("events_lost".to_owned(), self.losses.total());
        counters.insert("rules_generation".to_owned(), self.rules.generation());
        let mut blind_rules = self.blind_rules.clone();
        if let Some(reason) = self.beside.audit.blindness() {
            blind_rules.extend(self.pipeline.rules().blind_to_requests(reason));
        }
        StatusFacts {
            problems,
            probes: self.coverage.probes.clone(),
            rules_loaded: self.pipeline.rules().loaded(),
            blind_rules,
            counters,
        }
    }

    fn take_the_last(&mut self) {
        for _ in 0..LAST_TURNS {
            if self.take_records() < RECORDS_A_TURN {
                break;
            }
        }
        let now = Instant::now();
        let pipeline = &mut self.pipeline;
        self.sensor.give_up_waiting(|record| pipeline.take(record, now));
        pipeline.end();
        self.report_losses();
        self.report_status();
    }
}

/// Waits for records, or only for the others' turn where there are more already.
async fn wait(sensor: &mut Sensor, there_are_more: bool) -> std::io::Result<()> {
    if there_are_more {
        tokio::task::yield_now().await;
        return Ok(());
    }
    sensor.wait().await
}
