//! The spool without threads: what each operation does to the disk.

mod room;

use super::cursor::{self, Cursor};
use super::directory::{SpoolConfig, SpoolError, lock};
use super::frame;
use super::lane_queue::{Damage, LaneQueue, Outgoing};
use super::own_source::OwnSource;
use super::recovery::recover;
use super::segment::Position;
use super::sources::Sources;
use event_model::{Lane, LossReason, Record, SourceDescription, SourceId};
use node_link::LossLedger;
use proto::{Envelope, wire};
use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

/// Frames are written to the file in pieces of about this size.
const WRITE_BYTES: usize = 256 << 10;

const REST: Duration = Duration::from_secs(1);

/// No file or memory to be had just now (ENOMEM, ENFILE, EMFILE of errno(3)): no fault of the segment.
const PASSING_ERRORS: [i32; 3] = [12, 23, 24];

/// Before which place each lane is settled.
type Settled = [Position; Lane::ALL.len()];

/// How far a commit went.
#[derive(Debug)]
pub(crate) struct Committed {
    /// How many of the envelopes, from the first on, are durable (or known, or lost and counted).
    pub(crate) settled: usize,
    /// What kept the others from it.
    pub(crate) failure: Option<io::Error>,
    /// The lanes that lost something for want of room, and so a report was written of.
    pub(crate) has_lost: [bool; Lane::ALL.len()],
}

/// What happens to an envelope that came.
enum Fate {
    Write,
    /// It is durable already.
    Known,
    /// There is no room for it, and nothing less worthy to drop.
    NoRoom,
}

pub(crate) struct Store {
    config: SpoolConfig,
    pub(crate) lanes: [LaneQueue; Lane::ALL.len()],
    pub(crate) sources: Sources,
    own: OwnSource,
    losses: LossLedger,
    /// The lanes that lost something for want of room since this commit began.
    has_lost: [bool; Lane::ALL.len()],
    /// A record of the publisher itself was written and nobody was told of it yet.
    has_reported: bool,
    saved: Settled,
    /// A disk that took no report of our own is left alone until then.
    rest_until: Option<Instant>,
    buffer: Vec<u8>,
    /// Released by the kernel when the process ends, however it ends.
    _lock: File,
}

impl Store {
    /// Opens the spool, making it where it is missing. What recovery finds lost is on record, durably, before
    /// the damaged files are touched.
    pub(crate) fn open(config: SpoolConfig, own: &SourceDescription) -> Result<Self, SpoolError> {
        let failed = |action| {
            let path = config.directory.clone();
            move |error| SpoolError::Io { path, action, error }
        };
        let lock = lock(&config.directory)?;
        let cursor = cursor::load(&config.directory).unwrap_or_default();
        let Cursor { settled, mut sources } = cursor;
        let mut losses = LossLedger::new();
        let mut lanes = Vec::with_capacity(Lane::ALL.len());
        let mut damaged = Vec::with_capacity(Lane::ALL.len());
        for lane in Lane::ALL {
            let position = settled[lane.index()];
            let found = recover(lane, &config.directory, position, &mut sources)
                .map_err(failed("reading what is there"))?;
            count_lost(&mut losses, lane, LossReason::SpoolCorrupt, found.lost_records);
            lanes.push(found.queue);
            damaged.push(found.damaged);
        }
        let lanes = lanes.try_into().unwrap_or_else(|_| unreachable!("one queue was made a lane"));
        let mut store = Self {
            saved: settled,
            rest_until: None,
            own: OwnSource::new(own),
            buffer: Vec::new(),
            _lock: lock,
            config,
            lanes,
            sources,
            losses,
            has_lost: [false; Lane::ALL.len()],
            has_reported: false,
        };
        store.mend_recovered(&damaged);
        Ok(store)
    }

    fn mend_recovered(&mut self, damaged: &[Vec<u64>]) {
        self.report_losses();
        for (lane, numbers) in Lane::ALL.into_iter().zip(damaged) {
            for number in numbers {
                self.mend(lane, &Damage { segment: *number, error: None });
            }
            self.queue(lane).retire();
        }
        self.report_losses();
        // Its places are those of the mended files.
        self.save_cursor();
    }

    /// Mends a segment, or gives it up, and counts what is lost by it.
    fn mend(&mut self, lane: Lane, damage: &Damage) {
        let prepared = self.prepare_mend(lane, damage.segment);
        let lost = self.queue(lane).repair(damage, prepared);
        self.lose(lane, LossReason::SpoolCorrupt, lost);
    }

    /// A mend moves frames, so a cursor that tells of a place in the file as it was could take frames for settled
    /// that are not. The one on disk must tell of the segment's beginning, then, or of nothing at all: after a crash
    /// before the next is saved, frames are sent twice.
    fn prepare_mend(&mut self, lane: Lane, number: u64) -> io::Result<()> {
        let mut settled = self.settled();
        let place = &mut settled[lane.index()];
        *place = Position::start_of(number).min(*place);
        let cursor = Cursor { settled, sources: self.sources.clone() };
        let directory = &self.config.directory;
        cursor::save_durably(directory, &cursor).or_else(|_| cursor::remove_durably(directory))?;
        self.saved = settled;
        Ok(())
    }

    fn settled(&self) -> Settled {
        std::array::from_fn(|index| self.lanes[index].settled())
    }

    fn queue(&mut self, lane: Lane) -> &mut LaneQueue {
        &mut self.lanes[lane.index()]
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.lanes.iter().map(LaneQueue::bytes).sum()
    }

    // ── In ──

    /// Makes envelopes of one lane durable, with one sync. Over the bound, room is made first.
    pub(crate) fn commit(&mut self, lane: Lane, envelopes: &[Envelope]) -> Committed {
        self.has_lost = [false; Lane::ALL.len()];
        let fates = self.decide(lane, envelopes);
        self.report_losses();
        let mut settled = 0;
        let outcome = self.write(lane, envelopes, &fates, &mut settled);
        if outcome.is_err() {
            self.queue(lane).roll_back();
        }
        for (envelope, fate) in envelopes.iter().zip(&fates).take(settled) {
            if matches!(fate, Fate::NoRoom) {
                self.lose(lane, LossReason::SpoolFull, u64::from(envelope.count()));
            }
            self.sources.note(envelope.source(), lane, envelope.last_sequence());
        }
        self.report_losses();
        Committed { settled, failure: outcome.err(), has_lost: self.has_lost }
    }

    fn decide(&mut self, lane: Lane, envelopes: &[Envelope]) -> Vec<Fate> {
        let mut fates = Vec::with_capacity(envelopes.len());
        let mut came: Vec<(SourceId, u64)> = Vec::new();
        let mut reserved = 0;
        for envelope in envelopes {
            let last = envelope.last_sequence();
            let came_before = came.iter().any(|it| it.0 == envelope.source() && it.1 >= last);
            if came_before || self.sources.through(envelope.source(), lane) >= last {
                fates.push(Fate::Known);
                continue;
            }
            came.retain(|it| it.0 != envelope.source());
            came.push((envelope.source(), last));
            let bytes = frame::frame_bytes(&envelope.clone().into());
            if self.make_room(lane, reserved + bytes) {
                reserved += bytes;
                fates.push(Fate::Write);
            } else {
                fates.push(Fate::NoRoom);
            }
        }
        fates
    }

    fn write(
        &mut self,
        lane: Lane,
        envelopes: &[Envelope],
        fates: &[Fate],
        settled: &mut usize,
    ) -> io::Result<()> {
        let segment_bytes = self.config.segment_bytes;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut records = 0;
        let queue = &mut self.lanes[lane.index()];
        let written =
            envelopes.iter().zip(fates).enumerate().try_for_each(|(index, (envelope, fate))| {
                if !matches!(fate, Fate::Write) {
                    return Ok(());
                }
                frame::append(&mut buffer, &wire::Envelope::from(envelope.clone()));
                records += u64::from(envelope.count());
                let is_full = queue.active_bytes() + buffer.len() as u64 >= segment_bytes;
                if is_full || buffer.len() >= WRITE_BYTES {
                    queue.stage(&buffer, std::mem::take(&mut records))?;
                    buffer.clear();
                }
                if is_full {
                    queue.sync()?;
                    queue.seal();
                    *settled = index + 1;
                }
                Ok(())
            });
        let staged = written
            .and_then(|()| if buffer.is_empty() { Ok(()) } else { queue.stage(&buffer, records) });
        self.buffer = buffer;
        staged?;
        self.queue(lane).sync()?;
        *settled = envelopes.len();
        Ok(())
    }

    fn lose(&mut self, lane: Lane, reason: LossReason, records: u64) {
        self.has_lost[lane.index()] |= reason == LossReason::SpoolFull && records > 0;
        count_lost(&mut self.losses, lane, reason, records);
    }

    // ── The publisher's own records ──

    /// Writes what was lost into the alert lane. What can't be written stays in the ledger for the next time.
    pub(crate) fn report_losses(&mut self) {
        if self.losses.is_empty() || self.is_resting() {
            return;
        }
        let losses = self.losses.take();
        let records: Vec<_> = losses.iter().cloned().map(Record::Loss).collect();
        if let Err(error) = self.report(&records) {
            tracing::debug!(%error, "a report of loss waits for the disk");
            for loss in losses {
                self.losses.merge(loss);
            }
        }
    }

    /// Whether the disk took none of our own records a moment ago.
    pub(crate) fn is_resting(&self) -> bool {
        self.rest_until.is_some_and(|until| Instant::now() < until)
    }

    /// Makes records of the publisher itself durable.
    pub(crate) fn report(&mut self, records: &[Record]) -> io::Result<()> {
        let envelope = self.own.envelope(records).map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        frame::append(&mut bytes, &wire::Envelope::from(envelope.clone()));
        let queue = self.queue(Lane::Alert);
        let written = queue.stage(&bytes, records.len() as u64).and_then(|()| queue.sync());
        if written.is_err() {
            queue.roll_back();
            self.rest_until = Some(Instant::now() + REST);
        } else {
            self.own.note_durable(&envelope);
            self.has_reported = true;
            self.seal_if_full();
        }
        written
    }

    /// Where no collector sends alerts, our own reports alone must not make a file without end.
    fn seal_if_full(&mut self) {
        let segment_bytes = self.config.segment_bytes;
        let queue = self.queue(Lane::Alert);
        if queue.active_bytes() >= segment_bytes {
            queue.seal();
        }
    }

    /// Whether records of the publisher itself became durable since this was last true.
    pub(crate) fn take_reported(&mut self) -> bool {
        std::mem::take(&mut self.has_reported)
    }

    // ── Out ──

    /// Hands out envelopes, the worthiest lanes first, as far as the credit goes. Of the credit, `reserve` is
    /// for alerts alone. An envelope with more payload than `largest` bytes costs no credit, and is the last
    /// that is handed out: it will not be sent, and must not stop what is behind it.
    pub(crate) fn take(
        &mut self,
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
                let Some(bytes) = self.peek_bytes(lane) else { break };
                if bytes > largest {
                    taken.extend(self.queue(lane).take_peeked());
                    return taken;
                }
                if bytes > credit.saturating_sub(kept_back) {
                    return taken;
                }
                credit -= bytes;
                taken.extend(self.queue(lane).take_peeked());
            }
        }
        taken
    }

    /// Payload bytes of a lane's next envelope; damage on the way there is mended and counted.
    fn peek_bytes(&mut self, lane: Lane) -> Option<u64> {
        loop {
            let damage = match self.queue(lane).peek() {
                Ok(next) => return next.map(Outgoing::payload_bytes),
                Err(damage) if damage.error.as_ref().is_some_and(is_passing) => return None,
                Err(damage) => damage,
            };
            tracing::error!(%lane, error = ?damage.error, "a segment of the spool is damaged");
            self.mend(lane, &damage);
            self.save_cursor();
            self.report_losses();
        }
    }

    /// The backend has everything of a source's lane up to a sequence.
    pub(crate) fn acknowledge(&mut self, lane: Lane, source: SourceId, through_sequence: u64) {
        let records = self.queue(lane).acknowledge(source, through_sequence);
        metrics::counter!("defender_records_delivered_total", "lane" => lane.name())
            .increment(records);
    }

    /// The backend will never take an envelope.
    pub(crate) fn reject(&mut self, lane: Lane, source: SourceId, first: u64, reason: LossReason) {
        if let Some(records) = self.queue(lane).reject(source, first) {
            self.lose(lane, reason, records);
            self.report_losses();
        }
    }

    /// The connection is gone: what it had not acknowledged is handed out again.
    pub(crate) fn rewind(&mut self) {
        self.lanes.iter_mut().for_each(LaneQueue::rewind);
    }

    /// Saves where the lanes stand, if that changed.
    pub(crate) fn save_cursor(&mut self) {
        let settled = self.settled();
        if settled == self.saved {
            return;
        }
        let cursor = Cursor { settled, sources: self.sources.clone() };
        match cursor::save(&self.config.directory, &cursor) {
            Ok(()) => self.saved = settled,
            Err(error) => tracing::debug!(%error, "the spool's cursor could not be saved"),
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| PASSING_ERRORS.contains(&number))
}

fn count_lost(losses: &mut LossLedger, lane: Lane, reason: LossReason, records: u64) {
    if records == 0 {
        return;
    }
    losses.add(lane, "any", reason, records);
    metrics::counter!("defender_spool_dropped_total", "lane" => lane.name(), "reason" => reason.name())
        .increment(records);
    tracing::warn!(%lane, reason = reason.name(), records, "records are lost; the loss is reported to the backend");
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
pub(crate) mod tests;
