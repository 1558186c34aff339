//! A sensor that looks at the files of one test alone.

use crate::recorder::{describe, recorder};
use collector_ds::kernel::{
    ActRecord, CgroupKey, FileFilter, KernelConfig, KernelRecord, RecordKind, Sensor, WatchedPaths,
};
use event_model::{EventKind, FileAct, FileEvent, ProbeState};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const RING_BYTES: u64 = 8 << 20;

/// Long enough for an emulated machine.
const DEADLINE: Duration = Duration::from_mins(1);

pub struct Filtered {
    sensor: Sensor,
    /// Its opening is always told: what came before has been told by then.
    marker: tempfile::TempDir,
    marks: u32,
}

impl Filtered {
    /// Tells of all acts on files of these patterns.
    pub fn new(read: &[&Path], write: &[&Path]) -> Self {
        Self::with_names(read, write, &[], vec![])
    }

    /// The same, with patterns that are no paths, and with cgroups to leave out.
    pub fn with_names(
        read: &[&Path],
        write: &[&Path],
        names: &[&str],
        ignored: Vec<CgroupKey>,
    ) -> Self {
        recorder(); // One after the other: loading takes much memory.
        let marker = tempfile::tempdir().unwrap();
        let texts = |paths: &[&Path]| -> Vec<String> {
            paths.iter().map(|path| path.to_str().unwrap().to_owned()).collect()
        };
        let mut paths = WatchedPaths { read: texts(read), write: texts(write) };
        paths.write.push(format!("{}/", marker.path().display()));
        paths.read.extend(names.iter().map(|name| (*name).to_owned()));
        let config = KernelConfig {
            acts: FileAct::ALL.into_iter().map(RecordKind::File).collect(),
            files: FileFilter::new(&paths, ignored).unwrap(),
            ..KernelConfig::everything(RING_BYTES)
        };
        let (sensor, coverage) = Sensor::load(&config).unwrap();
        for probe in coverage.iter().filter(|probe| probe.state != ProbeState::Off) {
            assert_eq!(probe.state, ProbeState::Active, "{}", describe(probe));
        }
        Self { sensor, marker, marks: 0 }
    }

    /// The acts of this process since the last call.
    pub fn acts(&mut self) -> Vec<ActRecord> {
        self.marks += 1;
        let mark = self.marker.path().join(self.marks.to_string());
        fs::write(&mark, "").unwrap();
        let mark = mark.to_str().unwrap();
        let deadline = Instant::now() + DEADLINE;
        let (mut acts, mut marked) = (vec![], false);
        while !marked {
            assert!(Instant::now() < deadline, "the opening of {mark} was not told");
            self.sensor.poll(usize::MAX, |record| {
                let KernelRecord::Act(act) = record else { return };
                marked |= file(&act).is_some_and(|event| event.path == mark);
                if act.process.pid == std::process::id() {
                    acts.push(*act);
                }
            });
        }
        let marks = self.marker.path();
        // Paths that are too deep to judge are told too: another test makes some.
        let foreign = |event: &FileEvent| {
            Path::new(&event.path).starts_with(marks) || event.path.starts_with(".../")
        };
        acts.retain(|act| !file(act).is_some_and(foreign));
        acts
    }

    /// What has been told of this process, without a mark.
    pub fn so_far(&mut self) -> Vec<ActRecord> {
        let mut acts = vec![];
        self.sensor.poll(usize::MAX, |record| match record {
            KernelRecord::Act(act) if act.process.pid == std::process::id() => acts.push(*act),
            _ => {}
        });
        acts
    }

    /// The acts on files.
    pub fn events(&mut self) -> Vec<FileEvent> {
        self.acts().iter().filter_map(file).cloned().collect()
    }

    /// The paths that were opened.
    pub fn opened(&mut self) -> Vec<String> {
        let opens = self.events().into_iter().filter(|event| event.act == FileAct::Open);
        opens.map(|event| event.path).collect()
    }

    /// Records that did not fit.
    pub fn drops(&self, act: FileAct) -> u64 {
        self.sensor.drops().unwrap().of(RecordKind::File(act))
    }
}

fn file(act: &ActRecord) -> Option<&FileEvent> {
    match &act.event {
        EventKind::File(event) => Some(event),
        _ => None,
    }
}
