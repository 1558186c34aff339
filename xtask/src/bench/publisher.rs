//! How many events the publisher makes durable and delivers over mutual TLS, inside its limits; how many to a
//! receiver of OpenTelemetry logs; and rsyslog and syslog-ng, asked for the same.

mod otlp;
mod rsyslog;
mod shipper;
mod syslog_ng;

use super::Setting;
use super::report::{Goal, Report};
use crate::step;
use anyhow::{Context, Result, ensure};
use rsyslog::Queue;
use shipper::Shipper;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use suite::Machine;
use suite::cgroup::Cgroup;
use suite::deadline::wait_for;
use suite::program::{Launch, Name};
use syslog_ng::{Buffer, SyslogNg};
use tempfile::TempDir;

const MILLICORES: u64 = 60;
const BYTES: u64 = 200 << 20;
const SECONDS: u64 = 20;
const RATE: u64 = 50_000;
const DELIVERED_WITHIN: Duration = Duration::from_mins(2);

/// A steady load, from the socket to the backend's acknowledgement.
pub fn run(setting: &Setting) -> Result<Report> {
    let binaries = &setting.binaries;
    let mut report = within_limits(|limits| measure(binaries, limits))?;
    for compression in ["gzip", "none"] {
        within_limits(|limits| otlp::measure(binaries, limits, compression, &mut report))?;
    }
    for shipper in shippers(&mut report) {
        let load = (RATE, SECONDS);
        within_limits(|limits| {
            shipper::measure(binaries, limits, shipper.as_ref(), load, &mut report)
        })?;
    }
    Ok(report)
}

/// Those that can be had here; of the others the report says why not.
fn shippers(report: &mut Report) -> Vec<Box<dyn Shipper>> {
    let mut shippers: Vec<Box<dyn Shipper>> = Vec::new();
    match rsyslog::missing() {
        Some(reason) => report.note(reason),
        None => shippers.extend([Queue::DiskAssisted, Queue::Disk].map(|it| Box::new(it) as _)),
    }
    match syslog_ng::install() {
        Err(error) => report.note(format!("no row of syslog-ng: {error:#}")),
        Ok(root) => {
            let both = [Buffer::Normal, Buffer::Reliable];
            shippers.extend(both.map(|it| Box::new(SyslogNg::new(&root, it)) as _));
        }
    }
    shippers
}

/// In a cgroup with the publisher's limits, of its own each time: CPU that one did not use is nobody's else.
fn within_limits<T>(measure: impl FnOnce(&Cgroup) -> Result<T>) -> Result<T> {
    let name = format!("defender-bench-{}", std::process::id());
    let limits = Cgroup::limited(&name, MILLICORES, BYTES)?;
    let measured = measure(&limits);
    limits.remove()?;
    measured
}

#[allow(clippy::cast_precision_loss)] // Counts of a benchmark are far below 2^53.
fn measure(binaries: &Path, limits: &Cgroup) -> Result<Report> {
    let folder = TempDir::new()?;
    let mut machine = super::prepare(binaries, &folder)?;
    machine.add(&machine.launch(Name::Backend)?)?;
    let launch = machine.launch(Name::PublisherDs)?;
    machine.add(&Launch { cgroup: Some(limits.clone()), ..launch })?;
    machine.wait_ready()?;

    let cpu_before = machine.program(Name::PublisherDs)?.cpu_seconds()?;
    let begin = Instant::now();
    load(binaries, &machine, (RATE, SECONDS))?;
    let events = (RATE * SECONDS) as f64;
    wait_until_delivered(&mut machine, events)?;
    let seconds = begin.elapsed().as_secs_f64();
    let publisher = machine.program(Name::PublisherDs)?;
    let cpu = publisher.cpu_seconds()? - cpu_before;
    let peak = publisher.peak_resident_mib()?;
    let dropped = publisher.metric("defender_spool_dropped_total")?;
    let backend = machine.program(Name::Backend)?;
    let delay = |quantile| {
        let found = backend.quantile("defender_ingest_delay_seconds", "telemetry", quantile)?;
        found.context("the backend counted no delay")
    };
    let (p50, p99) = (delay(0.5)?, delay(0.99)?);
    machine.stop()?;

    let mut report = Report::default();
    report.add("events offered a second, for 20 s", RATE as f64, "events/s", Goal::None);
    report.add("events durable and delivered a second", events / seconds, "events/s", Goal::None);
    report.add("delivered of offered", events / seconds / RATE as f64, "x", Goal::AtLeast(0.95));
    report.add("dropped by the spool", dropped, "events", Goal::AtMost(0.0));
    report.add("publisher's CPU for a million events", cpu * 1e6 / events, "s", Goal::None);
    report.add("publisher's CPU of its limit (60m)", cpu / seconds / 0.06, "x", Goal::AtMost(1.0));
    report.add("delay from the event to the store, p50", p50, "s", Goal::None);
    report.add("delay from the event to the store, p99", p99, "s", Goal::None);
    report.add("publisher's RSS, highest", peak, "MiB", Goal::AtMost(32.0));
    Ok(report)
}

fn load(binaries: &Path, machine: &Machine, (rate, seconds): (u64, u64)) -> Result<()> {
    let mut generator = Command::new(binaries.join("load-generator"));
    generator.arg("--socket").arg(machine.options().places.socket());
    generator.args(["--rate", &rate.to_string(), "--seconds", &seconds.to_string()]);
    step::run(&mut generator)
}

fn wait_until_delivered(machine: &mut Machine, events: f64) -> Result<()> {
    wait_for("every event delivered", DELIVERED_WITHIN, || {
        let delivered =
            machine.program(Name::PublisherDs)?.metric("defender_records_delivered_total")?;
        ensure!(delivered >= events, "{delivered} of {events}");
        Ok(())
    })
}
