//! What is too old is dropped, and what makes nothing old.

use super::*;

const MAXIMUM: Duration = Duration::from_hours(24);

fn open_with_age(directory: &Path) -> Store {
    let config = SpoolConfig { maximum_age: MAXIMUM, ..config(directory, ROOMY) };
    Store::open(config, &description(), &[BACKEND.into()]).unwrap()
}

fn left(store: &mut Store, source: SourceId, lane: Lane) -> Vec<u64> {
    store.rewind(0);
    firsts(&take_all(store), source, lane)
}

#[test]
fn what_no_destination_took_in_time_is_dropped_counted_and_reported() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with_age(directory.path());
    let source = SourceId::generate();
    let sent = batches(source, Lane::Telemetry, 4);
    commit(&mut store, &sent[..2]);
    store.advance(MAXIMUM / 2);
    store.keep_house();
    commit(&mut store, &sent[2..]);
    store.advance(MAXIMUM / 2 + Duration::from_secs(1));
    store.keep_house();
    let handed_out = take_all(&mut store);
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry), [21, 31]);
    let expected = BTreeMap::from([((Lane::Telemetry, LossReason::SpoolExpired), 20)]);
    assert_eq!(lost(&handed_out, source), expected);
}

#[test]
fn a_lane_in_which_little_comes_keeps_nothing_for_much_longer_than_it_may() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with_age(directory.path());
    let source = SourceId::generate();
    // All of it would lie in one segment, and the newest keep the oldest alive.
    for batch in batches(source, Lane::Entity, 6) {
        commit(&mut store, &[batch]);
        store.advance(MAXIMUM / 4);
        store.keep_house();
    }
    assert_eq!(left(&mut store, source, Lane::Entity), [31, 41, 51]);
}

#[test]
fn alerts_are_never_too_old() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with_age(directory.path());
    let source = SourceId::generate();
    commit(&mut store, &batches(source, Lane::Alert, 2));
    store.advance(100 * MAXIMUM);
    store.keep_house();
    assert_eq!(left(&mut store, source, Lane::Alert), [1, 11]);
}

#[test]
fn age_goes_on_over_restarts_and_the_time_between_them_makes_nothing_old() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with_age(directory.path());
    let source = SourceId::generate();
    commit(&mut store, &batches(source, Lane::Telemetry, 2));
    store.advance(MAXIMUM * 3 / 4);
    store.save_cursor();
    drop(store);
    // Whatever the wall clock reads: files of 1970 are as young as they were.
    for path in segment_files(directory.path(), Lane::Telemetry) {
        let path = segment::path(&directory.path().join("telemetry"), path);
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    let mut store = open_with_age(directory.path());
    store.keep_house();
    assert_eq!(left(&mut store, source, Lane::Telemetry), [1, 11]);
    store.advance(MAXIMUM / 2);
    store.keep_house();
    assert_eq!(left(&mut store, source, Lane::Telemetry), [0; 0]);
}
