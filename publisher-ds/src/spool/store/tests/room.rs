//! Over the bound: what is dropped, and that it is counted.

use super::*;

#[test]
fn over_the_bound_the_least_worthy_lane_loses_its_oldest_segment_first() {
    let bound = 40_000;
    let mut store = Scene::new(bound);
    let source = store.source;
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
    let mut store = Scene::new(20_000);
    let source = store.source;
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
    let mut store = Scene::new(40_000);
    let source = store.source;
    let sent = batches(source, Lane::Telemetry, 200);
    commit(&mut store, &sent[..50]);
    store.take(0, 1000, 0, u64::MAX, 2);
    sent[50..].iter().for_each(|batch| commit(&mut store, std::slice::from_ref(batch)));
    store.acknowledge(0, Lane::Telemetry, source, 20);
    let handed_out = take_all(&mut store);
    let left = firsts(&handed_out, source, Lane::Telemetry).len() as u64;
    let expected = (200 - 2 - left) * 10;
    assert_eq!(lost(&handed_out, source)[&(Lane::Telemetry, LossReason::SpoolFull)], expected);
}

#[test]
fn of_a_dropped_segment_only_what_was_not_delivered_counts_as_lost() {
    let mut store = Scene::new(40_000);
    let source = store.source;
    let sent = batches(source, Lane::Telemetry, 200);
    commit(&mut store, &sent[..5]);
    take_all(&mut store);
    store.acknowledge(0, Lane::Telemetry, source, 20);
    store.rewind(0);
    sent[5..].iter().for_each(|batch| commit(&mut store, std::slice::from_ref(batch)));
    let handed_out = take_all(&mut store);
    let left = firsts(&handed_out, source, Lane::Telemetry).len() as u64;
    let expected = (200 - 2 - left) * 10;
    assert_eq!(lost(&handed_out, source)[&(Lane::Telemetry, LossReason::SpoolFull)], expected);
}

#[test]
fn reports_of_loss_survive_a_flood_of_alerts_that_drops_their_segment() {
    let mut store = Scene::new(40_000);
    let source = store.source;
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
fn of_a_dropped_segment_nothing_counts_twice_that_was_rejected_over_an_earlier_connection() {
    let mut store = Scene::new(40_000);
    let source = store.source;
    let sent = batches(source, Lane::Telemetry, 200);
    commit(&mut store, &sent[..5]);
    take_all(&mut store);
    store.reject(0, Lane::Telemetry, source, 21, LossReason::Rejected);
    store.rewind(0);
    sent[5..].iter().for_each(|batch| commit(&mut store, std::slice::from_ref(batch)));
    let handed_out = take_all(&mut store);
    let left = firsts(&handed_out, source, Lane::Telemetry).len() as u64;
    let lost = lost(&handed_out, source);
    assert_eq!(lost[&(Lane::Telemetry, LossReason::Rejected)], 10);
    assert_eq!(lost[&(Lane::Telemetry, LossReason::SpoolFull)], (200 - 1 - left) * 10);
}

#[test]
fn reports_of_loss_do_not_grow_the_spool_beyond_its_bound() {
    let mut store = Scene::new(20_000);
    let source = store.source;
    commit(&mut store, &batches(source, Lane::Entity, 35));
    for batch in batches(source, Lane::Telemetry, 300) {
        commit(&mut store, &[batch]);
        store.keep_house();
        assert!(store.bytes() <= 20_000, "{} bytes are held", store.bytes());
    }
    let handed_out = take_all(&mut store);
    let left = |lane| firsts(&handed_out, source, lane).len() as u64;
    let lost = lost(&handed_out, source);
    assert_eq!(lost[&(Lane::Telemetry, LossReason::SpoolFull)], (300 - left(Lane::Telemetry)) * 10);
    let lost_entities = lost.get(&(Lane::Entity, LossReason::SpoolFull)).copied().unwrap_or(0);
    assert_eq!(lost_entities, (35 - left(Lane::Entity)) * 10);
}
