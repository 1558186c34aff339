//! kill -9 of publisher, backend and collectors at random moments, half of those of publisher and backend with a power
//! cut, in a stream of numbered events.
//!
//! Each number that was acknowledged to a collector must in the end stand in the store exactly once. What was not
//! acknowledged to a collector that was killed died with it, or was on its way: it may stand there once or not.
//!
//! `DEFENDER_CRASH_KILLS` sets how many kills there are.

use anyhow::{Context, Result, ensure};
use crash::collector::{Collectors, Told};
use crash::{Disk, Forgotten};
use fastrand::Rng;
use pipeline::numbered::number_of;
use std::collections::HashMap;
use std::path::Path;
use std::thread;
use std::time::Duration;
use suite::Machine;
use suite::api::Api;
use suite::deadline::wait_for;
use suite::program::Name;

const KILLS: u32 = 200;

/// At once: what several send is often synced together, and torn together.
const COLLECTORS: u32 = 4;

/// The spool is verified after each of so many kills of the publisher.
const VERIFIED_EACH: u32 = 5;

const READY_WITHIN: Duration = Duration::from_mins(1);

const STORED_WITHIN: Duration = Duration::from_mins(5);

#[test]
fn kills_and_power_cuts_lose_nothing_acknowledged_and_repeat_nothing() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let mut options = pipeline::options(folder.path(), None)?;
    options.sensor = false;
    let places = options.places.clone();
    let disks =
        Disks { spool: Disk::mount(&places.spool())?, store: Disk::mount(&places.store())? };
    let mut machine = Machine::start(options)?;
    machine.wait_ready()?;
    let binary = Path::new(env!("CARGO_BIN_EXE_numbered-collector"));
    let start = |series| Collectors::start(series, binary, &places.socket());
    let collectors = (0..COLLECTORS).map(start).collect::<Result<Vec<_>>>()?;

    let mut course = Course { machine, disks, collectors, counts: Counts::default() };
    course.kill_at_random(kills()?)?;
    let Course { mut machine, collectors, counts, disks } = course;
    for name in [Name::Backend, Name::PublisherDs] {
        machine.program(name)?.wait_ready(READY_WITHIN)?;
    }
    let told = collectors.into_iter().map(Collectors::finish).collect::<Result<Vec<_>>>()?.concat();
    // What is acknowledged to a collector may be on its way to the store still, and in no metric of the spool yet.
    let settled = wait_for("all that was acknowledged stored", STORED_WITHIN, || {
        let waiting = machine.program(Name::PublisherDs)?.metric("defender_spool_records")?;
        ensure!(waiting == 0.0, "{waiting} records wait");
        let account = Account::take(&machine.api(), &told)?;
        ensure!(account.missing == 0, "{account}");
        Ok(account)
    });
    let account = settled.with_context(|| counts.to_string())?;
    println!("shown: crash: {counts}; {account}");
    ensure!(account.repeated == 0 && account.foreign == 0, "{account}");
    ensure!(counts.are_even(), "{counts}");
    machine.stop()?;
    drop(disks);
    Ok(())
}

fn kills() -> Result<u32> {
    match std::env::var("DEFENDER_CRASH_KILLS") {
        Ok(text) => text.parse().context("DEFENDER_CRASH_KILLS is no number"),
        Err(_) => Ok(KILLS),
    }
}

/// A machine for the publisher, one for the backend.
struct Disks {
    spool: Disk,
    store: Disk,
}

#[derive(Debug, Default)]
struct Counts {
    publisher: u32,
    backend: u32,
    collector: u32,
    power_cuts: u32,
    forgotten: Forgotten,
    verified: u32,
}

impl Counts {
    fn all(&self) -> u32 {
        self.publisher + self.backend + self.collector
    }

    fn are_even(&self) -> bool {
        let least = self.all() / 5;
        [self.publisher, self.backend, self.collector].iter().all(|count| *count >= least)
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} kill -9 ({} of the publisher, {} of the backend, {} of the collector), {} of them power cuts that \
             took {} writes and {} names; the spool verified {} times",
            self.all(),
            self.publisher,
            self.backend,
            self.collector,
            self.power_cuts,
            self.forgotten.changes,
            self.forgotten.names,
            self.verified,
        )
    }
}

struct Course {
    machine: Machine,
    disks: Disks,
    collectors: Vec<Collectors>,
    counts: Counts,
}

impl Course {
    /// Kills one of the three, starts it again at once, and lets some time pass: often too little to be ready.
    fn kill_at_random(&mut self, kills: u32) -> Result<()> {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = Rng::with_seed(seed);
        for _ in 0..kills {
            thread::sleep(Duration::from_millis(random.u64(20..600)));
            match random.u8(..3) {
                0 => self.crash(Name::PublisherDs, &mut random)?,
                1 => self.crash(Name::Backend, &mut random)?,
                _ => {
                    random.choice(&mut self.collectors).context("some")?.crash_and_restart()?;
                    self.counts.collector += 1;
                }
            }
        }
        Ok(())
    }

    fn crash(&mut self, name: Name, random: &mut Rng) -> Result<()> {
        self.machine.program(name)?.kill()?;
        let (disk, count) = match name {
            Name::PublisherDs => (&mut self.disks.spool, &mut self.counts.publisher),
            _ => (&mut self.disks.store, &mut self.counts.backend),
        };
        *count += 1;
        if random.bool() {
            let forgotten = disk.cut_power(random)?;
            self.counts.power_cuts += 1;
            self.counts.forgotten.changes += forgotten.changes;
            self.counts.forgotten.names += forgotten.names;
        }
        if name == Name::PublisherDs && self.counts.publisher.is_multiple_of(VERIFIED_EACH) {
            self.verify()?;
        }
        self.machine.program(name)?.crash_and_restart()
    }

    /// What the crash left must be whole, but for an end that was never synced.
    fn verify(&mut self) -> Result<()> {
        let launch = self.machine.launch(Name::PublisherDs)?;
        let kills = self.counts.all();
        pipeline::verify_spool(&launch).with_context(|| format!("after kill {kills}"))?;
        self.counts.verified += 1;
        Ok(())
    }
}

#[derive(Debug)]
struct Account {
    acknowledged: usize,
    stored: usize,
    missing: usize,
    repeated: usize,
    foreign: usize,
}

impl Account {
    /// Counts how often each number stands in the store.
    fn take(api: &Api, told: &[Told]) -> Result<Self> {
        let mut times: HashMap<u64, usize> = HashMap::new();
        for event in api.all("/api/v1/events?type=fork")? {
            *times.entry(number_of(&event)?).or_default() += 1;
        }
        let acknowledged = || told.iter().flat_map(Told::acknowledged);
        let is_possible = |number: &u64| told.iter().any(|it| it.possible().contains(number));
        Ok(Self {
            acknowledged: acknowledged().count(),
            stored: times.len(),
            missing: acknowledged().filter(|number| !times.contains_key(number)).count(),
            repeated: times.values().filter(|times| **times > 1).count(),
            foreign: times.keys().filter(|number| !is_possible(number)).count(),
        })
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} events acknowledged: {} lost, {} stored twice; {} stored in all, {} that nobody sent",
            self.acknowledged, self.missing, self.repeated, self.stored, self.foreign,
        )
    }
}
