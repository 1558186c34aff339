//! Several destinations, each at its own pace over the same segments.

use super::*;
use crate::spool::Subscription;

const SIEM: &str = "siem";

fn open_for(directory: &Path, maximum_bytes: u64, destinations: &[&str]) -> Store {
    let config = config(directory, maximum_bytes);
    let destinations: Vec<Subscription> = destinations.iter().map(|name| (*name).into()).collect();
    Store::open(config, &description(), &destinations).unwrap()
}

/// Sequences of the telemetry that is handed out to a destination now.
fn taken_by(store: &mut Store, to: usize, source: SourceId) -> Vec<u64> {
    firsts(&take_all_of(store, to), source, Lane::Telemetry)
}

/// Each with a sync of its own, so that segments are closed in between.
fn commit_each(store: &mut Store, envelopes: &[Envelope]) {
    for envelope in envelopes {
        commit(store, std::slice::from_ref(envelope));
    }
}

fn take_all_of(store: &mut Store, to: usize) -> Vec<Envelope> {
    let all = store.take(to, u64::MAX, 0, u64::MAX, usize::MAX);
    all.into_iter().map(|outgoing| outgoing.envelope.try_into().unwrap()).collect()
}

#[test]
fn each_destination_gets_everything_at_its_own_pace() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_for(directory.path(), ROOMY, &[BACKEND, SIEM]);
    let source = SourceId::generate();
    commit(&mut store, &batches(source, Lane::Telemetry, 4));
    assert_eq!(taken_by(&mut store, 0, source), [1, 11, 21, 31]);
    store.acknowledge(0, Lane::Telemetry, source, 40);
    let first = store.take(1, 1000, 0, u64::MAX, 99);
    assert_eq!(first.len(), 2, "the other has a credit of its own");
    store.acknowledge(1, Lane::Telemetry, source, 10);
    store.rewind(1);
    assert_eq!(taken_by(&mut store, 0, source), [0; 0], "it has all of it");
    assert_eq!(taken_by(&mut store, 1, source), [11, 21, 31]);
    let left = |store: &Store, to| store.lanes[Lane::Telemetry.index()].records(to);
    assert_eq!((left(&store, 0), left(&store, 1)), (0, 30));
}

#[test]
fn a_segment_stays_until_the_slowest_destination_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_for(directory.path(), ROOMY, &[BACKEND, SIEM]);
    let source = SourceId::generate();
    commit_each(&mut store, &batches(source, Lane::Telemetry, 20));
    let files = || segment_files(directory.path(), Lane::Telemetry).len();
    let before = files();
    assert!(before > 2, "{before} segments");
    take_all_of(&mut store, 0);
    store.acknowledge(0, Lane::Telemetry, source, 200);
    assert_eq!(files(), before);
    take_all_of(&mut store, 1);
    store.acknowledge(1, Lane::Telemetry, source, 200);
    assert!(files() <= 1, "{} segments", files());
}

#[test]
fn each_destination_continues_where_it_stood_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_for(directory.path(), ROOMY, &[BACKEND, SIEM]);
    let source = SourceId::generate();
    commit(&mut store, &batches(source, Lane::Telemetry, 4));
    take_all_of(&mut store, 0);
    store.acknowledge(0, Lane::Telemetry, source, 30);
    take_all_of(&mut store, 1);
    store.acknowledge(1, Lane::Telemetry, source, 10);
    store.save_cursor();
    drop(store);
    // In another order: the name tells, not the place.
    let mut store = open_for(directory.path(), ROOMY, &[SIEM, BACKEND]);
    assert_eq!(taken_by(&mut store, 0, source), [11, 21, 31]);
    assert_eq!(taken_by(&mut store, 1, source), [31]);
}

#[test]
fn a_new_destination_begins_at_the_oldest_that_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_for(directory.path(), ROOMY, &[BACKEND]);
    let source = SourceId::generate();
    commit(&mut store, &batches(source, Lane::Telemetry, 4));
    take_all_of(&mut store, 0);
    store.acknowledge(0, Lane::Telemetry, source, 20);
    store.save_cursor();
    drop(store);
    let mut store = open_for(directory.path(), ROOMY, &[BACKEND, SIEM]);
    assert_eq!(taken_by(&mut store, 1, source), [1, 11, 21, 31]);
    assert_eq!(taken_by(&mut store, 0, source), [21, 31]);
}

#[test]
fn a_destination_that_is_configured_no_more_holds_nothing_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_for(directory.path(), ROOMY, &[BACKEND, SIEM]);
    let source = SourceId::generate();
    commit_each(&mut store, &batches(source, Lane::Telemetry, 20));
    take_all_of(&mut store, 0);
    store.acknowledge(0, Lane::Telemetry, source, 200);
    store.save_cursor();
    drop(store);
    drop(open_for(directory.path(), ROOMY, &[BACKEND]));
    assert_eq!(segment_files(directory.path(), Lane::Telemetry), [0; 0]);
}

#[test]
fn the_number_of_a_segment_that_only_a_removed_destination_tells_of_is_not_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut store = open_for(directory.path(), ROOMY, &[BACKEND, SIEM]);
    let sent = batches(source, Lane::Telemetry, 20);
    commit_each(&mut store, &sent[..10]);
    take_all_of(&mut store, 1);
    store.acknowledge(1, Lane::Telemetry, source, 100);
    store.save_cursor();
    take_all_of(&mut store, 0);
    store.acknowledge(0, Lane::Telemetry, source, 100);
    let used = *segment_files(directory.path(), Lane::Telemetry).last().unwrap();
    // Killed: the cursor tells of the other's place only.
    drop(store);
    let mut store = open_for(directory.path(), ROOMY, &[BACKEND]);
    commit_each(&mut store, &sent[10..]);
    let begun = segment_files(directory.path(), Lane::Telemetry);
    assert!(begun.iter().skip(1).all(|number| *number > used), "{begun:?} after {used}");
}

#[test]
fn what_another_destination_loses_is_counted_by_its_name_and_is_no_report_of_loss() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_for(directory.path(), 40_000, &[BACKEND, SIEM]);
    let source = SourceId::generate();
    let mut delivered = Vec::new();
    for batch in batches(source, Lane::Telemetry, 200) {
        commit(&mut store, std::slice::from_ref(&batch));
        delivered.extend(take_all_of(&mut store, 0));
        store.acknowledge(0, Lane::Telemetry, source, batch.last_sequence());
    }
    assert_eq!(firsts(&delivered, source, Lane::Telemetry).len(), 200);
    assert_eq!(losses(&delivered, source), [], "the backend has everything");
    // Killed: the counts are as durable as the loss.
    drop(store);
    let mut store = open_for(directory.path(), 40_000, &[BACKEND, SIEM]);
    let left = taken_by(&mut store, 1, source).len() as u64;
    assert!(left > 0 && left < 100, "{left} batches are left");
    let lost = store.destinations()[1].lost[Lane::Telemetry.index()];
    assert_eq!(lost, (200 - left) * 10, "records that the other will never get");
    assert_eq!(store.destinations()[0].lost, [0; Lane::ALL.len()]);
}

#[test]
fn damage_costs_a_destination_only_what_it_had_not_got() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_for(directory.path(), ROOMY, &[BACKEND, SIEM]);
    let source = SourceId::generate();
    let sent = batches(source, Lane::Telemetry, 6);
    commit(&mut store, &sent);
    take_all_of(&mut store, 0);
    store.acknowledge(0, Lane::Telemetry, source, 30);
    let path = segment::path(&directory.path().join("telemetry"), 1);
    let mut file = fs::read(&path).unwrap();
    let frame = usize::try_from(frame::frame_bytes(&sent[0].clone().into())).unwrap();
    for damaged in [1, 4] {
        file[scan::MAGIC.len() + damaged * frame + frame / 2] ^= 0xff;
    }
    fs::write(&path, file).unwrap();
    store.rewind(0);
    assert_eq!(taken_by(&mut store, 1, source), [1, 21, 31, 51]);
    let handed_out = take_all_of(&mut store, 0);
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry), [31, 51]);
    let of = |to: usize| store.destinations()[to].lost[Lane::Telemetry.index()];
    assert_eq!((of(0), of(1)), (10, 20));
    assert_eq!(lost(&handed_out, source)[&(Lane::Telemetry, LossReason::SpoolCorrupt)], 10);
}

#[test]
fn a_rejection_is_the_loss_of_the_destination_that_rejects_alone() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_for(directory.path(), ROOMY, &[BACKEND, SIEM]);
    let source = SourceId::generate();
    commit(&mut store, &batches(source, Lane::Telemetry, 3));
    take_all_of(&mut store, 1);
    store.reject(1, Lane::Telemetry, source, 11, LossReason::Rejected);
    let handed_out = take_all_of(&mut store, 0);
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry), [1, 11, 21]);
    assert_eq!(losses(&handed_out, source), []);
    assert_eq!(store.destinations()[1].lost[Lane::Telemetry.index()], 10);
}

#[test]
fn of_a_lane_that_a_destination_does_not_ask_for_it_holds_nothing_back_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let open = |lanes: &[Lane]| {
        let siem = Subscription { name: SIEM.into(), lanes: lanes.to_vec() };
        let config = config(directory.path(), ROOMY);
        Store::open(config, &description(), &[BACKEND.into(), siem]).unwrap()
    };
    let mut store = open(&[Lane::Alert]);
    let source = SourceId::generate();
    commit_each(&mut store, &batches(source, Lane::Telemetry, 20));
    commit_each(&mut store, &batches(source, Lane::Alert, 2));
    let telemetry = || segment_files(directory.path(), Lane::Telemetry).len();
    assert!(telemetry() > 2);
    assert_eq!(store.lanes[Lane::Telemetry.index()].records(1), 0);
    let losses = store.lanes[Lane::Telemetry.index()].losses_of(1);
    assert!(losses[0] > 0 && losses[1] == 0, "{losses:?}");
    take_all_of(&mut store, 0);
    store.acknowledge(0, Lane::Telemetry, source, 200);
    assert!(telemetry() <= 1, "what is away holds back what it never asked for");
    assert_eq!(firsts(&take_all_of(&mut store, 1), source, Lane::Alert), [1, 11]);
    store.save_cursor();
    drop(store);
    // It asks for it from now on: for what is still kept, too.
    let mut store = open(&Lane::ALL);
    commit(&mut store, &batches(source, Lane::Telemetry, 21)[20..]);
    let taken = taken_by(&mut store, 1, source);
    assert!(taken.ends_with(&[191, 201]) && taken.len() < 10, "{taken:?}");
}

#[test]
fn a_spool_for_nobody_and_two_destinations_of_one_name_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), ROOMY);
    for (names, expected) in
        [(vec![], "nothing to keep"), (vec![SIEM.into(), SIEM.into()], "the same name")]
    {
        let refused = Store::open(config.clone(), &description(), &names).err();
        let refused = refused.expect("it opened").to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}
