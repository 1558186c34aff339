//! What the sensor costs the node: the same work bare and under the sensor, in turns.

mod files;
mod peers;
mod sustained;
mod work;

use super::Setting;
use super::report::{Goal, Report};
use anyhow::{Context, Result};
use files::WatchedFiles;
use peers::Peers;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};
use suite::cgroup::Cgroup;
use suite::program::{Launch, Name, Program};
use tempfile::TempDir;
use work::{Bench, WORKS, Work};

const READY_WITHIN: Duration = Duration::from_mins(1);

/// What the sensor does by itself, such as its first inventory, is over when it uses no more than this of a CPU.
const IDLE: f64 = 0.02;
const SETTLES_WITHIN: Duration = Duration::from_secs(1);
const LOOK_INTERVAL: Duration = Duration::from_millis(300);
const IDLE_WITHIN: Duration = Duration::from_mins(1);

/// The limits of the workload's table.
const MILLICORES: u64 = 360;
const BYTES: u64 = 296 << 20;

/// Measures every work with the rules that we ship.
pub fn run(setting: &Setting) -> Result<Report> {
    let Setting { binaries, turns } = setting;
    let folder = TempDir::new()?;
    let mut machine = super::prepare(binaries, &folder)?;
    for name in [Name::Backend, Name::PublisherDs] {
        machine.add(&machine.launch(name)?)?;
    }
    machine.wait_ready()?;
    let limits =
        Cgroup::limited(&format!("defender-bench-{}", std::process::id()), MILLICORES, BYTES)?;
    let launch = Launch { cgroup: Some(limits.clone()), ..machine.launch(Name::CollectorDs)? };
    let bench = Bench { binaries: binaries.to_owned(), files: WatchedFiles::make()? };
    let mut peers = Peers::find()?;
    let rounds = measure(&launch, &bench, &mut peers, *turns);
    let sustained = rounds.and_then(|rounds| Ok((rounds, sustained::measure(&launch, &bench)?)));
    machine.stop()?;
    limits.remove()?;
    let (rounds, sustained) = sustained?;
    let mut report = report(&rounds);
    sustained.add_to(&mut report);
    peers.report(&mut report);
    Ok(report)
}

/// The same works without the sensor, with one that looks at a single call which nobody makes, and with the real one.
struct Round {
    works: Vec<Measured>,
    /// The real one's.
    itself: Itself,
}

/// What a sensor needs whatever happens.
struct Itself {
    resident_mib: f64,
    ready_seconds: f64,
    /// Its CPU in a second without work.
    idle: f64,
}

/// Nanoseconds that one act took, and the sensor's own CPU for it.
struct Measured {
    bare: f64,
    hooked: f64,
    sensed: f64,
    cpu: f64,
}

fn measure(launch: &Launch, bench: &Bench, peers: &mut Peers, turns: usize) -> Result<Vec<Round>> {
    let hooked = with_one_call(launch)?;
    all_works(bench)?; // warms the caches
    let mut bare = all_works(bench)?;
    let mut rounds = vec![];
    for turn in 1..=turns {
        println!("turn {turn} of {turns}");
        peers.round(&bare, bench)?;
        let hooked = under(&hooked, bench)?;
        let sensed = under(launch, bench)?;
        // What the machine did before and after, for it is not always as quick.
        let after = all_works(bench)?;
        let Sensed { works, itself } = sensed;
        let works = works.iter().zip(&hooked.works).zip(bare.iter().zip(&after)).map(
            |(((sensed, cpu), (hooked, _)), (before, after))| Measured {
                bare: f64::midpoint(*before, *after),
                hooked: *hooked,
                sensed: *sensed,
                cpu: *cpu,
            },
        );
        rounds.push(Round { works: works.collect(), itself });
        bare = after;
    }
    Ok(rounds)
}

fn all_works(bench: &Bench) -> Result<Vec<f64>> {
    WORKS.iter().map(|work| work.nanoseconds(bench)).collect()
}

/// A sensor without rules, asked for a call that nobody makes: what the place costs by itself where all calls pass.
fn with_one_call(launch: &Launch) -> Result<Launch> {
    let file = &launch.configuration;
    let mut configuration: Value = serde_json::from_str(&fs::read_to_string(file)?)
        .with_context(|| format!("reading {}", file.display()))?;
    let rules = file.with_file_name("no-rules");
    fs::create_dir_all(&rules)?;
    configuration["rules"]["paths"] = json!([rules]);
    configuration["inventory"] = json!({ "enabled": false });
    configuration["kernel"] = json!({ "acts": ["keyctl"], "files": { "read": [], "write": [] } });
    let other = file.with_file_name("one-call.yaml");
    fs::write(&other, serde_json::to_string_pretty(&configuration)?)?;
    Ok(Launch { configuration: other, ..launch.clone() })
}

/// What was measured under one sensor.
struct Sensed {
    /// Of each work the nanoseconds for one, and those of the sensor's CPU.
    works: Vec<(f64, f64)>,
    itself: Itself,
}

fn under(launch: &Launch, bench: &Bench) -> Result<Sensed> {
    let begin = Instant::now();
    let mut sensor = launch.start()?;
    sensor.wait_ready(READY_WITHIN)?;
    let ready_seconds = begin.elapsed().as_secs_f64();
    wait_idle(&sensor)?;
    let idle = idle_rate(&sensor)?;
    let works: Result<Vec<_>> =
        WORKS.iter().map(|work| sense(work, &sensor, idle, bench)).collect();
    let resident_mib = sensor.resident_mib()?;
    sensor.stop(READY_WITHIN)?;
    Ok(Sensed { works: works?, itself: Itself { resident_mib, ready_seconds, idle } })
}

/// What the sensor uses beyond `idle`, its CPU of a second without work, is the work's.
fn sense(work: &Work, sensor: &Program, idle: f64, bench: &Bench) -> Result<(f64, f64)> {
    let begin = Instant::now();
    let before = cpu_for_events(sensor)?;
    let sensed = work.nanoseconds(bench)?;
    // The last records are on their way for a while.
    std::thread::sleep(SETTLES_WITHIN);
    let used = cpu_for_events(sensor)? - before - idle * begin.elapsed().as_secs_f64();
    Ok((sensed, used.max(0.0) * 1e9 / f64::from(work.count)))
}

/// The sensor's CPU so far without its inventory's, which works at a pace of its own, whatever the node does.
fn cpu_for_events(sensor: &Program) -> Result<f64> {
    Ok(sensor.cpu_seconds()? - sensor.thread_cpu_seconds("inventory")?)
}

/// The sensor's CPU in a second without work: it ticks once.
fn idle_rate(sensor: &Program) -> Result<f64> {
    let (begin, before) = (Instant::now(), cpu_for_events(sensor)?);
    std::thread::sleep(2 * SETTLES_WITHIN);
    Ok((cpu_for_events(sensor)? - before) / begin.elapsed().as_secs_f64())
}

/// Waits until the sensor has nothing left to do.
fn wait_idle(sensor: &Program) -> Result<()> {
    let begin = Instant::now();
    let mut before = sensor.cpu_seconds()?;
    while begin.elapsed() < IDLE_WITHIN {
        std::thread::sleep(LOOK_INTERVAL);
        let now = sensor.cpu_seconds()?;
        if now - before <= IDLE * LOOK_INTERVAL.as_secs_f64() {
            return Ok(());
        }
        before = now;
    }
    println!("the sensor is still at work after {IDLE_WITHIN:?}");
    Ok(())
}

fn report(rounds: &[Round]) -> Report {
    let mut report = Report::default();
    for (place, work) in WORKS.iter().enumerate() {
        let median = |pick: fn(&Measured) -> f64| {
            super::median(rounds.iter().map(|round| pick(&round.works[place])).collect())
        };
        let what = work.what;
        report.add(format!("{what}: bare"), median(|one| one.bare) / 1e3, "us", Goal::None);
        report.add(format!("{what}: sensed"), median(|one| one.sensed) / 1e3, "us", Goal::None);
        let hooked = median(|one| one.hooked / one.bare);
        report.add(format!("{what}: ratio, one idle call"), hooked, "x", Goal::None);
        let ratio = median(|one| one.sensed / one.bare);
        report.add(format!("{what}: ratio"), ratio, "x", work.ratio);
        report.add(format!("{what}: sensor's CPU"), median(|one| one.cpu) / 1e3, "us", work.cpu);
    }
    let itself = |pick: fn(&Itself) -> f64| {
        super::median(rounds.iter().map(|round| pick(&round.itself)).collect())
    };
    let resident = itself(|sensor| sensor.resident_mib);
    report.add("sensor's resident memory", resident, "MiB", Goal::AtMost(40.0));
    report.add("from start to ready", itself(|sensor| sensor.ready_seconds), "s", Goal::None);
    report.add("sensor's CPU while idle", 100.0 * itself(|sensor| sensor.idle), "%", Goal::None);
    report
}
