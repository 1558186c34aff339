use collector_ds::kernel::{
    ActRecord, ExecRecord, ExitRecord, ForkRecord, KernelConfig, KernelRecord, Sensor,
};
use event_model::{EventKind, FileEvent, ProbeCoverage, ProbeState, ProcessKey, SystemEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for an emulated machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// Between two looks into the ring.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// Large enough that no test loses records.
const RING_BYTES: u64 = 16 << 20;

/// Which hooks serve on this kernel.
static COVERAGE: OnceLock<Vec<ProbeCoverage>> = OnceLock::new();

/// The hooks by which events of a kind are had, once a sensor is loaded.
pub fn hook_of(kind: &str) -> String {
    recorder();
    let coverage = COVERAGE.get().expect("the recorder has loaded a sensor");
    let hooks = coverage.iter().filter(|probe| probe.probe == kind);
    hooks.map(|probe| probe.hook.as_str()).collect::<Vec<_>>().join(" ")
}

/// Whether the outcome of such acts is told: at the end or the return of their system calls, or of the function that does them.
pub fn outcomes_are_told(kind: &str) -> bool {
    let hooks = hook_of(kind);
    ["sys_exit/", "return/", "fexit/"].iter().any(|place| hooks.contains(place))
}

/// Loads a sensor with all its programs, or says why this machine can't run the tests.
pub fn load(ring_bytes: u64) -> Sensor {
    load_as(&KernelConfig::everything(ring_bytes))
}

/// The same, as it is configured.
pub fn load_as(config: &KernelConfig) -> Sensor {
    let (sensor, coverage) = Sensor::load(config)
        .unwrap_or_else(|error| panic!("these tests need root and a kernel with BTF: {error}"));
    COVERAGE.get_or_init(|| coverage.clone());
    for probe in &coverage {
        assert_eq!(probe.state, ProbeState::Active, "a program was refused: {}", describe(probe));
    }
    sensor
}

pub fn describe(probe: &ProbeCoverage) -> String {
    let reason = probe.reason.as_deref().unwrap_or("no reason");
    let state = probe.state.name();
    match probe.state {
        ProbeState::Active => format!("hook {}: {} {state}", probe.probe, probe.hook),
        _ => format!("hook {}: {} {state}: {reason}", probe.probe, probe.hook),
    }
}

/// All that the sensor has told since this program started.
pub struct Recorder {
    records: Mutex<Vec<KernelRecord>>,
    arrived: Condvar,
}

/// The recorder of this program. The first call loads the programs.
pub fn recorder() -> &'static Recorder {
    static RECORDER: OnceLock<Recorder> = OnceLock::new();
    static READING: OnceLock<()> = OnceLock::new();
    let mut loaded = None;
    let recorder = RECORDER.get_or_init(|| {
        loaded = Some(load(RING_BYTES));
        Recorder { records: Mutex::default(), arrived: Condvar::new() }
    });
    if let Some(sensor) = loaded {
        READING.get_or_init(|| {
            thread::spawn(move || recorder.read(sensor));
        });
    }
    recorder
}

impl Recorder {
    fn read(&self, mut sensor: Sensor) {
        let mut ours = BTreeSet::from([std::process::id()]);
        loop {
            let taken = sensor.poll(1000, |record| {
                if is_ours(&record, &mut ours) {
                    self.lock().push(record);
                }
            });
            if taken > 0 {
                self.arrived.notify_all();
            } else {
                thread::sleep(LOOK_INTERVAL);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<KernelRecord>> {
        self.records.lock().expect("no test panics while it holds the records")
    }

    /// The first record that `pick` takes, those included that came before.
    pub fn expect<T>(&self, what: &str, pick: impl Fn(&KernelRecord) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut records = self.lock();
        let mut seen = 0;
        loop {
            if let Some(picked) = records[seen..].iter().find_map(&pick) {
                return picked;
            }
            seen = records.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let nearest = nearest(&records);
                // A panic while the records are held would fail all later tests too.
                drop(records);
                panic!("{what} did not come; {nearest}");
            }
            records = self.arrived.wait_timeout(records, left).expect("no test panics here").0;
        }
    }

    /// All records that `pick` takes, once everything that happened before this call has arrived.
    pub fn all<T>(&self, pick: impl Fn(&KernelRecord) -> Option<T>) -> Vec<T> {
        let mut marker = Command::new("/bin/true").spawn().expect("/bin/true can be run");
        let pid = marker.id();
        marker.wait().expect("it is our child");
        self.exit_of(pid);
        self.lock().iter().filter_map(pick).collect()
    }

    pub fn exec_of(&self, pid: u32) -> ExecRecord {
        self.expect(&format!("the exec of process {pid}"), |record| match record {
            KernelRecord::Exec(exec) if exec.process.pid == pid => Some(exec.as_ref().clone()),
            _ => None,
        })
    }

    pub fn exit_of(&self, pid: u32) -> ExitRecord {
        self.expect(&format!("the exit of process {pid}"), |record| match record {
            KernelRecord::Exit(exit) if exit.process.pid == pid => Some(*exit),
            _ => None,
        })
    }

    pub fn fork_of(&self, child: u32) -> ForkRecord {
        self.expect(&format!("the fork of process {child}"), |record| match record {
            KernelRecord::Fork(fork) if fork.child.pid == child => Some(*fork),
            _ => None,
        })
    }

    /// The first act of a process that `pick` takes.
    pub fn act_of<T>(&self, pid: u32, what: &str, pick: impl Fn(&ActRecord) -> Option<T>) -> T {
        self.expect(&format!("{what} by process {pid}"), |record| match record {
            KernelRecord::Act(act) if act.process.pid == pid => pick(act),
            _ => None,
        })
    }

    /// The first act on a file of a process that `pick` takes.
    pub fn file_act(&self, pid: u32, what: &str, pick: impl Fn(&FileEvent) -> bool) -> FileEvent {
        self.act_of(pid, what, |act| match &act.event {
            EventKind::File(event) if pick(event) => Some(event.as_ref().clone()),
            _ => None,
        })
    }

    /// The first act on the system of a process that `pick` takes.
    pub fn system_act(
        &self,
        pid: u32,
        what: &str,
        pick: impl Fn(&SystemEvent) -> bool,
    ) -> SystemEvent {
        self.act_of(pid, what, |act| match &act.event {
            EventKind::System(event) if pick(event) => Some(event.as_ref().clone()),
            _ => None,
        })
    }

    /// The key of this program's own process, as the kernel tells it.
    pub fn own_key(&self) -> ProcessKey {
        let mut child = Command::new("/bin/true").spawn().expect("/bin/true can be run");
        let fork = self.fork_of(child.id());
        child.wait().expect("it is our child");
        fork.creator
    }
}

/// Everything but the acts of processes that no test began: there may be very many of them.
fn is_ours(record: &KernelRecord, ours: &mut BTreeSet<u32>) -> bool {
    match record {
        KernelRecord::Fork(fork) if ours.contains(&fork.creator.pid) => {
            ours.insert(fork.child.pid);
            true
        }
        KernelRecord::Act(act) => ours.contains(&act.process.pid),
        _ => true,
    }
}

/// What came instead: how many of each kind, and the last few.
fn nearest(records: &[KernelRecord]) -> String {
    let mut counts = BTreeMap::new();
    for record in records {
        *counts.entry(record.kind()).or_insert(0_usize) += 1;
    }
    let last: Vec<_> = records.iter().rev().take(5).map(|record| format!("  {record:?}")).collect();
    format!("{counts:?} came, the last of them (latest first):\n{}", last.join("\n"))
}
