//! The same load to a receiver of OpenTelemetry logs alone: rotel, which is not ours and outside the limits.

use crate::bench::report::{Goal, Report};
use crate::bench::{self};
use crate::{folders, step};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use suite::cgroup::Cgroup;
use suite::deadline::wait_for;
use suite::program::{Launch, Name};
use tempfile::TempDir;

const DELIVERED: &str = "defender_otlp_log_records_delivered_total";

/// More than goes through: the spool keeps the rest.
const RATE: u64 = 10_000;
const SECONDS: u64 = 10;

/// For so long after the load began it is counted what goes through.
const MEASURED: Duration = Duration::from_secs(30);

/// Offers the load, and counts what the receiver takes.
pub fn measure(
    binaries: &Path,
    limits: &Cgroup,
    compression: &str,
    report: &mut Report,
) -> Result<()> {
    let folder = TempDir::new()?;
    let receiver = Receiver::start(folder.path())?;
    let mut machine = bench::prepare(binaries, &folder)?;
    let launch = machine.launch(Name::PublisherDs)?;
    lead(&launch, receiver.port, compression)?;
    machine.add(&Launch { cgroup: Some(limits.clone()), ..launch })?;
    machine.wait_ready()?;

    let delivered = |machine: &mut suite::Machine| -> Result<f64> {
        let publisher = machine.program(Name::PublisherDs)?;
        Ok(publisher.metric(DELIVERED).unwrap_or(0.0))
    };
    let cpu_before = machine.program(Name::PublisherDs)?.cpu_seconds()?;
    let before = delivered(&mut machine)?;
    let begin = Instant::now();
    super::load(binaries, &machine, (RATE, SECONDS))?;
    std::thread::sleep(MEASURED.saturating_sub(begin.elapsed()));
    let events = delivered(&mut machine)? - before;
    let seconds = begin.elapsed().as_secs_f64();
    let publisher = machine.program(Name::PublisherDs)?;
    let cpu = publisher.cpu_seconds()? - cpu_before;
    let peak = publisher.peak_resident_mib()?;
    ensure!(events > 0.0, "nothing was delivered: {}", publisher.last_lines(20));
    machine.stop()?;

    let row = |what: &str| format!("OTLP, compression {compression}: {what}");
    report.add(row("delivered a second"), events / seconds, "events/s", Goal::None);
    report.add(row("CPU for a million"), cpu * 1e6 / events, "s", Goal::None);
    report.add(row("CPU of its limit (60m)"), cpu / seconds / 0.06, "x", Goal::None);
    report.add(row("RSS, highest"), peak, "MiB", Goal::AtMost(200.0));
    Ok(())
}

/// Has a publisher send to the receiver, and to no backend.
fn lead(launch: &Launch, port: u16, compression: &str) -> Result<()> {
    let text = fs::read_to_string(&launch.configuration)?;
    let mut configuration: Value = serde_json::from_str(&text)?;
    let sections = configuration.as_object_mut().context("the configuration has sections")?;
    sections.insert("backend".into(), json!({ "url": "" }));
    let endpoint = format!("http://127.0.0.1:{port}");
    let receiver = json!({
        "name": "receiver",
        "endpoint": endpoint,
        "compression": compression,
        "lanes": ["alert", "telemetry"],
    });
    sections.insert("otlp".into(), json!([receiver]));
    Ok(fs::write(&launch.configuration, configuration.to_string())?)
}

/// A receiver that takes everything and keeps nothing.
struct Receiver {
    child: Child,
    port: u16,
}

impl Receiver {
    fn start(folder: &Path) -> Result<Self> {
        let script = folders::repository().join("tests/otlp-receiver/install.sh");
        let program = step::output(&mut Command::new(script))?;
        let (grpc, http) = (free_ports::free_port(), free_ports::free_port());
        let log = fs::File::create(folder.join("receiver.log"))?;
        let child = Command::new(program.trim())
            .args(["start", "--exporter", "blackhole"])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting rotel")?;
        let receiver = Self { child, port: grpc };
        wait_for("the receiver listens", Duration::from_secs(30), || {
            TcpStream::connect(("127.0.0.1", grpc)).map(drop).context("it does not listen")
        })?;
        Ok(receiver)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
