//! Follows the audit file of a Kubernetes API server, on nodes where there is one.
//!
//! ```text
//! follower (rotation, truncation) ──▶ lines ──▶ kubernetes-audit ──▶ rules ──▶ publisher-ds
//! ```
//!
//! Up to where the publisher holds all that came of the lines stands in a file of its own, written each second and at the
//! end. A sensor that is killed loses no line, and sends those behind that place again, of which the backend keeps one.
//! While the publisher is away and there is no room, lines wait in the file.
//! What lies between a copy and the truncation that follows it (logrotate's copytruncate) is lost to every reader.

mod bookmark;
mod budget;
mod config;
mod follower;
mod lines;
mod losses;
mod position;
mod state;
#[cfg(test)]
mod tests;

pub use bookmark::Receipts;
pub use config::AuditConfig;
pub use follower::Follower;
pub use lines::{Line, Lines};
pub use position::PositionFile;
pub use state::State;

use crate::inventory::Root;
use crate::publish::Outlet;
use alerting::RequestDetection;
use bookmark::{Bookmark, has_delivered_alerts};
use budget::Budget;
use event_model::{LossReason, Record, Timestamp};
use kubernetes_audit::AuditError;
use losses::Losses;
use metrics::counter;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Between looks at the file.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Between reports of losses, and between writes of the position.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// At the end the publisher is given so long to take what was read last, before the place is noted.
const LAST_DELIVERY: Duration = Duration::from_secs(3);
/// Between looks at what it took.
const LOOK_AT_DELIVERY_EVERY: Duration = Duration::from_millis(20);

/// The audit file at work.
pub struct AuditFile<O> {
    follower: Follower,
    bookmark: Bookmark,
    /// Why the last note failed.
    unnoted: Option<std::io::Error>,
    budget: Budget,
    losses: Losses,
    detection: RequestDetection,
    outlet: O,
    /// Whether a publisher is there.
    connected: watch::Receiver<bool>,
    path: String,
}

impl<O: Outlet + Receipts> AuditFile<O> {
    /// None where no path is configured.
    pub fn open(
        config: &AuditConfig,
        host_root: &Path,
        detection: RequestDetection,
        outlet: O,
        connected: watch::Receiver<bool>,
    ) -> std::io::Result<Option<Self>> {
        if !config.is_on() {
            return Ok(None);
        }
        let position = config.position_file().map(PositionFile::new);
        let path = config.path.to_string_lossy().into_owned();
        let follower = Follower::new(Root::of_node(host_root)?, &path, position);
        let budget = Budget::new(config.bytes_per_second.get(), Instant::now());
        Ok(Some(Self {
            follower,
            // What is read again is taken, not passed over.
            bookmark: Bookmark::new(budget.most_behind() / 2),
            unnoted: None,
            budget,
            losses: Losses::default(),
            detection,
            outlet,
            connected,
            path,
        }))
    }

    /// Follows the file until `shutdown`. Blocks.
    pub fn run(mut self, state: &State, shutdown: &CancellationToken) {
        let mut noted_at = Instant::now();
        loop {
            let ends = shutdown.is_cancelled();
            let looked = self.look(Instant::now());
            state.set_followed(self.follower.follows());
            if ends || noted_at.elapsed() >= NOTE_EVERY {
                noted_at = Instant::now();
                self.report_losses();
                self.detection.tell_held(noted_at, ends, &self.outlet);
                self.note(noted_at);
                state.set_problem(self.describe(looked.as_ref().err()));
            }
            if ends {
                return self.end();
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Takes what was written since the last look, as far as the budget goes.
    pub fn look(&mut self, now: Instant) -> std::io::Result<()> {
        self.budget.refill(now);
        let Self { follower, budget, losses, detection, outlet, connected, .. } = self;
        loop {
            if !outlet.has_room() && !*connected.borrow() {
                return Ok(());
            }
            budget.look_at_backlog(follower.backlog());
            if budget.is_spent() {
                return Ok(());
            }
            let read = follower.read(now, &mut |line| match line {
                Line::TooLong => losses.add(LossReason::TooLarge),
                Line::Cut => losses.add(LossReason::Undecodable),
                Line::Whole(line) if budget.takes(line.len()) => {
                    take(line, now, losses, detection, outlet);
                }
                Line::Whole(_) => losses.add(LossReason::RateLimited),
            })?;
            if !read {
                return Ok(());
            }
        }
    }

    /// Sends what was counted.
    pub fn report_losses(&mut self) {
        for loss in self.losses.take() {
            self.outlet.send(Record::Loss(loss));
        }
    }

    /// Notes how far the file is done with, and keeps what was learnt once the alerts that were raised are: it would raise
    /// none when the lines come again.
    fn note(&mut self, now: Instant) {
        if has_delivered_alerts(&self.outlet) {
            self.detection.tick(now);
        }
        let (noted, reached) = (self.follower.noted(), self.follower.reached());
        if let Some(place) = self.bookmark.advance(noted, reached, &self.outlet) {
            self.unnoted = self.follower.note(&place).err();
        }
    }

    fn end(mut self) {
        let begun = Instant::now();
        while !self.bookmark.is_settled() && begun.elapsed() < LAST_DELIVERY {
            std::thread::sleep(LOOK_AT_DELIVERY_EVERY);
            self.note(Instant::now());
        }
        if has_delivered_alerts(&self.outlet) {
            self.detection.end();
        }
    }

    fn describe(&self, looked: Option<&std::io::Error>) -> Option<String> {
        if let Some(error) = looked {
            return Some(format!("the audit file {} can't be read: {error}", self.path));
        }
        if let Some(error) = &self.unnoted {
            return Some(format!(
                "where the audit file was read to can't be noted in audit.state_directory: {error}. \
                 After a restart it is read from its end"
            ));
        }
        self.follower.gap().map(|at| {
            format!(
                "lines of the audit file {} may be missing: at {at} the file that was read last was gone, \
                 or written anew",
                self.path
            )
        })
    }
}

fn take(
    line: &[u8],
    now: Instant,
    losses: &mut Losses,
    detection: &mut RequestDetection,
    outlet: &impl Outlet,
) {
    if line.iter().all(u8::is_ascii_whitespace) {
        return;
    }
    match kubernetes_audit::parse(line) {
        Ok(event) => {
            counter!("defender_audit_events_total").increment(1);
            detection.look(&event, now, outlet);
            outlet.send(Record::Audit(Box::new(event)));
        }
        Err(AuditError::TooLarge(_)) => losses.add(LossReason::TooLarge),
        Err(error) => {
            tracing::debug!(%error, "a line of the audit file is no event");
            losses.add(LossReason::Undecodable);
        }
    }
}

/// The moment, for reports.
fn now() -> Timestamp {
    Timestamp::now()
}
