//! The spool without threads: what each operation does to the disk.

mod handing_out;
mod room;

use super::clock::SpoolClock;
use super::cursor::{self, Cursor, Places, Progress};
use super::destinations::{self, Destination, Destinations, Subscription};
use super::directory::{SpoolConfig, SpoolError, lock};
use super::frame;
use super::lane_queue::{Damage, LaneQueue};
use super::own_source::OwnSource;
use super::recovery::recover;
use super::segment::Position;
use super::sources::Sources;
use event_model::{Lane, LossReason, Record, SourceDescription, SourceId};
use proto::{Envelope, wire};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

/// Frames are written to the file in pieces of about this size.
const WRITE_BYTES: usize = 256 << 10;

/// The destination that reports of loss are addressed to.
const FIRST: usize = 0;

const REST: Duration = Duration::from_secs(1);

/// How far each destination is, by its name.
type Standing = BTreeMap<String, Progress>;

/// What the cursor on disk tells.
#[derive(Default, PartialEq)]
struct Saved {
    standing: Standing,
    synced: Option<Places>,
}

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

/// The spool, for one thread.
pub struct Store {
    config: SpoolConfig,
    pub(crate) lanes: [LaneQueue; Lane::ALL.len()],
    pub(crate) sources: Sources,
    own: OwnSource,
    destinations: Destinations,
    /// The lanes that lost something for want of room since this commit began.
    has_lost: [bool; Lane::ALL.len()],
    /// A record of the publisher itself was written and nobody was told of it yet.
    has_reported: bool,
    saved: Saved,
    clock: SpoolClock,
    /// A disk that took no report of our own is left alone until then.
    rest_until: Option<Instant>,
    buffer: Vec<u8>,
    /// Released by the kernel when the process ends, however it ends.
    _lock: File,
}

impl Store {
    /// Opens the spool for its destinations, making it where it is missing. What recovery finds lost is on record,
    /// durably, before the damaged files are touched.
    pub fn open(
        config: SpoolConfig,
        own: &SourceDescription,
        subscriptions: &[Subscription],
    ) -> Result<Self, SpoolError> {
        destinations::check(subscriptions)?;
        let failed = |action| {
            let path = config.directory.clone();
            move |error| SpoolError::Io { path, action, error }
        };
        let lock = lock(&config.directory)?;
        let mut cursor = cursor::load(&config.directory).unwrap_or_default();
        let known: Vec<Progress> = subscriptions
            .iter()
            .map(|it| begun(it, cursor.destinations.get(&it.name).copied().unwrap_or_default()))
            .collect();
        let of_name = |(subscription, known): (&Subscription, &Progress)| Destination {
            name: subscription.name.clone(),
            lost: known.lost,
            taken_at: None,
        };
        let mut destinations =
            Destinations::new(subscriptions.iter().zip(&known).map(of_name).collect());
        let mut lanes = Vec::with_capacity(Lane::ALL.len());
        let mut damaged = Vec::with_capacity(Lane::ALL.len());
        for lane in Lane::ALL {
            let settled: Vec<_> = known.iter().map(|it| it.settled[lane.index()]).collect();
            let found = recover(lane, &config.directory, &settled, &mut cursor)
                .map_err(failed("reading what is there"))?;
            for (to, records) in found.lost_records.into_iter().enumerate() {
                destinations.lose(to, lane, LossReason::SpoolCorrupt, records);
            }
            lanes.push(found.queue);
            damaged.push(found.damaged);
        }
        let lanes = lanes.try_into().unwrap_or_else(|_| unreachable!("one queue was made a lane"));
        let mut store = Self {
            saved: Saved::default(),
            clock: SpoolClock::continued_from(cursor.clock),
            rest_until: None,
            own: OwnSource::new(own),
            buffer: Vec::new(),
            _lock: lock,
            config,
            lanes,
            sources: cursor.sources,
            destinations,
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
                self.mend(FIRST, lane, &Damage { segment: *number, error: None });
            }
            self.queue(lane).retire();
        }
        self.report_losses();
        // Its places are those of the mended files.
        self.save_cursor();
    }

    /// Mends a segment that a destination can't read on, or gives it up, and counts what is lost by it.
    fn mend(&mut self, to: usize, lane: Lane, damage: &Damage) {
        let prepared = self.prepare_mend(lane, damage.segment);
        // The loss is on record before the file is mended, as after a crash nothing would tell of it any more; and not
        // in the very segment that is mended.
        let told = self.queue(lane).losses_by_damage(damage.segment);
        self.lose(lane, LossReason::SpoolCorrupt, &told);
        self.report_losses();
        let lost = self.queue(lane).repair(to, damage, prepared);
        let rest: Vec<u64> =
            lost.iter().zip(told).map(|(lost, told)| lost.saturating_sub(told)).collect();
        self.lose(lane, LossReason::SpoolCorrupt, &rest);
    }

    /// A mend moves frames, so a cursor that tells of a place in the file as it was could take frames for settled
    /// that are not. The one on disk must tell of the segment's beginning, then, or of nothing at all: after a crash
    /// before the next is saved, frames are sent twice.
    fn prepare_mend(&mut self, lane: Lane, number: u64) -> io::Result<()> {
        let mut standing = self.standing();
        for progress in standing.values_mut() {
            let place = &mut progress.settled[lane.index()];
            *place = Position::start_of(number).min(*place);
        }
        let mut saved = Saved { standing, synced: Some(self.synced()) };
        for place in saved.synced.iter_mut().map(|synced| &mut synced[lane.index()]) {
            *place = Position::start_of(number).min(*place);
        }
        let directory = &self.config.directory;
        let cursor = self.cursor(&saved);
        cursor::save(directory, &cursor).or_else(|_| cursor::remove_durably(directory))?;
        self.saved = saved;
        Ok(())
    }

    fn standing(&self) -> Standing {
        let progress = |(to, destination): (usize, &Destination)| {
            // Should it ask for more one day, it begins at the oldest that is kept.
            let settled = std::array::from_fn(|index| match self.lanes[index].settled(to) {
                Position::END => Position::default(),
                place => place,
            });
            (destination.name.clone(), Progress { settled, lost: destination.lost })
        };
        self.destinations.all().iter().enumerate().map(progress).collect()
    }

    fn synced(&self) -> Places {
        std::array::from_fn(|index| self.lanes[index].synced())
    }

    fn cursor(&self, saved: &Saved) -> Cursor {
        Cursor {
            destinations: saved.standing.clone(),
            synced: saved.synced,
            clock: self.clock.now(),
            ages: self.lanes.iter().flat_map(LaneQueue::ages).collect(),
            sources: self.sources.clone(),
        }
    }

    /// The destinations, in the order in which they were named.
    pub(crate) fn destinations(&self) -> &[Destination] {
        self.destinations.all()
    }

    fn queue(&mut self, lane: Lane) -> &mut LaneQueue {
        &mut self.lanes[lane.index()]
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.lanes.iter().map(LaneQueue::bytes).sum()
    }

    // ── In ──

    /// Makes envelopes of one lane durable, with one sync. Over the bound, room is made first.
    pub(crate) fn commit(&mut self, lane: Lane, envelopes: &[Envelope]) -> Committed {
        self.has_lost = [false; Lane::ALL.len()];
        let fates = self.decide(lane, envelopes);
        self.report_losses();
        let mut settled = 0;
        let mut has_no_room = false;
        let outcome = self.write(lane, envelopes, &fates, &mut settled);
        if outcome.is_err() {
            self.queue(lane).roll_back();
        }
        for (envelope, fate) in envelopes.iter().zip(&fates).take(settled) {
            if matches!(fate, Fate::NoRoom) {
                let lost = self.losses_of(lane, envelope);
                self.lose(lane, LossReason::SpoolFull, &lost);
                has_no_room = true;
            }
            self.sources.note(envelope.source(), lane, envelope.last_sequence());
        }
        self.report_losses();
        if has_no_room && self.destinations.count() > 1 {
            self.save_cursor();
        }
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
            let bytes = bytes_of(envelope);
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

    /// What each destination loses with an envelope that is not kept.
    fn losses_of(&self, lane: Lane, envelope: &Envelope) -> Vec<u64> {
        let queue = &self.lanes[lane.index()];
        let is_unwanted = |to: usize| queue.settled(to) == Position::END;
        let loss = |to| if is_unwanted(to) { 0 } else { u64::from(envelope.count()) };
        (0..self.destinations.count()).map(loss).collect()
    }

    /// Counts what each destination loses.
    fn lose(&mut self, lane: Lane, reason: LossReason, records: &[u64]) {
        for (to, records) in records.iter().enumerate() {
            self.has_lost[lane.index()] |= reason == LossReason::SpoolFull && *records > 0;
            self.destinations.lose(to, lane, reason, *records);
        }
    }

    // ── The publisher's own records ──

    /// Writes what was lost into the alert lane. What can't be written stays in the ledger for the next time.
    pub(crate) fn report_losses(&mut self) {
        if self.destinations.untold.is_empty() || self.is_resting() {
            return;
        }
        let losses = self.destinations.untold.take();
        let records: Vec<_> = losses.iter().cloned().map(Record::Loss).collect();
        if let Err(error) = self.report(&records) {
            tracing::debug!(%error, "a report of loss waits for the disk");
            for loss in losses {
                self.destinations.untold.merge(loss);
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

    /// Saves where the lanes stand, if that changed.
    pub fn save_cursor(&mut self) {
        let now = Saved { standing: self.standing(), synced: Some(self.synced()) };
        if now == self.saved {
            return;
        }
        match cursor::save(&self.config.directory, &self.cursor(&now)) {
            Ok(()) => self.saved = now,
            Err(error) => tracing::debug!(%error, "the spool's cursor could not be saved"),
        }
    }
}

/// Bytes that an envelope takes on disk.
fn bytes_of(envelope: &Envelope) -> u64 {
    frame::frame_bytes(&envelope.clone().into())
}

/// Where a destination begins that stood so when the program ended.
fn begun(subscription: &Subscription, before: Progress) -> Progress {
    let settled = std::array::from_fn(|index| {
        let is_wanted = subscription.lanes.contains(&Lane::ALL[index]);
        if is_wanted { before.settled[index] } else { Position::END }
    });
    Progress { settled, ..before }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
pub(crate) mod tests;
