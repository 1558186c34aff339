//! Each invariant of the spool, by example.

use super::*;
use crate::spool::{scan, segment};
use event_model::{Component, Loss};
use proto::decode_batch;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use uuid::Uuid;

pub(super) const ROOMY: u64 = 1 << 30;
pub(super) const SEGMENT: u64 = 4 << 10;

pub(super) fn description() -> SourceDescription {
    SourceDescription {
        id: SourceId::generate(),
        component: Component::PublisherDs,
        version: "0.0.0".into(),
        node: "node-1".into(),
        boot_id: Uuid::nil(),
    }
}

pub(super) fn open(directory: &Path, maximum_bytes: u64) -> Store {
    let config =
        SpoolConfig { directory: directory.to_owned(), maximum_bytes, segment_bytes: SEGMENT };
    Store::open(config, &description()).unwrap()
}

/// An envelope that the spool can't tell from a real one: it does not look into payloads.
pub(super) fn envelope(
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

pub(super) fn commit(store: &mut Store, envelopes: &[Envelope]) {
    let lane = envelopes[0].lane();
    let committed = store.commit(lane, envelopes);
    assert!(committed.failure.is_none(), "{:?}", committed.failure);
    assert_eq!(committed.settled, envelopes.len());
}

pub(super) fn take_all(store: &mut Store) -> Vec<Envelope> {
    let all = store.take(u64::MAX, 0, u64::MAX, usize::MAX);
    all.into_iter().map(|outgoing| outgoing.envelope.try_into().unwrap()).collect()
}

/// First sequences of all that is handed out of one source's lane.
fn firsts(envelopes: &[Envelope], source: SourceId, lane: Lane) -> Vec<u64> {
    let of_it = envelopes.iter().filter(|it| it.source() == source && it.lane() == lane);
    of_it.map(Envelope::first_sequence).collect()
}

/// All reports of loss that are handed out.
pub(super) fn losses(envelopes: &[Envelope], sender: SourceId) -> Vec<Loss> {
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

#[test]
fn what_the_backend_has_not_acknowledged_is_handed_out_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &batches(source, Lane::Telemetry, 30));
    assert_eq!(take_all(&mut store).len(), 30);
    store.acknowledge(Lane::Telemetry, source, 120);
    store.save_cursor();
    drop(store);
    let mut store = open(directory.path(), ROOMY);
    let handed_out = take_all(&mut store);
    let expected: Vec<u64> = (12..30).map(|n| 1 + n * 10).collect();
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry), expected);
    assert!(losses(&handed_out, source).is_empty());
}

#[test]
fn without_its_cursor_the_spool_hands_out_too_much_rather_than_too_little() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &batches(source, Lane::Telemetry, 3));
    take_all(&mut store);
    store.acknowledge(Lane::Telemetry, source, 10);
    drop(store);
    let mut store = open(directory.path(), ROOMY);
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), [1, 11, 21]);
}

#[test]
fn acknowledged_segments_are_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &batches(source, Lane::Entity, 50));
    let before = segment_files(directory.path(), Lane::Entity).len();
    assert!(before > 4, "there is only one segment to delete");
    take_all(&mut store);
    store.acknowledge(Lane::Entity, source, 490);
    assert_eq!(segment_files(directory.path(), Lane::Entity).len(), 1);
    assert_eq!(store.lanes[Lane::Entity.index()].records(), 10);
    store.acknowledge(Lane::Entity, source, 500);
    assert_eq!(store.lanes[Lane::Entity.index()].records(), 0);
}

#[test]
fn a_batch_that_comes_again_is_kept_once_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let sent = batches(source, Lane::Alert, 3);
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &[sent[0].clone(), sent[1].clone(), sent[1].clone()]);
    commit(&mut store, &sent);
    drop(store);
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &sent);
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Alert), [1, 11, 21]);
}

#[test]
fn what_was_delivered_and_deleted_is_still_known_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let sent = batches(source, Lane::Alert, 3);
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &sent);
    take_all(&mut store);
    store.acknowledge(Lane::Alert, source, 30);
    store.save_cursor();
    drop(store);
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &sent);
    assert!(take_all(&mut store).is_empty());
}

#[test]
fn acknowledgements_of_two_sources_do_not_mix() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (SourceId::generate(), SourceId::generate());
    let mut store = open(directory.path(), ROOMY);
    for (first, second) in batches(one, Lane::Entity, 3).iter().zip(&batches(two, Lane::Entity, 3))
    {
        commit(&mut store, &[first.clone(), second.clone()]);
    }
    take_all(&mut store);
    store.acknowledge(Lane::Entity, one, 30);
    store.rewind();
    let handed_out = take_all(&mut store);
    assert_eq!(firsts(&handed_out, two, Lane::Entity), [1, 11, 21]);
    store.acknowledge(Lane::Entity, two, 30);
    store.acknowledge(Lane::Entity, one, 30);
    assert_eq!(store.lanes[Lane::Entity.index()].records(), 0);
}

#[test]
fn lanes_are_handed_out_in_order_of_worth_and_credit_is_kept_for_alerts() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), ROOMY);
    for lane in [Lane::Telemetry, Lane::Entity, Lane::Alert] {
        commit(&mut store, &batches(source, lane, 2));
    }
    let lanes = |outgoing: Vec<Outgoing>| -> Vec<i32> {
        outgoing.into_iter().map(|it| it.envelope.lane).collect()
    };
    assert!(store.take(499, 0, u64::MAX, 99).is_empty(), "no credit, no envelope");
    assert_eq!(lanes(store.take(1500, 600, u64::MAX, 99)), [1, 1], "the rest is kept for alerts");
    assert_eq!(lanes(store.take(u64::MAX, 600, u64::MAX, 3)), [2, 2, 4]);
    assert_eq!(lanes(store.take(u64::MAX, 600, u64::MAX, 3)), [4]);
}

#[test]
fn an_envelope_larger_than_the_backend_takes_stops_nothing_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), ROOMY);
    let sent = [
        envelope(source, Lane::Entity, 1, 10, 1200),
        envelope(source, Lane::Entity, 11, 10, 500),
        envelope(source, Lane::Telemetry, 1, 10, 500),
    ];
    commit(&mut store, &sent[..2]);
    commit(&mut store, &sent[2..]);
    let mut taken = || store.take(1100, 100, 600, 99);
    let (first, second) = (taken(), taken());
    let sequences = |taken: &[Outgoing]| -> Vec<(i32, u64)> {
        taken.iter().map(|it| (it.envelope.lane, it.envelope.first_sequence)).collect()
    };
    assert_eq!(sequences(&first), [(2, 1)], "the large one comes alone, to be rejected");
    assert_eq!(sequences(&second), [(2, 11), (4, 1)], "those behind it come next");
}

#[test]
fn over_the_bound_the_least_worthy_lane_loses_its_oldest_segment_first() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let bound = 40_000;
    let mut store = open(directory.path(), bound);
    commit(&mut store, &batches(source, Lane::Alert, 10));
    commit(&mut store, &batches(source, Lane::Entity, 10));
    for batch in batches(source, Lane::Telemetry, 200) {
        commit(&mut store, &[batch]);
        assert!(store.bytes() <= bound + 1000, "{} bytes are held", store.bytes());
    }
    let handed_out = take_all(&mut store);
    let left = firsts(&handed_out, source, Lane::Telemetry);
    assert_eq!(firsts(&handed_out, source, Lane::Alert).len(), 10);
    assert_eq!(firsts(&handed_out, source, Lane::Entity).len(), 10);
    assert_eq!(left.last(), Some(&1991), "the newest stays");
    assert!(left.is_sorted() && left.len() < 60, "{left:?}");
    let expected = (200 - left.len() as u64) * 10;
    assert_eq!(
        lost(&handed_out, source),
        BTreeMap::from([((Lane::Telemetry, LossReason::SpoolFull), expected)])
    );
}

#[test]
fn a_less_worthy_envelope_never_costs_a_worthier_one() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), 20_000);
    commit(&mut store, &batches(source, Lane::Alert, 33));
    commit(&mut store, &batches(source, Lane::Telemetry, 50));
    let handed_out = take_all(&mut store);
    assert_eq!(firsts(&handed_out, source, Lane::Alert).len(), 33);
    let left = firsts(&handed_out, source, Lane::Telemetry).len() as u64;
    let lost = lost(&handed_out, source);
    assert_eq!(lost[&(Lane::Telemetry, LossReason::SpoolFull)], (50 - left) * 10);
    assert_eq!(lost.len(), 1, "{lost:?}");
}

#[test]
fn what_is_in_flight_is_spared_while_there_is_something_else_to_drop() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), 40_000);
    let sent = batches(source, Lane::Telemetry, 200);
    commit(&mut store, &sent[..50]);
    store.take(1000, 0, u64::MAX, 2);
    sent[50..].iter().for_each(|batch| commit(&mut store, std::slice::from_ref(batch)));
    store.acknowledge(Lane::Telemetry, source, 20);
    let handed_out = take_all(&mut store);
    let left = firsts(&handed_out, source, Lane::Telemetry).len() as u64;
    let expected = (200 - 2 - left) * 10;
    assert_eq!(lost(&handed_out, source)[&(Lane::Telemetry, LossReason::SpoolFull)], expected);
}

#[test]
fn what_the_backend_rejects_is_dropped_counted_and_reported() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &batches(source, Lane::Entity, 3));
    take_all(&mut store);
    store.reject(Lane::Entity, source, 11, LossReason::Rejected);
    store.reject(Lane::Entity, source, 11, LossReason::Rejected);
    store.acknowledge(Lane::Entity, source, 30);
    assert_eq!(store.lanes[Lane::Entity.index()].records(), 0);
    let handed_out = take_all(&mut store);
    let expected = BTreeMap::from([((Lane::Entity, LossReason::Rejected), 10)]);
    assert_eq!(lost(&handed_out, source), expected);
}

#[test]
fn wherever_the_last_write_was_torn_all_before_it_is_there_and_no_loss_is_reported() {
    let source = SourceId::generate();
    let sent = batches(source, Lane::Telemetry, 3);
    let frame = frame::frame_bytes(&sent[0].clone().into());
    for cut in (0..frame).step_by(7) {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path(), ROOMY);
        commit(&mut store, &sent);
        drop(store);
        let path = segment::path(&directory.path().join("telemetry"), 1);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(8 + 2 * frame + cut).unwrap();
        let mut store = open(directory.path(), ROOMY);
        let handed_out = take_all(&mut store);
        assert_eq!(firsts(&handed_out, source, Lane::Telemetry), [1, 11], "cut at {cut}");
        assert!(losses(&handed_out, source).is_empty(), "cut at {cut}");
        // The torn batch was never acknowledged, so it comes again, and is kept.
        commit(&mut store, &sent[2..]);
        assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), [21], "cut at {cut}");
    }
}

/// Flips a byte in the payload of the n-th batch of a lane's first segment.
fn damage(directory: &Path, lane: Lane, batch: &Envelope, n: u64) {
    let path = segment::path(&directory.join(lane.name()), 1);
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let frame = frame::frame_bytes(&batch.clone().into());
    let place = scan::MAGIC.len() as u64 + n * frame + frame / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[!byte[0]], place).unwrap();
}

fn corrupt_files(directory: &Path, lane: Lane) -> usize {
    let entries = fs::read_dir(directory.join(lane.name())).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".corrupt")).count()
}

#[test]
fn damage_found_at_the_start_costs_only_the_damaged_batch_and_is_reported_once() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let sent = batches(source, Lane::Entity, 20);
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &sent);
    take_all(&mut store);
    store.acknowledge(Lane::Entity, source, 10);
    store.save_cursor();
    drop(store);
    damage(directory.path(), Lane::Entity, &sent[0], 3);
    for start in 0..3 {
        let mut store = open(directory.path(), ROOMY);
        let handed_out = take_all(&mut store);
        let mut expected: Vec<u64> = (1..20).map(|n| 1 + n * 10).collect();
        expected.retain(|first| *first != 31);
        assert_eq!(firsts(&handed_out, source, Lane::Entity), expected, "start {start}");
        let lost = lost(&handed_out, source);
        let expected = BTreeMap::from([((Lane::Entity, LossReason::SpoolCorrupt), 10)]);
        assert_eq!(lost, expected, "start {start}");
        assert_eq!(corrupt_files(directory.path(), Lane::Entity), 1, "start {start}");
    }
}

#[test]
fn damage_found_while_running_costs_only_the_damaged_batch() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let sent = batches(source, Lane::Telemetry, 20);
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &sent);
    store.take(500, 0, u64::MAX, 1);
    damage(directory.path(), Lane::Telemetry, &sent[0], 3);
    let mut handed_out = take_all(&mut store);
    assert_eq!(handed_out.len(), 18);
    store.acknowledge(Lane::Telemetry, source, 200);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(), 0);
    handed_out.extend(take_all(&mut store));
    let expected = BTreeMap::from([((Lane::Telemetry, LossReason::SpoolCorrupt), 10)]);
    assert_eq!(lost(&handed_out, source), expected);
    assert_eq!(corrupt_files(directory.path(), Lane::Telemetry), 1);
}

/// Fourteen batches of which five are settled, and unlike sizes, so that a place that is not moved lies within
/// a frame.
fn uneven_batches(source: SourceId) -> Vec<Envelope> {
    let size = |n: u64| if n == 1 { 300 } else { 200 };
    (0..14).map(|n| envelope(source, Lane::Telemetry, 1 + n * 10, 10, size(n))).collect()
}

/// Flips a byte in the payload of the n-th of unlike batches of a lane's first segment.
fn damage_uneven(directory: &Path, sent: &[Envelope], n: usize) {
    let path = segment::path(&directory.join("telemetry"), 1);
    let mut file = fs::read(&path).unwrap();
    let frames = sent[..=n].iter().map(|batch| frame::frame_bytes(&batch.clone().into()));
    let end = scan::MAGIC.len() + usize::try_from(frames.sum::<u64>()).unwrap();
    file[end - 20] ^= 0xff;
    fs::write(path, file).unwrap();
}

#[test]
fn damage_found_while_running_among_settled_batches_costs_nothing_that_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let sent = uneven_batches(source);
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &sent);
    store.take(1100, 0, u64::MAX, 5);
    store.acknowledge(Lane::Telemetry, source, 50);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(), 90);
    damage_uneven(directory.path(), &sent, 1);
    damage_uneven(directory.path(), &sent, 5);
    let handed_out = take_all(&mut store);
    let expected: Vec<u64> = (6..14).map(|n| 1 + n * 10).collect();
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry), expected);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(), 80);
    store.rewind();
    let handed_out = take_all(&mut store);
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry), expected);
    store.acknowledge(Lane::Telemetry, source, 140);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(), 0);
    let expected = BTreeMap::from([((Lane::Telemetry, LossReason::SpoolCorrupt), 10)]);
    assert_eq!(lost(&handed_out, source), expected);
}

#[test]
fn damage_found_while_running_among_batches_in_flight_leaves_the_others_in_flight() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let sent = uneven_batches(source);
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &sent);
    store.take(1100, 0, u64::MAX, 5);
    damage_uneven(directory.path(), &sent, 1);
    damage_uneven(directory.path(), &sent, 5);
    take_all(&mut store);
    store.acknowledge(Lane::Telemetry, source, 30);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(), 100);
    store.rewind();
    let expected: Vec<u64> = [3, 4].into_iter().chain(6..14).map(|n| 1 + n * 10).collect();
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), expected);
}

#[test]
fn damage_among_settled_batches_found_at_the_start_keeps_no_segment_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let sent = uneven_batches(source);
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &sent);
    store.take(1100, 0, u64::MAX, 5);
    store.acknowledge(Lane::Telemetry, source, 50);
    store.save_cursor();
    drop(store);
    damage_uneven(directory.path(), &sent, 1);
    let mut store = open(directory.path(), ROOMY);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(), 90);
    let expected: Vec<u64> = (5..14).map(|n| 1 + n * 10).collect();
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), expected);
    store.acknowledge(Lane::Telemetry, source, 140);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(), 0);
    assert!(segment_files(directory.path(), Lane::Telemetry).is_empty());
}

#[test]
fn a_segment_overwritten_with_junk_is_set_aside_and_the_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &batches(source, Lane::Telemetry, 20));
    drop(store);
    let path = segment::path(&directory.path().join("telemetry"), 1);
    fs::write(&path, "junk").unwrap();
    let mut store = open(directory.path(), ROOMY);
    let handed_out = take_all(&mut store);
    let left = firsts(&handed_out, source, Lane::Telemetry);
    assert!(left.len() >= 10 && left.last() == Some(&191), "{left:?}");
    assert!(lost(&handed_out, source)[&(Lane::Telemetry, LossReason::SpoolCorrupt)] >= 1);
    assert_eq!(corrupt_files(directory.path(), Lane::Telemetry), 1);
}

#[test]
fn a_mend_cut_short_by_a_crash_is_finished_or_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), ROOMY);
    commit(&mut store, &batches(source, Lane::Telemetry, 3));
    drop(store);
    let path = segment::path(&directory.path().join("telemetry"), 1);
    // Between the two renames: the original is aside, the mended copy not yet in its place.
    fs::rename(&path, path.with_extension("mended")).unwrap();
    let mut store = open(directory.path(), ROOMY);
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), [1, 11, 21]);
    drop(store);
    // Before the first: the copy may be half written.
    fs::write(path.with_extension("mended"), "half").unwrap();
    let mut store = open(directory.path(), ROOMY);
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), [1, 11, 21]);
    assert!(!path.with_extension("mended").exists());
}

#[test]
fn a_second_publisher_is_kept_out() {
    let directory = tempfile::tempdir().unwrap();
    let _first = open(directory.path(), ROOMY);
    let config = SpoolConfig {
        directory: directory.path().to_owned(),
        maximum_bytes: ROOMY,
        segment_bytes: SEGMENT,
    };
    let error = Store::open(config, &description()).err().expect("it opened").to_string();
    assert!(error.contains("in use by another publisher"), "{error}");
}

#[test]
fn reports_of_loss_survive_a_flood_of_alerts_that_drops_their_segment() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), 40_000);
    for batch in batches(source, Lane::Telemetry, 100) {
        commit(&mut store, &[batch]);
    }
    for batch in batches(source, Lane::Alert, 300) {
        commit(&mut store, &[batch]);
    }
    let handed_out = take_all(&mut store);
    let lost = lost(&handed_out, source);
    let left = |lane| firsts(&handed_out, source, lane).len() as u64;
    assert_eq!(left(Lane::Telemetry), 0, "alerts should have taken the room of telemetry");
    assert_eq!(lost[&(Lane::Telemetry, LossReason::SpoolFull)], 1000);
    assert_eq!(lost[&(Lane::Alert, LossReason::SpoolFull)], (300 - left(Lane::Alert)) * 10);
}

#[test]
fn of_a_dropped_segment_only_what_was_not_delivered_counts_as_lost() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open(directory.path(), 40_000);
    let sent = batches(source, Lane::Telemetry, 200);
    commit(&mut store, &sent[..5]);
    take_all(&mut store);
    store.acknowledge(Lane::Telemetry, source, 20);
    store.rewind();
    sent[5..].iter().for_each(|batch| commit(&mut store, std::slice::from_ref(batch)));
    let handed_out = take_all(&mut store);
    let left = firsts(&handed_out, source, Lane::Telemetry).len() as u64;
    let expected = (200 - 2 - left) * 10;
    assert_eq!(lost(&handed_out, source)[&(Lane::Telemetry, LossReason::SpoolFull)], expected);
}
