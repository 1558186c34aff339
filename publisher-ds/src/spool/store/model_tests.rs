//! Random operations, restarts and crashes, against a model that a reader can check in a minute.

use super::tests::{commit, envelope, losses};
use super::*;
use crate::spool::segment;
use proptest::prelude::*;
use stand_ins::description;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const SEGMENT_BYTES: u64 = 2 << 10;
const LANES: [Lane; 2] = [Lane::Alert, Lane::Telemetry];

#[derive(Clone, Debug)]
enum Act {
    /// New batches of a lane come, `count` of them.
    Append { lane: usize, count: usize, bytes: usize },
    /// The last batches of a lane come again.
    Repeat { lane: usize, count: usize },
    /// Up to `count` envelopes are sent.
    Take { count: usize },
    /// The backend acknowledges what it got of a lane, but for the last `but` batches.
    Acknowledge { lane: usize, but: usize },
    /// The backend will never take one of those that it got of a lane.
    Reject { lane: usize, which: prop::sample::Index },
    /// The connection breaks.
    Rewind,
    /// The program ends in order.
    Restart,
    /// The program is killed.
    Kill,
    /// The machine loses power while a batch is written: of the unsynced bytes, a random part is on disk.
    PowerCut { lane: usize, kept: prop::sample::Index },
}

fn act() -> impl Strategy<Value = Act> {
    let lane = || 0..LANES.len();
    prop_oneof![
        6 => (lane(), 1..5_usize, 1..900_usize).prop_map(|(lane, count, bytes)| Act::Append { lane, count, bytes }),
        2 => (lane(), 1..6_usize).prop_map(|(lane, count)| Act::Repeat { lane, count }),
        4 => (1..12_usize).prop_map(|count| Act::Take { count }),
        4 => (lane(), 0..4_usize).prop_map(|(lane, but)| Act::Acknowledge { lane, but }),
        1 => Just(Act::Rewind),
        1 => Just(Act::Restart),
        1 => Just(Act::Kill),
        1 => (lane(), any::<prop::sample::Index>()).prop_map(|(lane, kept)| Act::PowerCut { lane, kept }),
    ]
}

fn act_or_rejection() -> impl Strategy<Value = Act> {
    let rejection = (0..LANES.len(), any::<prop::sample::Index>());
    prop_oneof![
        8 => act(),
        1 => rejection.prop_map(|(lane, which)| Act::Reject { lane, which }),
    ]
}

/// What the world knows of one lane.
#[derive(Default)]
struct LaneModel {
    /// All batches that were acknowledged to the collector, in their order.
    durable: Vec<Envelope>,
    /// First sequences that the backend acknowledged.
    delivered: BTreeSet<u64>,
    /// Sent over the present connection.
    sent: Vec<Envelope>,
    next: u64,
}

/// In memory where there is such a place: what syncs cost is not what is tested here.
fn quick_directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

struct World {
    directory: tempfile::TempDir,
    maximum_bytes: u64,
    store: Option<Store>,
    source: SourceId,
    lanes: BTreeMap<Lane, LaneModel>,
    reported: u64,
    seen_reports: BTreeSet<(SourceId, u64)>,
    /// More may be reported lost than is missing: after a kill, batches that the backend acknowledged may come
    /// back and be dropped; after any restart, those that it rejected behind others may; and what is dropped in
    /// flight may arrive all the same.
    may_report_too_much: bool,
    has_rejected: bool,
}

impl World {
    fn new(maximum_bytes: u64) -> Self {
        let mut world = Self {
            directory: quick_directory(),
            maximum_bytes,
            store: None,
            source: SourceId::generate(),
            lanes: LANES
                .into_iter()
                .map(|lane| (lane, LaneModel { next: 1, ..LaneModel::default() }))
                .collect(),
            reported: 0,
            seen_reports: BTreeSet::new(),
            may_report_too_much: false,
            has_rejected: false,
        };
        world.start();
        world
    }

    fn start(&mut self) {
        let config = SpoolConfig {
            directory: self.directory.path().to_owned(),
            maximum_bytes: self.maximum_bytes,
            segment_bytes: SEGMENT_BYTES,
        };
        self.store = Some(Store::open(config, &description()).unwrap());
        self.lanes.values_mut().for_each(|lane| lane.sent.clear());
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().unwrap()
    }

    fn new_batches(&mut self, lane: Lane, count: usize, bytes: usize) -> Vec<Envelope> {
        let source = self.source;
        let model = self.lanes.get_mut(&lane).unwrap();
        (0..count)
            .map(|_| {
                let batch = envelope(source, lane, model.next, 3, bytes);
                model.next += 3;
                batch
            })
            .collect()
    }

    fn perform(&mut self, act: &Act) {
        match act {
            Act::Append { lane, count, bytes } => {
                let batches = self.new_batches(LANES[*lane], *count, *bytes);
                self.may_report_too_much |= self.lanes.values().any(|lane| !lane.sent.is_empty());
                commit(self.store(), &batches);
                self.lanes.get_mut(&LANES[*lane]).unwrap().durable.extend(batches);
            }
            Act::Repeat { lane, count } => {
                let durable = &self.lanes[&LANES[*lane]].durable;
                let again = durable[durable.len().saturating_sub(*count)..].to_vec();
                if !again.is_empty() {
                    commit(self.store(), &again);
                }
            }
            Act::Take { count } => {
                let taken = self.store().take(u64::MAX, 0, u64::MAX, *count);
                self.note_sent(taken);
            }
            Act::Acknowledge { lane, but } => self.acknowledge(LANES[*lane], *but),
            Act::Reject { lane, which } => self.reject(LANES[*lane], *which),
            Act::Rewind => {
                self.store().rewind();
                self.lanes.values_mut().for_each(|lane| lane.sent.clear());
            }
            Act::Restart => {
                self.may_report_too_much |= self.has_rejected;
                self.store().save_cursor();
                self.store = None;
                self.start();
            }
            Act::Kill => {
                self.may_report_too_much = true;
                self.store = None;
                self.start();
            }
            Act::PowerCut { lane, kept } => self.power_cut(LANES[*lane], *kept),
        }
    }

    fn note_sent(&mut self, taken: Vec<Outgoing>) {
        for outgoing in taken {
            let batch: Envelope = outgoing.envelope.try_into().unwrap();
            if batch.source() == self.source {
                self.lanes.get_mut(&batch.lane()).unwrap().sent.push(batch);
            } else {
                // The publisher's own reports are delivered at once, and kept once as everything is.
                self.store().acknowledge(Lane::Alert, batch.source(), batch.last_sequence());
                if !self.seen_reports.insert((batch.source(), batch.first_sequence())) {
                    continue;
                }
                let reported = losses(std::slice::from_ref(&batch), self.source);
                self.reported += reported.iter().map(|loss| loss.count).sum::<u64>();
            }
        }
    }

    fn acknowledge(&mut self, lane: Lane, but: usize) {
        let model = self.lanes.get_mut(&lane).unwrap();
        let done = model.sent.len().saturating_sub(but);
        let Some(last) = model.sent[..done].last().map(Envelope::last_sequence) else { return };
        for batch in model.sent.drain(..done) {
            model.delivered.insert(batch.first_sequence());
        }
        let source = self.source;
        self.store().acknowledge(lane, source, last);
    }

    fn reject(&mut self, lane: Lane, which: prop::sample::Index) {
        let sent = &mut self.lanes.get_mut(&lane).unwrap().sent;
        if sent.is_empty() {
            return;
        }
        let batch = sent.remove(which.index(sent.len()));
        self.has_rejected = true;
        self.store().reject(lane, batch.source(), batch.first_sequence(), LossReason::Rejected);
    }

    fn power_cut(&mut self, lane: Lane, kept: prop::sample::Index) {
        self.may_report_too_much = true;
        let batches = self.new_batches(lane, 2, 100);
        let mut frames = Vec::new();
        for batch in &batches {
            frame::append(&mut frames, &batch.clone().into());
        }
        let queue = self.store().queue(lane);
        queue.stage(&frames, 6).unwrap();
        self.store = None;
        let directory = self.directory.path().join(lane.name());
        let newest = *segment::numbers(&directory).unwrap().last().unwrap();
        let path = segment::path(&directory, newest);
        let length = fs::metadata(&path).unwrap().len();
        let cut = kept.index(frames.len() + 1) as u64;
        segment::truncate(&directory, newest, length - cut).unwrap();
        self.start();
        // The collector got no answer and sends them again over its next connection.
        commit(self.store(), &batches);
        self.lanes.get_mut(&lane).unwrap().durable.extend(batches);
    }

    /// Takes everything and compares it with what must be there.
    fn check(&mut self) -> Result<(), TestCaseError> {
        self.store().rewind();
        self.lanes.values_mut().for_each(|lane| lane.sent.clear());
        loop {
            let taken = self.store().take(u64::MAX, 0, u64::MAX, 100);
            if taken.is_empty() {
                break;
            }
            self.note_sent(taken);
        }
        let mut missing = 0;
        for (lane, model) in &self.lanes {
            let present: Vec<u64> = model.sent.iter().map(Envelope::first_sequence).collect();
            let is_in_order = present.windows(2).all(|pair| pair[0] < pair[1]);
            prop_assert!(is_in_order, "the {lane} lane has {present:?}");
            let present: BTreeSet<u64> = present.into_iter().collect();
            for batch in &model.sent {
                prop_assert!(
                    model.durable.contains(batch),
                    "{lane} {} never came",
                    batch.first_sequence()
                );
            }
            let gone = model.durable.iter().map(Envelope::first_sequence);
            let gone =
                gone.filter(|first| !present.contains(first) && !model.delivered.contains(first));
            missing += 3 * gone.count() as u64;
        }
        if self.may_report_too_much {
            prop_assert!(
                missing <= self.reported,
                "{missing} records are missing, {} reported lost",
                self.reported
            );
        } else {
            prop_assert_eq!(
                missing,
                self.reported,
                "records are missing that no report tells of, or the reverse"
            );
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_reordered_while_there_is_room(acts in proptest::collection::vec(act(), 1..40)) {
        let mut world = World::new(1 << 30);
        for act in &acts {
            world.perform(act);
        }
        world.check()?;
        prop_assert_eq!(world.reported, 0);
    }

    #[test]
    fn over_the_bound_every_lost_record_is_reported(acts in proptest::collection::vec(act_or_rejection(), 1..60)) {
        let mut world = World::new(6 * SEGMENT_BYTES);
        for act in &acts {
            world.perform(act);
            world.store().keep_house();
            let bytes = world.store().bytes();
            prop_assert!(bytes <= world.maximum_bytes, "{bytes} bytes are held");
        }
        world.check()?;
    }
}
