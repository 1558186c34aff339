//! What came is handed out until it is acknowledged: in order, once, across restarts.

use super::*;

#[test]
fn what_the_backend_has_not_acknowledged_is_handed_out_again_after_a_restart() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    commit(&mut store, &batches(source, Lane::Telemetry, 30));
    assert_eq!(take_all(&mut store).len(), 30);
    store.acknowledge(0, Lane::Telemetry, source, 120);
    store.save_cursor();
    store.reopen();
    let handed_out = take_all(&mut store);
    let expected: Vec<u64> = (12..30).map(|n| 1 + n * 10).collect();
    assert_eq!(firsts(&handed_out, source, Lane::Telemetry), expected);
    assert!(losses(&handed_out, source).is_empty());
}

#[test]
fn without_its_cursor_the_spool_hands_out_too_much_rather_than_too_little() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    commit(&mut store, &batches(source, Lane::Telemetry, 3));
    take_all(&mut store);
    store.acknowledge(0, Lane::Telemetry, source, 10);
    store.reopen();
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Telemetry), [1, 11, 21]);
}

#[test]
fn acknowledged_segments_are_deleted() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    commit(&mut store, &batches(source, Lane::Entity, 50));
    let before = segment_files(store.directory(), Lane::Entity).len();
    assert!(before > 4, "there is only one segment to delete");
    take_all(&mut store);
    store.acknowledge(0, Lane::Entity, source, 490);
    assert_eq!(segment_files(store.directory(), Lane::Entity).len(), 1);
    assert_eq!(store.lanes[Lane::Entity.index()].records(0), 10);
    store.acknowledge(0, Lane::Entity, source, 500);
    assert_eq!(store.lanes[Lane::Entity.index()].records(0), 0);
}

#[test]
fn a_batch_that_comes_again_is_kept_once_also_after_a_restart() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    let sent = batches(source, Lane::Alert, 3);
    commit(&mut store, &[sent[0].clone(), sent[1].clone(), sent[1].clone()]);
    commit(&mut store, &sent);
    store.reopen();
    commit(&mut store, &sent);
    assert_eq!(firsts(&take_all(&mut store), source, Lane::Alert), [1, 11, 21]);
}

#[test]
fn what_was_delivered_and_deleted_is_still_known_after_a_restart() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    let sent = batches(source, Lane::Alert, 3);
    commit(&mut store, &sent);
    take_all(&mut store);
    store.acknowledge(0, Lane::Alert, source, 30);
    store.save_cursor();
    store.reopen();
    commit(&mut store, &sent);
    assert!(take_all(&mut store).is_empty());
}

#[test]
fn acknowledgements_of_two_sources_do_not_mix() {
    let (one, two) = (SourceId::generate(), SourceId::generate());
    let mut store = Scene::new(ROOMY);
    for (first, second) in batches(one, Lane::Entity, 3).iter().zip(&batches(two, Lane::Entity, 3))
    {
        commit(&mut store, &[first.clone(), second.clone()]);
    }
    take_all(&mut store);
    store.acknowledge(0, Lane::Entity, one, 30);
    store.rewind(0);
    let handed_out = take_all(&mut store);
    assert_eq!(firsts(&handed_out, two, Lane::Entity), [1, 11, 21]);
    store.acknowledge(0, Lane::Entity, two, 30);
    store.acknowledge(0, Lane::Entity, one, 30);
    assert_eq!(store.lanes[Lane::Entity.index()].records(0), 0);
}

#[test]
fn lanes_are_handed_out_in_order_of_worth_and_credit_is_kept_for_alerts() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    for lane in [Lane::Telemetry, Lane::Entity, Lane::Alert] {
        commit(&mut store, &batches(source, lane, 2));
    }
    let lanes = |outgoing: Vec<Outgoing>| -> Vec<i32> {
        outgoing.into_iter().map(|it| it.envelope.lane).collect()
    };
    assert!(store.take(0, 499, 0, u64::MAX, 99).is_empty(), "no credit, no envelope");
    assert_eq!(
        lanes(store.take(0, 1500, 600, u64::MAX, 99)),
        [1, 1],
        "the rest is kept for alerts"
    );
    assert_eq!(lanes(store.take(0, u64::MAX, 600, u64::MAX, 3)), [2, 2, 4]);
    assert_eq!(lanes(store.take(0, u64::MAX, 600, u64::MAX, 3)), [4]);
}

#[test]
fn an_envelope_larger_than_the_backend_takes_stops_nothing_behind_it() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    let sent = [
        envelope(source, Lane::Entity, 1, 10, 1200),
        envelope(source, Lane::Entity, 11, 10, 500),
        envelope(source, Lane::Telemetry, 1, 10, 500),
    ];
    commit(&mut store, &sent[..2]);
    commit(&mut store, &sent[2..]);
    let mut taken = || store.take(0, 1100, 100, 600, 99);
    let (first, second) = (taken(), taken());
    let sequences = |taken: &[Outgoing]| -> Vec<(i32, u64)> {
        taken.iter().map(|it| (it.envelope.lane, it.envelope.first_sequence)).collect()
    };
    assert_eq!(sequences(&first), [(2, 1)], "the large one comes alone, to be rejected");
    assert_eq!(sequences(&second), [(2, 11), (4, 1)], "those behind it come next");
}

#[test]
fn what_the_backend_rejects_is_dropped_counted_and_reported() {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    commit(&mut store, &batches(source, Lane::Entity, 3));
    take_all(&mut store);
    store.reject(0, Lane::Entity, source, 11, LossReason::Rejected);
    store.reject(0, Lane::Entity, source, 11, LossReason::Rejected);
    store.acknowledge(0, Lane::Entity, source, 30);
    assert_eq!(store.lanes[Lane::Entity.index()].records(0), 0);
    let handed_out = take_all(&mut store);
    let expected = BTreeMap::from([((Lane::Entity, LossReason::Rejected), 10)]);
    assert_eq!(lost(&handed_out, source), expected);
}

#[test]
fn a_second_publisher_is_kept_out() {
    let directory = tempfile::tempdir().unwrap();
    let _first = open(directory.path(), ROOMY);
    let config = config(directory.path(), ROOMY);
    let error = Store::open(config, &description(), &[BACKEND.into()])
        .err()
        .expect("it opened")
        .to_string();
    assert!(error.contains("in use by another publisher"), "{error}");
}

#[test]
fn what_was_rejected_is_counted_once_although_the_connection_broke_before_all_before_it_was_settled()
 {
    let mut store = Scene::new(ROOMY);
    let source = store.source;
    let sizes = [500, 1200, 500, 1200, 500];
    let sent = sizes.into_iter().zip(0..);
    let sent: Vec<_> =
        sent.map(|(bytes, n)| envelope(source, Lane::Entity, 1 + n * 10, 10, bytes)).collect();
    commit(&mut store, &sent);
    let mut handed_out = Vec::new();
    for _connection in 0..3 {
        loop {
            let taken = store.take(0, u64::MAX, 0, 600, 99);
            let Some(last) = taken.last() else { break };
            if last.payload_bytes() > 600 {
                let first = last.envelope.first_sequence;
                store.reject(0, Lane::Entity, source, first, LossReason::TooLarge);
            }
            handed_out.extend(taken);
        }
        store.rewind(0);
    }
    let envelopes = handed_out.into_iter().map(|it| it.envelope.try_into().unwrap());
    let envelopes: Vec<Envelope> = envelopes.collect();
    let firsts = firsts(&envelopes, source, Lane::Entity);
    assert_eq!(firsts, [1, 11, 21, 31, 41, 1, 21, 41, 1, 21, 41]);
    let mut reports: Vec<Envelope> =
        envelopes.into_iter().filter(|it| it.source() != source).collect();
    reports.sort_by_key(Envelope::first_sequence);
    reports.dedup();
    let expected = BTreeMap::from([((Lane::Entity, LossReason::TooLarge), 20)]);
    assert_eq!(lost(&reports, source), expected);
    assert_eq!(take_all(&mut store).len(), 3 + reports.len());
    store.acknowledge(0, Lane::Entity, source, 50);
    assert_eq!(store.lanes[Lane::Entity.index()].records(0), 0);
}

#[test]
fn what_was_acknowledged_behind_what_was_not_is_not_sent_again_over_the_next_connection() {
    let mut store = Scene::new(ROOMY);
    let (one, two) = (store.source, SourceId::generate());
    commit(&mut store, &[batches(one, Lane::Entity, 1), batches(two, Lane::Entity, 2)].concat());
    take_all(&mut store);
    store.acknowledge(0, Lane::Entity, two, 10);
    store.rewind(0);
    let handed_out = take_all(&mut store);
    assert_eq!(firsts(&handed_out, one, Lane::Entity), [1]);
    assert_eq!(firsts(&handed_out, two, Lane::Entity), [11]);
    store.acknowledge(0, Lane::Entity, one, 10);
    assert_eq!(store.lanes[Lane::Entity.index()].records(0), 10);
    store.acknowledge(0, Lane::Entity, two, 20);
    assert_eq!(store.lanes[Lane::Entity.index()].records(0), 0);
}

#[test]
fn reports_alone_make_no_file_without_end() {
    let mut store = Scene::new(ROOMY);
    let loss = Loss {
        lane: Lane::Telemetry,
        kind: "any".into(),
        reason: LossReason::SpoolFull,
        count: 1,
        since: Timestamp(1),
        until: Timestamp(2),
    };
    for _ in 0..200 {
        store.report(&[Record::Loss(loss.clone())]).unwrap();
        for report in take_all(&mut store) {
            store.acknowledge(0, Lane::Alert, report.source(), report.last_sequence());
        }
        let bytes = store.bytes();
        assert!(bytes <= SEGMENT, "{bytes} bytes are kept of what the backend has");
    }
}
