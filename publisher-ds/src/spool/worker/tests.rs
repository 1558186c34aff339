use super::waiting::MOST_WAITING_BYTES;
use super::*;
use crate::spool::store::tests::{ROOMY, envelope, losses, open, take_all};
use std::path::Path;
use std::sync::mpsc::channel;

/// A worker that a test drives by hand.
fn worker(directory: &Path, maximum_bytes: u64) -> Worker {
    let shared = Shared {
        spooled: Arc::new([Arc::default()]),
        state: watch::Sender::new(SpoolState::default()),
        sources: Arc::default(),
    };
    let (_, commands) = channel();
    Worker::new(open(directory, maximum_bytes), commands, shared)
}

fn append(worker: &mut Worker, envelope: Envelope) -> oneshot::Receiver<()> {
    let (done, is_done) = oneshot::channel();
    worker.obey(Command::Append { envelope, done });
    worker.commit_all();
    worker.keep_house(false);
    is_done
}

/// Batches of ten records, with a payload of 500 bytes.
fn batch(source: SourceId, lane: Lane, number: u64) -> Envelope {
    envelope(source, lane, 1 + number * 10, 10, 500)
}

#[test]
fn a_spool_full_of_worthier_lanes_reports_what_it_drops_once_a_tick_and_counts_it_to_the_record() {
    let directory = tempfile::tempdir().unwrap();
    let (source, bound) = (SourceId::generate(), 20_000);
    let mut worker = worker(directory.path(), bound);
    for number in 0..35 {
        assert_eq!(append(&mut worker, batch(source, Lane::Alert, number)).try_recv(), Ok(()));
    }
    let begun = Instant::now();
    let telemetry = (0..200).map(|number| batch(source, Lane::Telemetry, number));
    let mut waiting: Vec<_> = telemetry.map(|batch| append(&mut worker, batch)).collect();
    while !waiting.is_empty() {
        assert!(begun.elapsed() < 30 * TICK, "{} batches are never answered", waiting.len());
        std::thread::sleep(TICK / 20);
        worker.commit_all();
        worker.keep_house(false);
        assert!(worker.store.bytes() <= bound, "{} bytes are held", worker.store.bytes());
        waiting.retain_mut(|is_done| is_done.try_recv().is_err());
    }
    let ticks = begun.elapsed().as_millis() / TICK.as_millis() + 1;
    let handed_out = take_all(&mut worker.store);
    let reports = handed_out.iter().filter(|it| it.lane() == Lane::Alert && it.source() != source);
    let reports = reports.count();
    assert!((1..=2 * ticks as usize).contains(&reports), "{reports} reports in {ticks} ticks");
    for (lane, sent) in [(Lane::Alert, 350), (Lane::Telemetry, 2000)] {
        let of_lane = handed_out.iter().filter(|it| it.lane() == lane && it.source() == source);
        let left: u64 = of_lane.map(|it| u64::from(it.count())).sum();
        let lost = losses(&handed_out, source).into_iter().filter(|loss| loss.lane == lane);
        assert_eq!(left + lost.map(|loss| loss.count).sum::<u64>(), sent, "in the {lane} lane");
    }
}

/// A worker whose spool is full of telemetry that a destination may take.
fn full_worker(directory: &Path, source: SourceId, patience: Duration) -> (Worker, u64) {
    let mut worker = worker(directory, 20_000);
    worker.store.set_patience(patience);
    let mut count = 0;
    loop {
        let next = batch(source, Lane::Telemetry, count);
        if worker.store.fitting(Lane::Telemetry, std::slice::from_ref(&next)) == 0 {
            break;
        }
        assert_eq!(append(&mut worker, next).try_recv(), Ok(()));
        count += 1;
    }
    (worker, count)
}

#[test]
fn while_a_destination_takes_what_there_is_collectors_wait_and_nothing_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let (mut worker, count) = full_worker(directory.path(), source, 1000 * TICK);
    assert_eq!(worker.store.take(0, u64::MAX, 0, u64::MAX, 99).len() as u64, count);
    worker.store.acknowledge(0, Lane::Telemetry, source, 10);
    let mut waits = append(&mut worker, batch(source, Lane::Telemetry, count));
    assert!(waits.try_recv().is_err(), "it was answered though there is no room");
    // A segment's worth is taken, and there is room.
    worker.store.acknowledge(0, Lane::Telemetry, source, 80);
    worker.waiting[Lane::Telemetry.index()].retry_at = None;
    worker.commit_all();
    assert_eq!(waits.try_recv(), Ok(()));
    assert_eq!(worker.store.destinations()[0].lost, [0; Lane::ALL.len()]);
}

#[test]
fn patience_ends_and_the_oldest_is_dropped_and_reported() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let (mut worker, count) = full_worker(directory.path(), source, Duration::ZERO);
    worker.store.take(0, u64::MAX, 0, u64::MAX, 1);
    worker.store.acknowledge(0, Lane::Telemetry, source, 10);
    assert_eq!(append(&mut worker, batch(source, Lane::Telemetry, count)).try_recv(), Ok(()));
    assert!(worker.store.destinations()[0].lost[Lane::Telemetry.index()] > 0);
}

#[test]
fn where_nothing_drains_nobody_waits() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let (mut worker, count) = full_worker(directory.path(), source, 1000 * TICK);
    assert_eq!(append(&mut worker, batch(source, Lane::Telemetry, count)).try_recv(), Ok(()));
    assert!(worker.store.destinations()[0].lost[Lane::Telemetry.index()] > 0);
}

#[test]
fn alerts_wait_for_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let (mut worker, _) = full_worker(directory.path(), source, 1000 * TICK);
    worker.store.take(0, u64::MAX, 0, u64::MAX, 1);
    worker.store.acknowledge(0, Lane::Telemetry, source, 10);
    assert_eq!(append(&mut worker, batch(source, Lane::Alert, 0)).try_recv(), Ok(()));
}

/// As if a full disk had not taken what comes next.
fn jam(worker: &mut Worker, lane: Lane) {
    let waiting = &mut worker.waiting[lane.index()];
    waiting.is_stuck = true;
    waiting.retry_at = Some(Instant::now() + 1000 * TICK);
}

#[test]
fn what_came_before_its_connection_ended_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut worker = worker(directory.path(), ROOMY);
    let (done, is_done) = oneshot::channel();
    worker.obey(Command::Append { envelope: batch(source, Lane::Alert, 0), done });
    drop(is_done);
    worker.commit_all();
    drop(append(&mut worker, batch(source, Lane::Alert, 1)));
    jam(&mut worker, Lane::Alert);
    drop(append(&mut worker, batch(source, Lane::Alert, 2)));
    worker.waiting[Lane::Alert.index()].retry_at = None;
    worker.commit_all();
    assert_eq!(take_all(&mut worker.store).len(), 3);
}

#[test]
fn on_a_full_disk_memory_is_bounded_however_often_a_collector_connects_again() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut worker = worker(directory.path(), ROOMY);
    jam(&mut worker, Lane::Entity);
    let large = |number: u64| envelope(source, Lane::Entity, 1 + number * 10, 10, 1 << 20);
    let mut waiting_for = Vec::new();
    for _connection in 0..20 {
        waiting_for = (0..2).map(|number| append(&mut worker, large(number))).collect();
        let waiting = &worker.waiting[Lane::Entity.index()];
        let bytes: usize = waiting.envelopes.iter().map(|it| it.payload().len()).sum();
        assert!(bytes <= MOST_WAITING_BYTES, "{bytes} bytes wait");
        assert_eq!(waiting.envelopes.len(), waiting.done.len());
    }
    worker.waiting[Lane::Entity.index()].retry_at = None;
    worker.commit_all();
    assert!(waiting_for.iter_mut().all(|is_done| is_done.try_recv() == Ok(())));
    assert!(!worker.waiting[Lane::Entity.index()].is_stuck);
    assert_eq!(take_all(&mut worker.store).len(), 2);
}
