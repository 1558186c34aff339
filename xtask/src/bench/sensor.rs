//! What the sensor costs the node: the same work bare and under the sensor, in turns.

mod peers;
mod work;

use super::report::{Goal, Report};
use anyhow::Result;
use peers::Peers;
use std::path::Path;
use std::time::Duration;
use suite::Machine;
use suite::cgroup::Cgroup;
use suite::program::{Launch, Name, Program};
use tempfile::TempDir;
use work::{WORKS, Work};

const PAIRS: usize = 10;
const READY_WITHIN: Duration = Duration::from_mins(1);

/// The limits of the workload's table.
const MILLICORES: u64 = 360;
const BYTES: u64 = 296 << 20;

/// Measures every work with the rules that we ship.
pub fn run(binaries: &Path) -> Result<Report> {
    let folder = TempDir::new()?;
    let mut machine = super::prepare(binaries, &folder)?;
    for name in [Name::Backend, Name::PublisherDs] {
        machine.add(&machine.launch(name)?)?;
    }
    machine.wait_ready()?;
    let limits =
        Cgroup::limited(&format!("defender-bench-{}", std::process::id()), MILLICORES, BYTES)?;
    let mut peers = Peers::find()?;
    let rounds = measure(&machine, &limits, binaries, &mut peers);
    machine.stop()?;
    limits.remove()?;
    let mut report = report(&rounds?);
    peers.report(&mut report);
    Ok(report)
}

/// One pair: the same works without the sensor and with it.
struct Round {
    works: Vec<Pair>,
    resident_mib: f64,
}

/// Nanoseconds that one act took, and the sensor's own CPU for it.
struct Pair {
    bare: f64,
    sensed: f64,
    cpu: f64,
}

fn measure(
    machine: &Machine,
    limits: &Cgroup,
    binaries: &Path,
    peers: &mut Peers,
) -> Result<Vec<Round>> {
    let launch = Launch { cgroup: Some(limits.clone()), ..machine.launch(Name::CollectorDs)? };
    for work in &WORKS {
        work.nanoseconds(binaries)?; // warms the caches
    }
    (0..PAIRS).map(|pair| round(pair, &launch, binaries, peers)).collect()
}

fn round(pair: usize, launch: &Launch, binaries: &Path, peers: &mut Peers) -> Result<Round> {
    println!("pair {} of {PAIRS}", pair + 1);
    let bare: Vec<f64> =
        WORKS.iter().map(|work| work.nanoseconds(binaries)).collect::<Result<_>>()?;
    peers.round(&bare, binaries)?;
    let mut sensor = launch.start()?;
    sensor.wait_ready(READY_WITHIN)?;
    let works: Result<Vec<Pair>> =
        WORKS.iter().zip(bare).map(|(work, bare)| sense(work, bare, &sensor, binaries)).collect();
    let resident_mib = sensor.resident_mib()?;
    sensor.stop(READY_WITHIN)?;
    Ok(Round { works: works?, resident_mib })
}

fn sense(work: &Work, bare: f64, sensor: &Program, binaries: &Path) -> Result<Pair> {
    let before = sensor.cpu_seconds()?;
    let sensed = work.nanoseconds(binaries)?;
    // The last records are on their way for some tens of milliseconds.
    std::thread::sleep(Duration::from_millis(300));
    let cpu = (sensor.cpu_seconds()? - before) * 1e9 / f64::from(work.count);
    Ok(Pair { bare, sensed, cpu })
}

fn report(rounds: &[Round]) -> Report {
    let mut report = Report::default();
    for (place, work) in WORKS.iter().enumerate() {
        let median = |pick: fn(&Pair) -> f64| {
            super::median(rounds.iter().map(|round| pick(&round.works[place])).collect())
        };
        let what = work.what;
        report.add(format!("{what}: bare"), median(|pair| pair.bare) / 1e3, "us", Goal::None);
        report.add(format!("{what}: sensed"), median(|pair| pair.sensed) / 1e3, "us", Goal::None);
        let ratio = median(|pair| pair.sensed / pair.bare);
        report.add(format!("{what}: ratio"), ratio, "x", work.ratio);
        report.add(format!("{what}: sensor's CPU"), median(|pair| pair.cpu) / 1e3, "us", work.cpu);
    }
    let resident = super::median(rounds.iter().map(|round| round.resident_mib).collect());
    report.add("sensor's resident memory", resident, "MiB", Goal::AtMost(40.0));
    report
}
