//! Each invariant of the spool, by example.

mod age;
mod damage;
mod delivery;
mod destinations;
mod room;

use super::*;
use crate::spool::{BACKEND, Outgoing, scan, segment};
use event_model::{Loss, Timestamp};
use proto::decode_batch;
use stand_ins::description;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub(crate) const ROOMY: u64 = 1 << 30;
pub(crate) const SEGMENT: u64 = 4 << 10;

pub(crate) fn config(directory: &Path, maximum_bytes: u64) -> SpoolConfig {
    SpoolConfig {
        directory: directory.to_owned(),
        maximum_bytes,
        segment_bytes: SEGMENT,
        maximum_age: Duration::ZERO,
        patience: Duration::ZERO,
    }
}

pub(crate) fn open(directory: &Path, maximum_bytes: u64) -> Store {
    let config = config(directory, maximum_bytes);
    Store::open(config, &description(), &[BACKEND.into()]).unwrap()
}

impl Store {
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.config.patience = patience;
    }

    /// Lets time pass that nobody waits for.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.lanes.iter_mut().for_each(|lane| lane.advance(by));
    }
}

/// An envelope that the spool can't tell from a real one: it does not look into payloads.
pub(crate) fn envelope(
    source: SourceId,
    lane: Lane,
    first: u64,
    count: u32,
    bytes: usize,
) -> Envelope {
    let payload = vec![u8::try_from(first % 251).unwrap(); bytes];
    let raw = wire::Envelope {
        source_id: source.0.as_bytes().to_vec(),
        lane: proto::lane_to_wire(lane).into(),
        first_sequence: first,
        count,
        encoding: wire::Encoding::Protobuf.into(),
        checksum: crc32fast::hash(&payload),
        payload: payload.into(),
    };
    raw.try_into().unwrap()
}

pub(crate) fn commit(store: &mut Store, envelopes: &[Envelope]) {
    let lane = envelopes[0].lane();
    let committed = store.commit(lane, envelopes);
    assert!(committed.failure.is_none(), "{:?}", committed.failure);
    assert_eq!(committed.settled, envelopes.len());
}

pub(crate) fn take_all(store: &mut Store) -> Vec<Envelope> {
    let all = store.take(0, u64::MAX, 0, u64::MAX, usize::MAX);
    all.into_iter().map(|outgoing| outgoing.envelope.try_into().unwrap()).collect()
}

/// First sequences of all that is handed out of one source's lane.
fn firsts(envelopes: &[Envelope], source: SourceId, lane: Lane) -> Vec<u64> {
    let of_it = envelopes.iter().filter(|it| it.source() == source && it.lane() == lane);
    of_it.map(Envelope::first_sequence).collect()
}

/// All reports of loss that are handed out.
pub(crate) fn losses(envelopes: &[Envelope], sender: SourceId) -> Vec<Loss> {
    let own = envelopes.iter().filter(|it| it.lane() == Lane::Alert && it.source() != sender);
    let mut losses = Vec::new();
    for envelope in own {
        for record in decode_batch(envelope).unwrap() {
            if let Record::Loss(loss) = record {
                losses.push(loss);
            }
        }
    }
    losses
}

fn lost(envelopes: &[Envelope], sender: SourceId) -> BTreeMap<(Lane, LossReason), u64> {
    let mut lost = BTreeMap::new();
    for loss in losses(envelopes, sender) {
        *lost.entry((loss.lane, loss.reason)).or_insert(0) += loss.count;
    }
    lost
}

/// Ten-record batches 1, 11, 21, … of one lane.
fn batches(source: SourceId, lane: Lane, count: u64) -> Vec<Envelope> {
    (0..count).map(|n| envelope(source, lane, 1 + n * 10, 10, 500)).collect()
}

fn segment_files(directory: &Path, lane: Lane) -> Vec<u64> {
    segment::numbers(&directory.join(lane.name())).unwrap()
}

/// A spool in a directory of its own, and the collector that fills it.
struct Scene {
    directory: tempfile::TempDir,
    maximum_bytes: u64,
    source: SourceId,
    store: Option<Store>,
}

impl Scene {
    fn new(maximum_bytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Some(open(directory.path(), maximum_bytes));
        Self { directory, maximum_bytes, source: SourceId::generate(), store }
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The program is killed, and starts again.
    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(open(self.directory.path(), self.maximum_bytes));
    }
}

impl std::ops::Deref for Scene {
    type Target = Store;

    fn deref(&self) -> &Store {
        self.store.as_ref().unwrap()
    }
}

impl std::ops::DerefMut for Scene {
    fn deref_mut(&mut self) -> &mut Store {
        self.store.as_mut().unwrap()
    }
}
