use super::Coverage;
use crate::audit::State;
use crate::enrich::containers::metadata::{Finding, Metadata};
use crate::inventory::{Inventory, ViewRequest};
use crate::kernel::Sensor;
use crate::own::LastRun;
use crate::pipeline::Pipeline;
use crate::publish::{KernelLosses, StatusFacts, StatusReporter};
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

/// The sensor at work.
pub(super) struct Watch {
    sensor: Sensor,
    coverage: Coverage,
    pipeline: Pipeline<Outbox>,
    beside: Beside,
    status: StatusReporter,
    losses: KernelLosses,
    blind_rules: Vec<BlindRule>,
    proc_root: PathBuf,
    /// What could not be read when the node was last listed.
    listing_problems: Vec<String>,
    listed_at: Option<Instant>,
    /// Records were lost since the node was last listed.
    list_again: bool,
}

impl Watch {
    pub fn new(
        sensor: Sensor,
        coverage: Coverage,
        pipeline: Pipeline<Outbox>,
        beside: Beside,
        status: StatusReporter,
        proc_root: PathBuf,
    ) -> Self {
        let blind_rules = pipeline.rules().blind(|event_type| coverage.sees(event_type));
        Self {
            sensor,
            coverage,
            pipeline,
            beside,
            status,
            losses: KernelLosses::new(Timestamp::now()),
            blind_rules,
            proc_root,
            listing_problems: vec![],
            listed_at: None,
            list_again: false,
        }
    }

    /// Lists what runs, then takes what happens, until `shutdown`; then what is left in the ring.
    pub async fn run(
        mut self,
        mut findings: mpsc::Receiver<Finding>,
        mut views: mpsc::Receiver<ViewRequest>,
        mut connected: watch::Receiver<bool>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
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

    fn facts(&self) -> StatusFacts {
        let mut problems = self.sensor.problems();
        problems.extend(self.coverage.problems());
        problems.extend(self.beside.metadata.problems());
        problems.extend(self.beside.inventory.problems());
        problems.extend(self.beside.audit.problem());
        problems.extend(self.pipeline.recording_problem());
        problems.extend(self.beside.last_run.problem(Instant::now()));
        problems.extend(self.listing_problems.iter().cloned());
        let mut counters = self.pipeline.counters().summary();
        counters.insert("events_lost".to_owned(), self.losses.total());
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
