//! A load that goes on: what the sensor must keep up with inside its limits.

use super::work::Bench;
use super::{READY_WITHIN, wait_idle};
use crate::bench::report::{Goal, Report};
use anyhow::{Context, Result, ensure};
use std::process::Command;
use suite::program::{Launch, Program};

const SECONDS: u32 = 20;
const RUNS: u32 = 1000;
/// An exec comes with a fork and an exit: 20,000 events in all.
const OPENS: u32 = 17_000;

/// What became of the load.
pub struct Sustained {
    seconds: f64,
    captured: f64,
    lost: f64,
    cpu: f64,
    peak_mib: f64,
}

pub fn measure(launch: &Launch, bench: &Bench) -> Result<Sustained> {
    println!("{OPENS} opens and {RUNS} execs a second for {SECONDS} s");
    let mut sensor = launch.start()?;
    sensor.wait_ready(READY_WITHIN)?;
    wait_idle(&sensor)?;
    let before = Counts::of(&sensor)?;
    let seconds = act(bench)?;
    wait_idle(&sensor)?;
    let after = Counts::of(&sensor)?;
    let sustained = Sustained {
        seconds,
        captured: after.captured - before.captured,
        lost: after.lost - before.lost,
        cpu: after.cpu - before.cpu,
        peak_mib: sensor.peak_resident_mib()?,
    };
    sensor.stop(READY_WITHIN)?;
    Ok(sustained)
}

struct Counts {
    captured: f64,
    lost: f64,
    cpu: f64,
}

impl Counts {
    fn of(sensor: &Program) -> Result<Self> {
        Ok(Self {
            captured: sensor.metric("defender_events_captured_total")?,
            lost: sensor.metric("defender_events_lost_total")?,
            cpu: sensor.cpu_seconds()?,
        })
    }
}

fn act(bench: &Bench) -> Result<f64> {
    let acts = bench.binaries.join("acts");
    let output = Command::new(&acts)
        .args(["sustain", "--seconds", &SECONDS.to_string(), "--runs", &RUNS.to_string()])
        .args(["--opens", &OPENS.to_string()])
        .arg(bench.files.folder())
        .arg("/bin/busybox")
        .output()
        .with_context(|| format!("starting {}", acts.display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

impl Sustained {
    pub fn add_to(&self, report: &mut Report) {
        let Self { seconds, captured, lost, cpu, peak_mib } = *self;
        let mut row = |what: &str, value, unit, goal| {
            report.add(format!("sustained load: {what}"), value, unit, goal);
        };
        row("events captured a second", captured / seconds, "1/s", Goal::AtLeast(19_000.0));
        row("events lost", lost, "", Goal::AtMost(0.0));
        row("CPU of the limit", cpu / seconds / 0.36, "x", Goal::AtMost(1.0));
        row("CPU for a million events", cpu / captured * 1e6, "s", Goal::None);
        row("highest resident memory", peak_mib, "MiB", Goal::AtMost(296.0));
    }
}
