//! What is dropped where there is no room, and that it is counted.

use super::super::lane_queue::LaneQueue;
use super::Store;
use event_model::{Lane, LossReason};

impl Store {
    /// Drops the oldest segments of the least worthy lanes until `bytes` more fit; never of a lane worthier
    /// than the one that needs them. False where that does not suffice.
    pub(super) fn make_room(&mut self, lane: Lane, bytes: u64) -> bool {
        // A dropped report of loss is written anew: without an end to the tries it could go in circles.
        let mut tries: usize = self.lanes.iter().map(LaneQueue::segment_count).sum();
        while self.bytes() + bytes > self.config.maximum_bytes {
            let candidates = Lane::ALL.into_iter().rev().take_while(|it| *it >= lane);
            let Some((victim, number, lost)) = self.victim_among(candidates).filter(|_| tries > 0)
            else {
                return false;
            };
            tries -= 1;
            // The report must not go into the very segment that is dropped.
            self.queue(victim).seal();
            let lost = lost.saturating_sub(self.carry_over_losses(victim, number));
            // The loss is on record before the file is gone: after a crash in between it is reported, not silent.
            self.lose(victim, LossReason::SpoolFull, lost);
            self.report_losses();
            self.queue(victim).drop_segment(number);
        }
        true
    }

    /// Reports of loss must not be lost themselves: those in an alert segment that is dropped are reported
    /// anew. Returns how many there are.
    fn carry_over_losses(&mut self, victim: Lane, number: u64) -> u64 {
        if victim != Lane::Alert {
            return 0;
        }
        let losses = self.queue(victim).unsettled_losses(number);
        let count = losses.len() as u64;
        for loss in losses {
            self.losses.merge(loss);
        }
        count
    }

    /// On a full disk: drops the oldest segment of a lane less worthy than `lane`. False where there is none.
    pub(crate) fn sacrifice_for(&mut self, lane: Lane) -> bool {
        let candidates = Lane::ALL.into_iter().rev().take_while(|it| *it > lane);
        let Some((victim, number, lost)) = self.victim_among(candidates) else { return false };
        // The loss can't be written before there is room for it.
        self.queue(victim).drop_segment(number);
        self.lose(victim, LossReason::DiskError, lost);
        self.rest_until = None;
        self.report_losses();
        true
    }

    fn victim_among(&self, mut candidates: impl Iterator<Item = Lane>) -> Option<(Lane, u64, u64)> {
        let victim = |lane: Lane| {
            let (number, lost) = self.lanes[lane.index()].victim()?;
            Some((lane, number, lost))
        };
        candidates.find_map(victim)
    }

    /// Reports what was lost and is not yet on record, and gives the room back that reports took beyond the bound.
    pub(crate) fn keep_house(&mut self) {
        self.report_losses();
        self.make_room(Lane::Alert, 0);
    }
}
