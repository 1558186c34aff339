//! Other acts and files are asked of the kernel while the programs run.

use crate::acts::{TRUE, run};
use crate::recorder::{describe, outcomes_are_told, recorder};
use collector_ds::kernel::{
    ActRecord, FileFilter, KernelConfig, KernelRecord, RecordKind, Sensor, WatchedPaths,
};
use event_model::{EventKind, FileAct, ProbeCoverage, ProbeState};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Long enough for an emulated machine.
const DEADLINE: Duration = Duration::from_mins(1);

fn config(acts: &[FileAct], files: &[&Path]) -> KernelConfig {
    let texts: Vec<String> = files.iter().map(|it| it.to_str().unwrap().to_owned()).collect();
    let paths = WatchedPaths { read: texts.clone(), write: texts };
    KernelConfig {
        acts: acts.iter().copied().map(RecordKind::File).collect(),
        files: FileFilter::new(&paths, vec![]).unwrap(),
        ..KernelConfig::everything(1 << 20)
    }
}

/// A sensor, and what it has told of this process and its children.
struct Told {
    sensor: Sensor,
    acts: Vec<ActRecord>,
    execs: Vec<u32>,
    /// Programs that this test ran.
    ran: Vec<u32>,
}

impl Told {
    fn with(config: &KernelConfig) -> Self {
        recorder(); // One after the other: loading takes much memory.
        let (sensor, _) = Sensor::load(config).unwrap();
        Self { sensor, acts: vec![], execs: vec![], ran: vec![] }
    }

    fn exchange(&mut self, config: &KernelConfig) {
        let Self { sensor, acts, execs, .. } = self;
        sensor.widen(config, |sensor| take(sensor, acts, execs)).unwrap();
        sensor.narrow(config).unwrap();
    }

    /// The acts since the last call, once a program that begins now has been told.
    fn since(&mut self) -> Vec<(FileAct, PathBuf)> {
        let marker = run(&mut Command::new(TRUE));
        self.ran.push(marker);
        let deadline = Instant::now() + DEADLINE;
        while !self.execs.contains(&marker) {
            assert!(Instant::now() < deadline, "the exec of {marker} was not told");
            take(&mut self.sensor, &mut self.acts, &mut self.execs);
        }
        // What waits for its outcome comes last.
        let end = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < end {
            take(&mut self.sensor, &mut self.acts, &mut self.execs);
        }
        let told = self.acts.drain(..).filter_map(|act| match act.event {
            EventKind::File(event) => Some((event.act, PathBuf::from(event.path))),
            _ => None,
        });
        told.collect()
    }
}

fn take(sensor: &mut Sensor, acts: &mut Vec<ActRecord>, execs: &mut Vec<u32>) {
    sensor.poll(usize::MAX, |record| match record {
        KernelRecord::Act(act) if act.process.pid == std::process::id() => acts.push(*act),
        KernelRecord::Exec(exec) => execs.push(exec.process.pid),
        _ => {}
    });
}

#[test]
fn what_is_asked_for_later_is_told_and_what_is_asked_for_no_longer_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let [always, later] = ["always", "later"].map(|name| folder.path().join(name));
    fs::write(&always, "").unwrap();
    let few = config(&[FileAct::Open], &[&always]);
    let more = config(&[FileAct::Open, FileAct::Unlink], &[&always, &later]);
    let mut told = Told::with(&few);
    let perform = || {
        File::open(&always).unwrap();
        fs::write(&later, "").unwrap();
        fs::remove_file(&later).unwrap();
    };
    let open = |path: &Path| (FileAct::Open, path.to_owned());
    for round in 0..3 {
        perform();
        assert_eq!(told.since(), [open(&always)], "round {round}, with few");
        // An open like one before it within a second is counted only.
        told.exchange(&more);
        perform();
        let removed = (FileAct::Unlink, later.clone());
        assert_eq!(
            told.since(),
            [open(&always), open(&later), removed],
            "round {round}, with more"
        );
        told.exchange(&few);
    }
    for pid in &told.ran {
        let times = told.execs.iter().filter(|exec| *exec == pid).count();
        assert_eq!(times, 1, "the exec of {pid}");
    }
}

#[test]
fn an_act_that_is_asked_for_later_is_told_with_its_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("there");
    let mut told = Told::with(&config(&[], &[&path]));
    for _ in 0..2 {
        told.exchange(&config(&[FileAct::Unlink], &[&path]));
        fs::write(&path, "").unwrap();
        fs::remove_file(&path).unwrap();
        let deadline = Instant::now() + DEADLINE;
        while told.acts.is_empty() {
            assert!(Instant::now() < deadline, "the removal was not told");
            take(&mut told.sensor, &mut told.acts, &mut told.execs);
        }
        let EventKind::File(event) = &told.acts.remove(0).event else { panic!("no file") };
        let outcome = outcomes_are_told("unlink").then_some(0);
        assert_eq!(event.error, outcome);
        told.exchange(&config(&[], &[&path]));
    }
}

fn of_acts(coverage: &[ProbeCoverage]) -> impl Iterator<Item = &ProbeCoverage> {
    let is_act = |probe: &&ProbeCoverage| {
        RecordKind::ALL.into_iter().any(|kind| kind.is_act() && kind.name() == probe.probe)
    };
    coverage.iter().filter(is_act)
}

#[test]
fn all_acts_are_had_later_by_the_hooks_by_which_they_are_had_at_once() {
    let everything = KernelConfig::everything(1 << 20);
    let (at_once, coverage) = {
        recorder();
        Sensor::load(&everything).unwrap()
    };
    drop(at_once);
    let nothing = KernelConfig { acts: BTreeSet::new(), ..everything.clone() };
    let mut told = Told::with(&nothing);
    for _ in 0..2 {
        let now = told.sensor.coverage();
        assert!(of_acts(&now).all(|probe| probe.state == ProbeState::Off), "{now:?}");
        told.exchange(&everything);
        let now = told.sensor.coverage();
        let differs = now.iter().zip(&coverage).find(|(now, before)| now != before);
        assert_eq!(differs.map(|(now, _)| describe(now)), None);
        told.exchange(&nothing);
    }
    run(&mut Command::new(TRUE));
    told.since();
}
