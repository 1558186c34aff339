use super::*;
use crate::spool::store::tests::{ROOMY, envelope, losses, open, take_all};
use std::path::Path;
use std::sync::mpsc::channel;

/// A worker that a test drives by hand.
fn worker(directory: &Path, maximum_bytes: u64) -> Worker {
    let shared = Shared {
        spooled: Arc::new(Notify::new()),
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

#[test]
fn what_waits_for_a_connection_that_is_gone_is_let_go() {
    let directory = tempfile::tempdir().unwrap();
    let source = SourceId::generate();
    let mut worker = worker(directory.path(), ROOMY);
    let waiting = &mut worker.waiting[Lane::Entity.index()];
    waiting.is_stuck = true;
    waiting.retry_at = Some(Instant::now() + 1000 * TICK);
    let mut answers: Vec<_> =
        (0..6).map(|number| append(&mut worker, batch(source, Lane::Entity, number))).collect();
    // The first three came over a connection that is gone.
    answers.drain(..3);
    worker.commit_all();
    let waiting = &mut worker.waiting[Lane::Entity.index()];
    let firsts: Vec<_> = waiting.envelopes.iter().map(Envelope::first_sequence).collect();
    assert_eq!((firsts, waiting.done.len()), (vec![31, 41, 51], 3));
    waiting.retry_at = None;
    worker.commit_all();
    assert!(answers.iter_mut().all(|is_done| is_done.try_recv() == Ok(())));
    assert!(!worker.waiting[Lane::Entity.index()].is_stuck);
}

#[test]
fn once_nobody_waits_for_a_disk_any_more_it_is_no_problem_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let mut worker = worker(directory.path(), ROOMY);
    let waiting = &mut worker.waiting[Lane::Alert.index()];
    waiting.is_stuck = true;
    waiting.retry_at = Some(Instant::now() + 1000 * TICK);
    worker.problem = Some("the disk is full".into());
    let is_done = append(&mut worker, batch(SourceId::generate(), Lane::Alert, 0));
    assert!(worker.problem.is_some());
    drop(is_done);
    worker.commit_all();
    assert_eq!(worker.problem, None);
}
