//! What a destination takes, and what it answers.

use super::super::lane_queue::Outgoing;
use super::{FIRST, Store};
use event_model::{Lane, LossReason, SourceId};
use std::io;

/// No file or memory to be had just now (ENOMEM, ENFILE, EMFILE of errno(3)): no fault of the segment.
const PASSING_ERRORS: [i32; 3] = [12, 23, 24];

impl Store {
    /// Hands out envelopes to a destination, the worthiest lanes first, as far as the credit goes. Of the credit,
    /// `reserve` is for alerts alone. An envelope with more payload than `largest` bytes costs no credit, and is the
    /// last that is handed out: it will not be sent, and must not stop what is behind it.
    pub fn take(
        &mut self,
        to: usize,
        credit: u64,
        reserve: u64,
        largest: u64,
        maximum: usize,
    ) -> Vec<Outgoing> {
        let mut credit = credit;
        let mut taken = Vec::new();
        for lane in Lane::ALL {
            let kept_back = if lane == Lane::Alert { 0 } else { reserve };
            while taken.len() < maximum {
                let Some(bytes) = self.peek_bytes(to, lane) else { break };
                if bytes > largest {
                    taken.extend(self.queue(lane).take_peeked(to));
                    return taken;
                }
                if bytes > credit.saturating_sub(kept_back) {
                    return taken;
                }
                credit -= bytes;
                taken.extend(self.queue(lane).take_peeked(to));
            }
        }
        taken
    }

    /// Payload bytes of a lane's next envelope; damage on the way there is mended and counted.
    fn peek_bytes(&mut self, to: usize, lane: Lane) -> Option<u64> {
        loop {
            let damage = match self.queue(lane).peek(to) {
                Ok(next) => return next.map(Outgoing::payload_bytes),
                Err(damage) if damage.error.as_ref().is_some_and(is_passing) => return None,
                Err(damage) => damage,
            };
            tracing::error!(%lane, error = ?damage.error, "a segment of the spool is damaged");
            self.mend(to, lane, &damage);
            self.save_cursor();
            self.report_losses();
        }
    }

    /// A destination has everything of a source's lane up to a sequence.
    pub fn acknowledge(&mut self, to: usize, lane: Lane, source: SourceId, through: u64) {
        let records = self.queue(lane).acknowledge(to, source, through);
        if records > 0 {
            self.destinations.note_taken(to);
        }
        let destination = self.destinations.all()[to].name.clone();
        metrics::counter!("defender_records_delivered_total", "lane" => lane.name(), "destination" => destination)
            .increment(records);
    }

    /// A destination will never take an envelope.
    pub fn reject(
        &mut self,
        to: usize,
        lane: Lane,
        source: SourceId,
        first: u64,
        reason: LossReason,
    ) {
        if let Some(records) = self.queue(lane).reject(to, source, first) {
            self.count_lost(to, lane, records, reason);
        }
    }

    /// Counts records that a destination will never take, durably.
    pub(crate) fn count_lost(&mut self, to: usize, lane: Lane, records: u64, reason: LossReason) {
        self.destinations.lose(to, lane, reason, records);
        self.report_losses();
        if to != FIRST {
            // Their segment may go, and with it all that would tell of them after a crash.
            self.save_cursor();
        }
    }

    /// A destination's connection is gone: what it had not acknowledged is handed out again.
    pub fn rewind(&mut self, to: usize) {
        self.lanes.iter_mut().for_each(|lane| lane.rewind(to));
    }
}

fn is_passing(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| PASSING_ERRORS.contains(&number))
}
