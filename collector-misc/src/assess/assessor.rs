use super::input::{Message, Output};
use super::telling::{Snapshot, tell};
use crate::publish::Publisher;
use crate::spare_memory::{GIVE_BACK_EVERY, give_back, make_room};
use assessment::Assessment;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

const FINDINGS: &str = "defender_findings";
const PROBLEMS: &str = "defender_assessment_problems_total";

/// From one conclusion to the next: many objects that change at once are one change of what is concluded.
const BETWEEN_CONCLUSIONS: Duration = Duration::from_secs(1);
/// Whatever was lost unseen is there again after this time.
const BETWEEN_SNAPSHOTS: Duration = Duration::from_hours(24);
/// From a snapshot that was given up to the next.
const AFTER_GIVING_UP: Duration = Duration::from_mins(1);
/// The longest that one snapshot takes: no message is taken in the meantime.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a snapshot that waits for room looks for it.
const BETWEEN_LOOKS_FOR_ROOM: Duration = Duration::from_millis(20);

/// Concludes from objects, and tells while this replica leads. A standby only takes what it is told: what changed is for whoever leads to tell.
pub(crate) struct Assessor {
    assessment: Assessment,
    messages: Output,
    publisher: Publisher,
    /// Nothing is concluded before: half of the objects make other findings than all of them.
    is_complete: bool,
    /// Whether this replica led when that was last looked at.
    leads: bool,
    /// When all findings are to be told anew.
    snapshot_at: Instant,
}

impl Assessor {
    pub(crate) fn new(assessment: Assessment, messages: Output, publisher: Publisher) -> Self {
        describe_gauge!(
            FINDINGS,
            "Findings about the cluster's objects when they were last all told."
        );
        describe_counter!(
            PROBLEMS,
            "What could not be assessed, by problem: none of it is a pass."
        );
        let snapshot_at = Instant::now();
        Self { assessment, messages, publisher, is_complete: false, leads: false, snapshot_at }
    }

    /// Runs until nobody can send it messages any more. What is returned resolves then; if the thread breaks down, with an error.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(self) -> std::io::Result<oneshot::Receiver<()>> {
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("assessor".to_owned()).spawn(|| {
            self.run();
            // Nobody may wait for it.
            let _ = end.send(());
        })?;
        Ok(ended)
    }

    fn run(mut self) {
        let mut next = Instant::now() + BETWEEN_CONCLUSIONS;
        let mut give_back_at = Instant::now() + GIVE_BACK_EVERY;
        loop {
            match self.messages.next(next.saturating_duration_since(Instant::now())) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.look_who_leads();
            if Instant::now() >= next {
                self.conclude();
                next = Instant::now() + BETWEEN_CONCLUSIONS;
            }
            if Instant::now() >= give_back_at {
                give_back();
                give_back_at = Instant::now() + GIVE_BACK_EVERY;
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Applied { api_version, kind, object } => {
                self.assessment.apply(&api_version, &kind, object.as_bytes());
            }
            Message::Removed { api_version, kind, uid } => {
                self.assessment.remove(&api_version, &kind, &uid);
            }
            Message::Complete => {
                self.is_complete = true;
                self.snapshot_at = Instant::now();
            }
            Message::Snapshot => self.snapshot_at = Instant::now(),
        }
    }

    /// Who begins to lead does not know what those before have told.
    fn look_who_leads(&mut self) {
        let leads = self.publisher.leads();
        if leads && !self.leads {
            self.snapshot_at = Instant::now();
        }
        self.leads = leads;
    }

    /// Tells what changed, or all that there is where that is due.
    fn conclude(&mut self) {
        if !self.leads || !self.is_complete {
            return;
        }
        if self.snapshot_at > Instant::now() {
            return self.settle(true);
        }
        // What it takes to conclude all, and then to tell it, comes on top of all else.
        make_room();
        // The snapshot has what changed.
        self.settle(false);
        make_room();
        self.tell_all();
    }

    fn settle(&mut self, is_told: bool) {
        while self.publisher.leads() {
            let changes = self.assessment.settle(Instant::now());
            let more = changes.more;
            if is_told && !changes.is_empty() {
                tell(changes, &self.publisher);
            }
            self.count_problems();
            if !more {
                return;
            }
        }
    }

    fn count_problems(&self) {
        let problems = self.assessment.problems();
        for (problem, count) in [
            ("malformed", problems.malformed),
            ("unanswered", problems.unanswered),
            ("left_out", problems.left_out),
        ] {
            counter!(PROBLEMS, "problem" => problem).absolute(count);
        }
    }

    #[allow(clippy::cast_precision_loss)] // Findings are fewer than 2^53.
    fn tell_all(&mut self) {
        let end = Instant::now() + PATIENCE;
        let room = || self.has_room(end);
        let mut snapshot = Snapshot::new(&self.publisher, &room);
        self.assessment.tell_all(&mut |finding| snapshot.put(finding));
        if let Some(told) = snapshot.finish() {
            gauge!(FINDINGS).set(told as f64);
            self.snapshot_at = Instant::now() + BETWEEN_SNAPSHOTS;
        } else {
            tracing::info!("the publisher takes no more: telling all findings later");
            self.snapshot_at = Instant::now() + AFTER_GIVING_UP;
        }
    }

    /// Waits for room, but not past this time, nor while objects pile up or another leads.
    fn has_room(&self, end: Instant) -> bool {
        while self.publisher.leads() && !self.messages.is_crowded() && Instant::now() < end {
            if self.publisher.has_room() {
                return true;
            }
            std::thread::sleep(BETWEEN_LOOKS_FOR_ROOM);
        }
        false
    }
}

#[cfg(test)]
mod tests;
