//! What the sensor costs the node: the same work bare and under the sensor, alternating.

use super::report::{Goal, Report};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use suite::cgroup::Cgroup;
use suite::program::{Launch, Name, Program};
use tempfile::TempDir;

const PAIRS: usize = 10;
const SPAWNS: u32 = 4000;
const READY_WITHIN: Duration = Duration::from_mins(1);

/// The limits of the workload's table.
const MILLICORES: u64 = 360;
const BYTES: u64 = 296 << 20;

/// Fork, exec and exit of a program that does nothing.
pub fn run(binaries: &Path) -> Result<Report> {
    let folder = TempDir::new()?;
    let mut machine = super::prepare(binaries, &folder)?;
    for name in [Name::Backend, Name::PublisherDs] {
        machine.add(&machine.launch(name)?)?;
    }
    machine.wait_ready()?;
    let limits =
        Cgroup::limited(&format!("defender-bench-{}", std::process::id()), MILLICORES, BYTES)?;
    let launch = Launch { cgroup: Some(limits.clone()), ..machine.launch(Name::CollectorDs)? };
    let rounds = measure(binaries, &launch);
    machine.stop()?;
    limits.remove()?;
    Ok(report(&rounds?))
}

/// One pair: the same work without the sensor and with it.
struct Round {
    bare: f64,
    sensed: f64,
    resident_mib: f64,
    cpu_microseconds: f64,
}

fn measure(binaries: &Path, launch: &Launch) -> Result<Vec<Round>> {
    spawn(binaries)?; // warms the caches
    (0..PAIRS)
        .map(|_| {
            let bare = spawn(binaries)?;
            let mut sensor = launch.start()?;
            sensor.wait_ready(READY_WITHIN)?;
            let round = sense(binaries, &sensor, bare)?;
            sensor.stop(READY_WITHIN)?;
            Ok(round)
        })
        .collect()
}

fn sense(binaries: &Path, sensor: &Program, bare: f64) -> Result<Round> {
    let cpu_before = sensor.cpu_seconds()?;
    let sensed = spawn(binaries)?;
    // The last records are on their way for some tens of milliseconds.
    std::thread::sleep(Duration::from_millis(300));
    let cpu = sensor.cpu_seconds()? - cpu_before;
    let resident_mib = sensor.resident_mib()?;
    Ok(Round { bare, sensed, resident_mib, cpu_microseconds: cpu * 1e6 / f64::from(SPAWNS) })
}

/// Microseconds that one fork+exec+exit takes.
fn spawn(binaries: &Path) -> Result<f64> {
    let acts = binaries.join("acts");
    let output = Command::new(&acts)
        .args(["spawn", &SPAWNS.to_string()])
        .args(["/bin/busybox", "true"])
        .output()
        .with_context(|| format!("starting {}", acts.display()))?;
    let nanoseconds: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(nanoseconds / 1000.0)
}

fn report(rounds: &[Round]) -> Report {
    let of = |pick: fn(&Round) -> f64| super::median(rounds.iter().map(pick).collect());
    let mut report = Report::default();
    report.add("fork+exec+exit, bare (median of 10)", of(|round| round.bare), "us", Goal::None);
    report.add(
        "fork+exec+exit, under the sensor (median of 10)",
        of(|round| round.sensed),
        "us",
        Goal::None,
    );
    let ratio = of(|round| round.sensed / round.bare);
    report.add("fork+exec+exit, ratio", ratio, "x", Goal::AtMost(1.05));
    let cpu = of(|round| round.cpu_microseconds);
    report.add(
        "sensor's own CPU an exec (rules, fork and exit included)",
        cpu,
        "us",
        Goal::AtMost(20.0),
    );
    report.add("sensor's RSS", of(|round| round.resident_mib), "MiB", Goal::AtMost(40.0));
    report
}
