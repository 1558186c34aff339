//! Random operations, restarts and crashes, against a model that a reader can check in a minute.

use super::tests::{commit, envelope, losses};
use super::*;
use crate::spool::{BACKEND, Outgoing, segment};
use proptest::prelude::*;
use stand_ins::description;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const SEGMENT_BYTES: u64 = 2 << 10;
const LANES: [Lane; 2] = [Lane::Alert, Lane::Telemetry];

/// The first, which reports of loss are addressed to, and another.
const DESTINATIONS: usize = 2;

const MAXIMUM_AGE: Duration = Duration::from_hours(24);

#[derive(Clone, Debug)]
enum Act {
    /// New batches of a lane come, `count` of them.
    Append { lane: usize, count: usize, bytes: usize },
    /// The last batches of a lane come again.
    Repeat { lane: usize, count: usize },
    /// Up to `count` envelopes are sent to a destination.
    Take { to: usize, count: usize },
    /// A destination acknowledges what it got of a lane, but for the last `but` batches.
    Acknowledge { to: usize, lane: usize, but: usize },
    /// A destination will never take one of those that it got of a lane.
    Reject { to: usize, lane: usize, which: prop::sample::Index },
    /// The connection to a destination breaks.
    Rewind { to: usize },
    /// Half of the time passes after which things are too old.
    Age,
    /// The program ends in order.
    Restart,
    /// The program is killed.
    Kill,
    /// The machine loses power while batches are written: the unsynced bytes are on disk up to any one of them, and
    /// some of those are not what was written.
    PowerCut { lane: usize, kept: prop::sample::Index, holes: Vec<prop::sample::Index> },
}

fn act() -> impl Strategy<Value = Act> {
    let lane = || 0..LANES.len();
    let to = || 0..DESTINATIONS;
    let holes = || proptest::collection::vec(any::<prop::sample::Index>(), 0..3);
    prop_oneof![
        6 => (lane(), 1..5_usize, 1..900_usize).prop_map(|(lane, count, bytes)| Act::Append { lane, count, bytes }),
        2 => (lane(), 1..6_usize).prop_map(|(lane, count)| Act::Repeat { lane, count }),
        4 => (to(), 1..12_usize).prop_map(|(to, count)| Act::Take { to, count }),
        4 => (to(), lane(), 0..4_usize).prop_map(|(to, lane, but)| Act::Acknowledge { to, lane, but }),
        1 => to().prop_map(|to| Act::Rewind { to }),
        1 => Just(Act::Restart),
        1 => Just(Act::Kill),
        1 => (lane(), any::<prop::sample::Index>(), holes()).prop_map(|(lane, kept, holes)| Act::PowerCut { lane, kept, holes }),
    ]
}

fn act_that_may_lose() -> impl Strategy<Value = Act> {
    let rejection = (0..DESTINATIONS, 0..LANES.len(), any::<prop::sample::Index>());
    prop_oneof![
        16 => act(),
        2 => rejection.prop_map(|(to, lane, which)| Act::Reject { to, lane, which }),
        1 => Just(Act::Age),
    ]
}

/// What the world knows of one lane.
#[derive(Default)]
struct LaneModel {
    /// All batches that were acknowledged to the collector, in their order.
    durable: Vec<Envelope>,
    next: u64,
    got: [Got; DESTINATIONS],
}

/// What a destination has of a lane.
#[derive(Default)]
struct Got {
    /// First sequences that it acknowledged.
    delivered: BTreeSet<u64>,
    /// Sent over the present connection.
    sent: Vec<Envelope>,
}

/// In memory where there is such a place: what syncs cost is not what is tested here.
fn quick_directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

struct World {
    directory: tempfile::TempDir,
    maximum_bytes: u64,
    maximum_age: Duration,
    store: Option<Store>,
    source: SourceId,
    lanes: BTreeMap<Lane, LaneModel>,
    /// Reported lost to the first destination.
    reported: u64,
    seen_reports: BTreeSet<(SourceId, u64)>,
    /// More may be reported lost than is missing: after a kill, batches that the backend acknowledged may come
    /// back and be dropped; after any restart, those that it rejected behind others may; and what is dropped in
    /// flight may arrive all the same.
    may_report_too_much: bool,
    has_rejected: bool,
}

impl World {
    fn new(maximum_bytes: u64, maximum_age: Duration) -> Self {
        let mut world = Self {
            directory: quick_directory(),
            maximum_bytes,
            maximum_age,
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
            maximum_age: self.maximum_age,
            patience: Duration::ZERO,
        };
        let destinations = [BACKEND.into(), "siem".into()];
        self.store = Some(Store::open(config, &description(), &destinations).unwrap());
        (0..DESTINATIONS).for_each(|to| self.forget_sent(to));
    }

    /// A connection is gone, and what it carried is to be sent again.
    fn forget_sent(&mut self, to: usize) {
        self.lanes.values_mut().for_each(|lane| lane.got[to].sent.clear());
    }

    fn is_sending(&self) -> bool {
        self.lanes.values().any(|lane| lane.got.iter().any(|got| !got.sent.is_empty()))
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
                self.may_report_too_much |= self.is_sending();
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
            Act::Take { to, count } => {
                let taken = self.store().take(*to, u64::MAX, 0, u64::MAX, *count);
                self.note_sent(*to, taken);
            }
            Act::Acknowledge { to, lane, but } => self.acknowledge(*to, LANES[*lane], *but),
            Act::Reject { to, lane, which } => self.reject(*to, LANES[*lane], *which),
            Act::Rewind { to } => {
                self.store().rewind(*to);
                self.forget_sent(*to);
            }
            Act::Age => {
                self.may_report_too_much |= self.is_sending();
                self.store().advance(MAXIMUM_AGE / 2 + Duration::from_secs(1));
                self.store().keep_house();
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
            Act::PowerCut { lane, kept, holes } => self.power_cut(LANES[*lane], *kept, holes),
        }
    }

    fn note_sent(&mut self, to: usize, taken: Vec<Outgoing>) {
        for outgoing in taken {
            let batch: Envelope = outgoing.envelope.try_into().unwrap();
            if batch.source() == self.source {
                self.lanes.get_mut(&batch.lane()).unwrap().got[to].sent.push(batch);
            } else {
                // The publisher's own reports are delivered at once, and kept once as everything is.
                self.store().acknowledge(to, Lane::Alert, batch.source(), batch.last_sequence());
                if to > 0 || !self.seen_reports.insert((batch.source(), batch.first_sequence())) {
                    continue;
                }
                let reported = losses(std::slice::from_ref(&batch), self.source);
                self.reported += reported.iter().map(|loss| loss.count).sum::<u64>();
            }
        }
    }

    fn acknowledge(&mut self, to: usize, lane: Lane, but: usize) {
        let got = &mut self.lanes.get_mut(&lane).unwrap().got[to];
        let done = got.sent.len().saturating_sub(but);
        let Some(last) = got.sent[..done].last().map(Envelope::last_sequence) else { return };
        for batch in got.sent.drain(..done) {
            got.delivered.insert(batch.first_sequence());
        }
        let source = self.source;
        self.store().acknowledge(to, lane, source, last);
    }

    fn reject(&mut self, to: usize, lane: Lane, which: prop::sample::Index) {
        let sent = &mut self.lanes.get_mut(&lane).unwrap().got[to].sent;
        if sent.is_empty() {
            return;
        }
        let batch = sent.remove(which.index(sent.len()));
        self.has_rejected = true;
        let first = batch.first_sequence();
        self.store().reject(to, lane, batch.source(), first, LossReason::Rejected);
    }

    fn power_cut(&mut self, lane: Lane, kept: prop::sample::Index, holes: &[prop::sample::Index]) {
        self.may_report_too_much = true;
        let batches = self.new_batches(lane, 4, 100);
        let mut frames = Vec::new();
        for batch in &batches {
            frame::append(&mut frames, &batch.clone().into());
        }
        let queue = self.store().queue(lane);
        queue.stage(&frames, 12).unwrap();
        self.store = None;
        let directory = self.directory.path().join(lane.name());
        let newest = *segment::numbers(&directory).unwrap().last().unwrap();
        let path = segment::path(&directory, newest);
        let mut file = fs::read(&path).unwrap();
        let synced = file.len() - frames.len();
        file.truncate(synced + kept.index(frames.len() + 1));
        if file.len() > synced {
            for hole in holes {
                let unsynced = file.len() - synced;
                file[synced + hole.index(unsynced)] ^= 0x55;
            }
        }
        fs::write(&path, file).unwrap();
        self.start();
        // The collector got no answer and sends them again over its next connection.
        commit(self.store(), &batches);
        self.lanes.get_mut(&lane).unwrap().durable.extend(batches);
    }

    /// Takes everything and compares it with what must be there.
    fn check(&mut self) -> Result<(), TestCaseError> {
        for to in 0..DESTINATIONS {
            self.take_all(to);
            let missing = self.missing(to)?;
            if to == 0 {
                self.compare("all lanes", missing.values().sum(), self.reported)?;
                continue;
            }
            let lost = self.store().destinations()[to].lost;
            let (alerts, telemetry) = (missing[&Lane::Alert], missing[&Lane::Telemetry]);
            self.compare("telemetry", telemetry, lost[Lane::Telemetry.index()])?;
            // Reports that travel in the alert lane may be lost to it, too.
            prop_assert!(alerts <= lost[Lane::Alert.index()], "{alerts} alerts are missing");
        }
        Ok(())
    }

    fn take_all(&mut self, to: usize) {
        self.store().rewind(to);
        self.forget_sent(to);
        loop {
            let taken = self.store().take(to, u64::MAX, 0, u64::MAX, 100);
            if taken.is_empty() {
                return;
            }
            self.note_sent(to, taken);
        }
    }

    /// Records that a destination neither has nor is sent, by lane.
    fn missing(&self, to: usize) -> Result<BTreeMap<Lane, u64>, TestCaseError> {
        let mut missing = BTreeMap::new();
        for (lane, model) in &self.lanes {
            let got = &model.got[to];
            let present: Vec<u64> = got.sent.iter().map(Envelope::first_sequence).collect();
            let is_in_order = present.windows(2).all(|pair| pair[0] < pair[1]);
            prop_assert!(is_in_order, "the {lane} lane has {present:?}");
            let present: BTreeSet<u64> = present.into_iter().collect();
            for batch in &got.sent {
                let first = batch.first_sequence();
                prop_assert!(model.durable.contains(batch), "{lane} {first} never came");
            }
            let gone = model.durable.iter().map(Envelope::first_sequence);
            let gone =
                gone.filter(|first| !present.contains(first) && !got.delivered.contains(first));
            missing.insert(*lane, 3 * gone.count() as u64);
        }
        Ok(missing)
    }

    fn compare(&self, what: &str, missing: u64, reported: u64) -> Result<(), TestCaseError> {
        let is_good =
            if self.may_report_too_much { missing <= reported } else { missing == reported };
        prop_assert!(is_good, "{what}: {missing} records are missing, {reported} reported lost");
        Ok(())
    }
}

/// Frames of the telemetry lane: in which file, from where to where, and which batch.
fn frames_of(directory: &std::path::Path) -> Vec<(u64, std::ops::Range<u64>, u64)> {
    let directory = directory.join("telemetry");
    let mut frames = Vec::new();
    for number in segment::numbers(&directory).unwrap() {
        let file = fs::read(segment::path(&directory, number)).unwrap().into();
        let found = crate::spool::scan::scan(&file).frames;
        frames.extend(found.iter().map(|it| (number, it.start..it.end, it.first_sequence)));
    }
    frames
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_reordered_while_there_is_room(acts in proptest::collection::vec(act(), 1..40)) {
        let mut world = World::new(1 << 30, Duration::ZERO);
        for act in &acts {
            world.perform(act);
        }
        world.check()?;
        prop_assert_eq!(world.reported, 0);
        let lost = world.store().destinations()[1].lost;
        prop_assert_eq!(lost, [0; Lane::ALL.len()]);
    }

    #[test]
    fn over_the_bound_and_with_age_every_lost_record_is_reported(acts in proptest::collection::vec(act_that_may_lose(), 1..60)) {
        let mut world = World::new(6 * SEGMENT_BYTES, MAXIMUM_AGE);
        for act in &acts {
            world.perform(act);
            world.store().keep_house();
            let bytes = world.store().bytes();
            prop_assert!(bytes <= world.maximum_bytes, "{bytes} bytes are held");
        }
        world.check()?;
    }

    #[test]
    fn damaged_bytes_cost_the_frames_that_they_are_in_and_no_other(
        taken in (0..20_u64, 0..20_u64),
        bytes in proptest::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 1..8),
    ) {
        let mut world = World::new(1 << 30, Duration::ZERO);
        for size in [50, 300, 700, 20] {
            world.perform(&Act::Append { lane: 1, count: 5, bytes: size });
        }
        for (to, taken) in [taken.0, taken.1].into_iter().enumerate() {
            world.take_all(to);
            let but = usize::try_from(20 - taken).unwrap();
            world.perform(&Act::Acknowledge { to, lane: 1, but });
        }
        world.store().save_cursor();
        world.store = None;
        let frames = frames_of(world.directory.path());
        prop_assume!(!frames.is_empty());
        let mut hit = BTreeSet::new();
        for (which, place) in bytes {
            let (number, range, first) = &frames[which.index(frames.len())];
            let path = segment::path(&world.directory.path().join("telemetry"), *number);
            let mut file = fs::read(&path).unwrap();
            let length = usize::try_from(range.end - range.start).unwrap();
            file[usize::try_from(range.start).unwrap() + place.index(length)] = 0xa5;
            fs::write(&path, file).unwrap();
            hit.insert(*first);
        }
        let whole: BTreeSet<u64> = frames_of(world.directory.path()).iter().map(|it| it.2).collect();
        // A byte that happened to be what it was set to did no damage.
        hit.retain(|first| !whole.contains(first));
        for _start in 0..2 {
            world.start();
            for to in 0..DESTINATIONS {
                world.take_all(to);
                let got = &world.lanes[&Lane::Telemetry].got[to];
                let present: Vec<u64> = got.sent.iter().map(Envelope::first_sequence).collect();
                let all = (0..20).map(|n| 1 + 3 * n);
                let is_expected = |first: &u64| !hit.contains(first) && !got.delivered.contains(first);
                prop_assert_eq!(present, all.filter(is_expected).collect::<Vec<_>>());
                let open = hit.iter().filter(|first| !got.delivered.contains(first)).count() as u64;
                let lost = world.store().destinations()[to].lost[Lane::Telemetry.index()];
                prop_assert!(lost <= 3 * open && (lost > 0) == (open > 0), "{lost} lost of {open} damaged");
            }
            world.store = None;
        }
    }
}
