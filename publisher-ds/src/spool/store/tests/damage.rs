//! Damaged files: what they cost, and that no more is lost.

use super::*;
use std::os::unix::fs::FileExt;

/// Flips a byte in the payload of the n-th batch of a lane's first segment.
fn damage(directory: &Path, lane: Lane, batch: &Envelope, n: u64) {
    damage_in(directory, lane, 1, batch, n);
}

/// Flips a byte in the payload of the n-th batch of a segment; all batches are as large as `batch`.
fn damage_in(directory: &Path, lane: Lane, number: u64, batch: &Envelope, n: u64) {
    let path = segment::path(&directory.join(lane.name()), number);
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

/// Fourteen batches of which five are settled, and unlike sizes, so that a place that is not moved lies within
/// a frame.
fn uneven_batches(source: SourceId) -> Vec<Envelope> {
    let size = |n: u64| if n == 1 { 300 } else { 200 };
    (0..14).map(|n| envelope(source, Lane::Telemetry, 1 + n * 10, 10, size(n))).collect()
}

/// A spool with [`uneven_batches`], of which five are handed out.
fn with_five_in_flight() -> (Scene, Vec<Envelope>) {
    let mut store = Scene::new(ROOMY);
    let sent = uneven_batches(store.source);
    commit(&mut store, &sent);
    assert_eq!(store.take(0, 1100, 0, u64::MAX, 5).len(), 5);
    (store, sent)
}

/// A spool with [`uneven_batches`], of which five are settled.
fn with_five_settled() -> (Scene, Vec<Envelope>) {
    let (mut store, sent) = with_five_in_flight();
    let source = store.source;
    store.acknowledge(0, Lane::Telemetry, source, 50);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(0), 90);
    (store, sent)
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
fn wherever_the_last_write_was_torn_all_before_it_is_there_and_no_loss_is_reported() {
    let frame =
        frame::frame_bytes(&batches(SourceId::generate(), Lane::Telemetry, 1)[0].clone().into());
    for cut in (0..frame).step_by(7) {
        let mut store = Scene::new(ROOMY);
        let source = store.source;
        let sent = batches(source, Lane::Telemetry, 3);
        commit(&mut store, &sent);
        let path = segment::path(&store.directory().join("telemetry"), 1);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(8 + 2 * frame + cut).unwrap();
        store.reopen();
        let handed_out = take_all(&mut store);
        assert_eq!(firsts(&handed_out, source, Lane::Telemetry), [1, 11], "cut at {cut}");
        assert!(losses(&handed_out, source).is_empty(), "cut at {cut}");
        // The torn batch was never acknowledged, so it comes again, and is kept.
        commit(&mut store, &sent[2..]);
        assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), [21], "cut at {cut}");
    }
}

/// A spool of which three batches are synced and three more were written when the power was cut, with a hole in the
/// first of those.
fn with_a_hole_in_what_was_not_synced() -> (Scene, Vec<Envelope>) {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    let sent = batches(source, Lane::Telemetry, 6);
    commit(&mut store, &sent[..3]);
    store.save_cursor();
    commit(&mut store, &sent[3..]);
    store.store = None;
    damage(store.directory(), Lane::Telemetry, &sent[0], 3);
    (store, sent)
}

#[test]
fn what_stands_whole_behind_a_hole_that_a_power_cut_left_is_cut_off_with_it() {
    let (mut store, sent) = with_a_hole_in_what_was_not_synced();
    let source = store.source;
    store.reopen();
    let handed_out = take_all(&mut store);
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry), [1, 11, 21]);
    assert!(losses(&handed_out, source).is_empty());
    assert_eq!(corrupt_files(store.directory(), Lane::Telemetry), 0);
    // None of the three was acknowledged, so they come again, and none may be taken for known.
    commit(&mut store, &sent[3..]);
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), [31, 41, 51]);
}

#[test]
fn damage_found_at_the_start_costs_only_the_damaged_batch_and_is_reported_once() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    let sent = batches(source, Lane::Entity, 20);
    commit(&mut store, &sent);
    take_all(&mut store);
    store.acknowledge(0, Lane::Entity, source, 10);
    store.save_cursor();
    damage(store.directory(), Lane::Entity, &sent[0], 3);
    for start in 0..3 {
        store.reopen();
        let handed_out = take_all(&mut store);
        let mut expected: Vec<u64> = (1..20).map(|n| 1 + n * 10).collect();
        expected.retain(|first| *first != 31);
        assert_eq!(firsts(&handed_out, source, Lane::Entity), expected, "start {start}");
        let lost = lost(&handed_out, source);
        let expected = BTreeMap::from([((Lane::Entity, LossReason::SpoolCorrupt), 10)]);
        assert_eq!(lost, expected, "start {start}");
        assert_eq!(corrupt_files(store.directory(), Lane::Entity), 1, "start {start}");
    }
}

#[test]
fn damage_found_while_running_costs_only_the_damaged_batch() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    let sent = batches(source, Lane::Telemetry, 20);
    commit(&mut store, &sent);
    store.take(0, 500, 0, u64::MAX, 1);
    damage(store.directory(), Lane::Telemetry, &sent[0], 3);
    let mut handed_out = take_all(&mut store);
    assert_eq!(handed_out.len(), 18);
    store.acknowledge(0, Lane::Telemetry, source, 200);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(0), 0);
    handed_out.extend(take_all(&mut store));
    let expected = BTreeMap::from([((Lane::Telemetry, LossReason::SpoolCorrupt), 10)]);
    assert_eq!(lost(&handed_out, source), expected);
    assert_eq!(corrupt_files(store.directory(), Lane::Telemetry), 1);
}

#[test]
fn damage_that_can_not_be_mended_counts_the_whole_segment_once() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    let sent = batches(source, Lane::Telemetry, 6);
    commit(&mut store, &sent);
    damage(store.directory(), Lane::Telemetry, &sent[0], 3);
    // No mended copy can be written there.
    let copy = segment::path(&store.directory().join("telemetry"), 1).with_extension("mended");
    fs::create_dir(copy).unwrap();
    let mut handed_out = take_all(&mut store);
    handed_out.extend(take_all(&mut store));
    let before = firsts(&handed_out, source, Lane::Telemetry);
    assert_eq!(before, [1, 11, 21], "what was read before the damage was found");
    let expected = BTreeMap::from([((Lane::Telemetry, LossReason::SpoolCorrupt), 60)]);
    assert_eq!(lost(&handed_out, source), expected);
}

#[test]
fn damage_found_while_running_among_settled_batches_costs_nothing_that_is_whole() {
    let (mut store, sent) = with_five_settled();
    let source = store.source;
    damage_uneven(store.directory(), &sent, 1);
    damage_uneven(store.directory(), &sent, 5);
    let handed_out = take_all(&mut store);
    let expected: Vec<u64> = (6..14).map(|n| 1 + n * 10).collect();
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry), expected);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(0), 80);
    store.rewind(0);
    let handed_out = take_all(&mut store);
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry), expected);
    store.acknowledge(0, Lane::Telemetry, source, 140);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(0), 0);
    let expected = BTreeMap::from([((Lane::Telemetry, LossReason::SpoolCorrupt), 10)]);
    assert_eq!(lost(&handed_out, source), expected);
}

#[test]
fn damage_found_while_running_among_batches_in_flight_leaves_the_others_in_flight() {
    let (mut store, sent) = with_five_in_flight();
    let source = store.source;
    damage_uneven(store.directory(), &sent, 1);
    damage_uneven(store.directory(), &sent, 5);
    take_all(&mut store);
    store.acknowledge(0, Lane::Telemetry, source, 30);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(0), 100);
    store.rewind(0);
    let expected: Vec<u64> = [3, 4].into_iter().chain(6..14).map(|n| 1 + n * 10).collect();
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), expected);
}

#[test]
fn damage_among_settled_batches_found_at_the_start_keeps_no_segment_for_ever() {
    let (mut store, sent) = with_five_settled();
    let source = store.source;
    store.save_cursor();
    damage_uneven(store.directory(), &sent, 1);
    store.reopen();
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(0), 90);
    let expected: Vec<u64> = (5..14).map(|n| 1 + n * 10).collect();
    let handed_out = take_all(&mut store);
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry), expected);
    assert_eq!(losses(&handed_out, source), [], "the backend has what was damaged");
    store.acknowledge(0, Lane::Telemetry, source, 140);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(0), 0);
    assert!(segment_files(store.directory(), Lane::Telemetry).is_empty());
}

#[test]
fn a_segment_overwritten_with_junk_is_set_aside_and_the_others_stay() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    commit(&mut store, &batches(source, Lane::Telemetry, 20));
    let path = segment::path(&store.directory().join("telemetry"), 1);
    fs::write(&path, "junk").unwrap();
    store.reopen();
    let handed_out = take_all(&mut store);
    let left = firsts(&handed_out, source, Lane::Telemetry);
    assert!(left.len() >= 10 && left.last() == Some(&191), "{left:?}");
    assert!(lost(&handed_out, source)[&(Lane::Telemetry, LossReason::SpoolCorrupt)] >= 1);
    assert_eq!(corrupt_files(store.directory(), Lane::Telemetry), 1);
}

#[test]
fn a_mend_cut_short_by_a_crash_is_finished_or_forgotten() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    commit(&mut store, &batches(source, Lane::Telemetry, 3));
    let path = segment::path(&store.directory().join("telemetry"), 1);
    // Between the two renames: the original is aside, the mended copy not yet in its place.
    fs::rename(&path, path.with_extension("mended")).unwrap();
    store.reopen();
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), [1, 11, 21]);
    // Before the first: the copy may be half written.
    fs::write(path.with_extension("mended"), "half").unwrap();
    store.reopen();
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), [1, 11, 21]);
    assert!(!path.with_extension("mended").exists());
}

#[test]
fn a_crash_between_a_mend_and_the_next_cursor_takes_nothing_for_settled_that_is_not() {
    for damaged in [1, 5] {
        let (mut store, sent) = with_five_settled();
        let source = store.source;
        store.save_cursor();
        damage_uneven(store.directory(), &sent, damaged);
        store.mend(0, Lane::Telemetry, &Damage { segment: 1, error: None });
        // Here the cursor would be saved.
        store.reopen();
        let left = firsts(&take_all(&mut store), source, Lane::Telemetry);
        let open = (5..14).filter(|n| *n != damaged).map(|n| 1 + n as u64 * 10);
        for first in open {
            assert!(left.contains(&first), "{first} was taken for settled; left are {left:?}");
        }
        assert!(left.is_sorted());
    }
}

#[test]
fn a_mend_for_which_no_cursor_can_be_written_does_without_one() {
    let (mut store, sent) = with_five_settled();
    let source = store.source;
    store.save_cursor();
    // Nothing can be written there any more.
    fs::create_dir(store.directory().join("cursor.new")).unwrap();
    damage_uneven(store.directory(), &sent, 1);
    damage_uneven(store.directory(), &sent, 5);
    let expected: Vec<u64> = (6..14).map(|n| 1 + n * 10).collect();
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), expected);
    store.reopen();
    let left = firsts(&take_all(&mut store), source, Lane::Telemetry);
    assert!(left.ends_with(&expected), "{left:?}");
}

#[test]
fn two_damaged_segments_of_a_lane_are_both_mended_at_the_start() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    let sent = batches(source, Lane::Telemetry, 20);
    commit(&mut store, &sent);
    for number in [1, 2] {
        damage_in(store.directory(), Lane::Telemetry, number, &sent[0], 3);
    }
    store.reopen();
    let handed_out = take_all(&mut store);
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry).len(), 18);
    assert_eq!(lost(&handed_out, source)[&(Lane::Telemetry, LossReason::SpoolCorrupt)], 20);
}

#[test]
fn a_damaged_beginning_of_the_last_segment_is_no_torn_write() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    commit(&mut store, &batches(source, Lane::Entity, 3));
    let path = segment::path(&store.directory().join("entity"), 1);
    let mut file = fs::read(&path).unwrap();
    file[..8].fill(0);
    fs::write(&path, file).unwrap();
    store.reopen();
    let handed_out = take_all(&mut store);
    assert_eq!(firsts(&handed_out, source, Lane::Entity), [1, 11, 21]);
    assert_eq!(losses(&handed_out, source), []);
    fs::write(&path, [0; 4096]).unwrap();
    store.reopen();
    let handed_out = take_all(&mut store);
    assert!(firsts(&handed_out, source, Lane::Entity).is_empty());
    assert!(lost(&handed_out, source)[&(Lane::Entity, LossReason::SpoolCorrupt)] >= 1);
}

#[test]
fn a_segment_that_the_disk_gives_no_more_is_given_up_and_what_was_not_delivered_of_it_counted() {
    type Strike = fn(&Path);
    let vanishes: Strike = |path| fs::remove_file(path).unwrap();
    let turns_into_a_directory: Strike = |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    };
    for (strike, files_aside) in [(vanishes, 0), (turns_into_a_directory, 1)] {
        let mut store = Scene::new(ROOMY);
        let source = store.source;
        commit(&mut store, &batches(source, Lane::Telemetry, 20));
        let of_first = 8;
        store.take(0, 2500, 0, u64::MAX, 5);
        store.acknowledge(0, Lane::Telemetry, source, 20);
        strike(&segment::path(&store.directory().join("telemetry"), 1));
        store.rewind(0);
        let mut handed_out = take_all(&mut store);
        handed_out.extend(take_all(&mut store));
        let expected: Vec<u64> = (of_first..20).map(|n| 1 + n * 10).collect();
        assert_eq!(firsts(&handed_out, source, Lane::Telemetry), expected);
        let expected =
            BTreeMap::from([((Lane::Telemetry, LossReason::SpoolCorrupt), (of_first - 2) * 10)]);
        assert_eq!(lost(&handed_out, source), expected);
        assert_eq!(corrupt_files(store.directory(), Lane::Telemetry), files_aside);
        store.acknowledge(0, Lane::Telemetry, source, 200);
        assert_eq!(store.lanes[Lane::Telemetry.index()].records(0), 0);
    }
}

#[test]
fn a_segment_that_a_mend_does_not_help_is_given_up_and_counted() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    commit(&mut store, &batches(source, Lane::Telemetry, 20));
    let of_first = 8;
    let damage = Damage { segment: 1, error: None };
    store.mend(0, Lane::Telemetry, &damage);
    store.mend(0, Lane::Telemetry, &damage);
    store.report_losses();
    let handed_out = take_all(&mut store);
    let left = firsts(&handed_out, source, Lane::Telemetry);
    assert_eq!(left.first(), Some(&(1 + of_first * 10)));
    let expected = BTreeMap::from([((Lane::Telemetry, LossReason::SpoolCorrupt), of_first * 10)]);
    assert_eq!(lost(&handed_out, source), expected);
}
