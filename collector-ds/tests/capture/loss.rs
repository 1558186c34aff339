//! A ring that is too small: what is lost is counted, to the record.

use crate::acts::{TRUE, run};
use crate::recorder::load_as;
use collector_ds::kernel::{KernelConfig, KernelRecord, RecordKind, Sensor};
use std::process::Command;

/// Holds one or two of the records that are thrown at it.
const SMALL_RING: u64 = 64 << 10;
const LARGE_RING: u64 = 64 << 20;
const FLOOD: usize = 40;

/// The kinds and processes of all that waits in the ring.
fn drain(sensor: &mut Sensor) -> Vec<(RecordKind, u32)> {
    let mut drained = Vec::new();
    sensor.poll(usize::MAX, |record| {
        let pid = match &record {
            KernelRecord::Exec(exec) => exec.process.pid,
            KernelRecord::Fork(fork) => fork.child.pid,
            KernelRecord::Exit(exit) => exit.process.pid,
            _ => 0,
        };
        drained.push((record.kind(), pid));
    });
    drained
}

/// How many execs were told after that of `first`, up to that of `last`.
fn execs_between(records: &[(RecordKind, u32)], first: u32, last: u32) -> usize {
    let execs = || records.iter().filter(|(kind, _)| *kind == RecordKind::Exec);
    let place = |pid| execs().position(|(_, of)| *of == pid).expect("the markers are not lost");
    place(last) - place(first)
}

/// Throws more at the small ring than it holds. Returns how many execs happened meanwhile, by the large ring, which
/// loses none; how many of them the small ring told; and how many it says it lost.
fn flood() -> (usize, usize, usize) {
    // Environments of what else runs on the machine would fill the small ring.
    let load =
        |bytes| load_as(&KernelConfig { environment: false, ..KernelConfig::everything(bytes) });
    let (mut small, mut large) = (load(SMALL_RING), load(LARGE_RING));
    let long = "x".repeat(30_000);
    // What others did while the large one was loaded.
    drain(&mut small);
    let first = run(&mut Command::new(TRUE));
    let mut told = drain(&mut small);
    for _ in 0..FLOOD {
        run(Command::new(TRUE).arg(&long));
    }
    told.extend(drain(&mut small));
    let last = run(&mut Command::new(TRUE));
    told.extend(drain(&mut small));
    let dropped = small.drops().expect("the map is ours").of(RecordKind::Exec);
    let all = drain(&mut large);
    assert_eq!(
        large.drops().expect("the map is ours").total(),
        0,
        "the large ring holds everything"
    );
    let happened = execs_between(&all, first, last);
    (happened, execs_between(&told, first, last), usize::try_from(dropped).expect("a small number"))
}

#[test]
fn what_does_not_fit_into_the_ring_is_counted_exactly() {
    // Execs of others on this machine, at the very moment of a marker, may stand before it in one ring and after it in
    // the other. Twice in a row is beyond chance.
    let mut attempts = Vec::new();
    for _ in 0..5 {
        let (happened, told, lost) = flood();
        assert!(lost > FLOOD / 2, "the flood did not fill the ring: {lost} lost of {happened}");
        if happened == told + lost {
            return;
        }
        attempts
            .push(format!("{happened} happened, {told} were told, {lost} were counted as lost"));
    }
    panic!("{}", attempts.join("\n"));
}
