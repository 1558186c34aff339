//! More acts than can be told: no program's beginning is lost among them, and what is lost of the rest is counted.

use crate::acts::{TRUE, run};
use crate::recorder::recorder;
use collector_ds::kernel::{
    FileFilter, KernelConfig, KernelRecord, RecordKind, Sensor, WatchedPaths,
};
use event_model::{EventKind, FileAct};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const FLOOD: Duration = Duration::from_secs(5);
const OPEN: RecordKind = RecordKind::File(FileAct::Open);

/// Holds some hundred opens: a machine makes more than that between two looks.
const ACT_RING: u64 = 64 << 10;
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
const PROCESS_RING: u64 = 16 << 20;

/// Looks at the opens of one file alone.
fn sensor(file: &Path) -> Sensor {
    recorder(); // One after the other: loading takes much memory.
    let paths = WatchedPaths { read: vec![file.to_str().unwrap().to_owned()], write: vec![] };
    let config = KernelConfig {
        acts: BTreeSet::from([OPEN]),
        act_ring_bytes: ACT_RING,
        files: FileFilter::new(&paths, vec![]).unwrap(),
        ..KernelConfig::everything(PROCESS_RING)
    };
    Sensor::load(&config).unwrap().0
}

/// What was told of the flood.
#[derive(Default)]
struct Told {
    opens: usize,
    execs: BTreeSet<u32>,
}

impl Told {
    fn take(&mut self, record: &KernelRecord, path: &str) {
        match record {
            KernelRecord::Exec(exec) => drop(self.execs.insert(exec.process.pid)),
            KernelRecord::Act(act) => {
                if let EventKind::File(event) = &act.event
                    && event.path == path
                {
                    self.opens += 1;
                }
            }
            _ => {}
        }
    }
}

/// Opens the file as often as it can until `over`; returns how often that was.
fn open_until(over: &AtomicBool, file: &Path) -> usize {
    let mut opens = 0;
    while !over.load(Ordering::Relaxed) {
        drop(File::open(file).unwrap());
        opens += 1;
    }
    opens
}

/// Runs programs one after the other until `over`; returns their process ids.
fn run_until(over: &AtomicBool) -> Vec<u32> {
    std::iter::from_fn(|| (!over.load(Ordering::Relaxed)).then(|| run(&mut Command::new(TRUE))))
        .collect()
}

#[test]
fn in_a_flood_no_exec_is_lost_and_every_lost_open_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flooded");
    File::create(&file).unwrap();
    let path = file.to_str().unwrap();
    let mut sensor = sensor(&file);
    let (over, mut told) = (AtomicBool::new(false), Told::default());
    let (opens, execs) = thread::scope(|scope| {
        let openers = [(); 2].map(|()| scope.spawn(|| open_until(&over, &file)));
        let runner = scope.spawn(|| run_until(&over));
        let end = Instant::now() + FLOOD;
        while Instant::now() < end {
            if sensor.poll(1000, |record| told.take(&record, path)) == 0 {
                thread::sleep(LOOK_INTERVAL);
            }
        }
        over.store(true, Ordering::Relaxed);
        let opens: usize = openers.map(|opener| opener.join().unwrap()).iter().sum();
        (opens, runner.join().unwrap())
    });
    while sensor.poll(1000, |record| told.take(&record, path)) > 0 {}

    let drops = sensor.drops().unwrap();
    let lost = usize::try_from(drops.of(OPEN)).unwrap();
    let missing: Vec<_> = execs.iter().filter(|pid| !told.execs.contains(pid)).collect();
    println!(
        "shown: flood of {FLOOD:?}: {opens} opens, {} told and {lost} counted as lost; {} execs, {} lost",
        told.opens,
        execs.len(),
        missing.len()
    );
    assert_eq!(missing, Vec::<&u32>::new());
    assert_eq!(drops.of(RecordKind::Exec), 0);
    assert_eq!(told.opens + lost, opens);
    assert!(lost > 0, "the flood did not fill the ring");
}
