//! What is dropped where there is no room, and that it is counted.

use super::super::lane_queue::LaneQueue;
use super::{Destination, FIRST, Store};
use event_model::{Lane, LossReason};
use proto::Envelope;
use std::time::Duration;

/// A destination that took nothing for as long will hardly make room.
const DRAINING: Duration = Duration::from_secs(1);

impl Store {
    /// Drops the oldest segments of the least worthy lanes until `bytes` more fit; never of a lane worthier
    /// than the one that needs them. False where that does not suffice.
    pub(super) fn make_room(&mut self, lane: Lane, bytes: u64) -> bool {
        // A dropped report of loss is written anew: without an end to the tries it could go in circles.
        let mut tries: usize = self.lanes.iter().map(LaneQueue::segment_count).sum();
        while self.bytes() + bytes > self.config.maximum_bytes {
            let candidates = Lane::ALL.into_iter().rev().take_while(|it| *it >= lane);
            let Some((victim, number)) = self.victim_among(candidates).filter(|_| tries > 0) else {
                return false;
            };
            tries -= 1;
            // The report must not go into the very segment that is dropped.
            self.queue(victim).seal();
            let mut lost = self.queue(victim).losses_of(number);
            lost[FIRST] = lost[FIRST].saturating_sub(self.carry_over_losses(victim, number));
            // The loss is on record before the file is gone: after a crash in between it is reported, not silent.
            self.lose(victim, LossReason::SpoolFull, &lost);
            self.report_losses();
            self.save_losses_of_others(&lost);
            self.queue(victim).drop_segment(number);
        }
        true
    }

    /// How many of the envelopes, from the first on, fit without anything being dropped.
    pub(crate) fn fitting(&self, lane: Lane, envelopes: &[Envelope]) -> usize {
        let mut bytes = self.bytes();
        let fits = |envelope: &&Envelope| {
            let is_known =
                self.sources.through(envelope.source(), lane) >= envelope.last_sequence();
            bytes += if is_known { 0 } else { super::bytes_of(envelope) };
            bytes <= self.config.maximum_bytes
        };
        envelopes.iter().take_while(fits).count()
    }

    /// Whether waiting for room is of use: each destination that has not got what would be dropped for this lane took
    /// something a moment ago.
    pub(crate) fn is_draining(&self, lane: Lane) -> bool {
        let candidates = Lane::ALL.into_iter().rev().take_while(|it| *it >= lane);
        let Some((victim, number)) = self.victim_among(candidates) else { return false };
        let lost = self.lanes[victim.index()].losses_of(number);
        let mut losers = lost.iter().zip(self.destinations()).filter(|(lost, _)| **lost > 0);
        let took = |it: &Destination| it.taken_at.is_some_and(|at| at.elapsed() < DRAINING);
        lost.iter().any(|lost| *lost > 0) && losers.all(|(_, it)| took(it))
    }

    /// How long what comes may wait for room.
    pub(crate) fn patience(&self) -> Duration {
        self.config.patience
    }

    /// Reports of loss must not be lost themselves: those in an alert segment that is dropped are reported
    /// anew. Returns how many there are.
    fn carry_over_losses(&mut self, victim: Lane, number: u64) -> u64 {
        if victim != Lane::Alert {
            return 0;
        }
        let losses = self.queue(victim).unsettled_losses(FIRST, number);
        let count = losses.len() as u64;
        for loss in losses {
            self.destinations.untold.merge(loss);
        }
        count
    }

    /// On a full disk: drops the oldest segment of a lane less worthy than `lane`. False where there is none.
    pub(crate) fn sacrifice_for(&mut self, lane: Lane) -> bool {
        let candidates = Lane::ALL.into_iter().rev().take_while(|it| *it > lane);
        let Some((victim, number)) = self.victim_among(candidates) else { return false };
        let lost = self.queue(victim).losses_of(number);
        // The loss can't be written before there is room for it.
        self.queue(victim).drop_segment(number);
        self.lose(victim, LossReason::DiskError, &lost);
        self.rest_until = None;
        self.report_losses();
        true
    }

    fn victim_among(&self, mut candidates: impl Iterator<Item = Lane>) -> Option<(Lane, u64)> {
        candidates.find_map(|lane| Some((lane, self.lanes[lane.index()].victim()?)))
    }

    /// Drops what no destination took within `maximum_age`. Alerts stay: they are few, and among them are the reports
    /// of what was lost.
    fn expire(&mut self) {
        if self.config.maximum_age.is_zero() {
            return;
        }
        for lane in Lane::ALL.into_iter().filter(|lane| *lane != Lane::Alert) {
            let maximum_age = self.config.maximum_age;
            while let Some(number) = self.queue(lane).expired(maximum_age) {
                let lost = self.queue(lane).losses_of(number);
                self.lose(lane, LossReason::SpoolExpired, &lost);
                self.report_losses();
                self.save_losses_of_others(&lost);
                self.queue(lane).drop_segment(number);
            }
        }
    }

    /// What another destination than the first loses stands in no report, but in the cursor.
    fn save_losses_of_others(&mut self, lost: &[u64]) {
        if lost[FIRST + 1..].iter().any(|records| *records > 0) {
            self.save_cursor();
        }
    }

    /// Drops what is too old, reports what was lost and is not yet on record, and gives the room back that reports took beyond the bound.
    pub fn keep_house(&mut self) {
        self.expire();
        self.report_losses();
        self.make_room(Lane::Alert, 0);
    }
}
