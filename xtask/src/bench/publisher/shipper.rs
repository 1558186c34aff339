//! The publisher's work through a shipper of logs: lines of JSON from a Unix socket, a queue, mutual TLS.

use crate::bench::report::{Goal, Report};
use crate::step;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use suite::certificates::Certificates;
use suite::cgroup::Cgroup;
use suite::deadline::wait_for;
use suite::program::{cpu_seconds, peak_resident_mib};
use tempfile::TempDir;

/// A program that ships lines, set in one way.
pub trait Shipper {
    /// Names its rows.
    fn name(&self) -> String;

    /// Starts it in the foreground with `shipper.conf` of a folder.
    fn command(&self, folder: &Path) -> Command;

    /// What stands in that file: lines come in at `in.sock` of the folder.
    fn configuration(&self, way: &Way<'_>) -> String;
}

/// Where lines come from, and go to over mutual TLS.
pub struct Way<'a> {
    /// In it there is `queue`, a folder for the queue.
    pub folder: &'a Path,
    pub certificates: &'a Certificates,
    /// Of localhost.
    pub port: u16,
}

/// Offers what the publisher was offered, for as long, inside the same limits.
pub fn measure(
    binaries: &Path,
    limits: &Cgroup,
    shipper: &dyn Shipper,
    (rate, seconds): (u64, u64),
    report: &mut Report,
) -> Result<()> {
    let folder = TempDir::new()?;
    let site = Site::begin(binaries, folder.path(), limits, shipper)?;
    let begin = Instant::now();
    let cpu_before = site.shipper.cpu_seconds()?;
    let taken = site.send(binaries, rate, seconds)?;
    let until = begin + Duration::from_secs(seconds);
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
    let came = site.came()?;
    let spent = begin.elapsed().as_secs_f64();
    let cpu = site.shipper.cpu_seconds()? - cpu_before;
    let number = |key: &str| came[key].as_f64().with_context(|| format!("no {key} in {came}"));
    let (lines, p50, p99) = (number("lines")?, number("p50")?, number("p99")?);
    let name = shipper.name();
    ensure!(lines > 0.0, "{name} delivered nothing: {}", site.log());
    report.add(
        format!("{name}: taken of offered"),
        taken / offered(rate, seconds),
        "x",
        Goal::None,
    );
    report.add(format!("{name}: delivered a second"), lines / spent, "events/s", Goal::None);
    report.add(format!("{name}: CPU for a million"), cpu * 1e6 / lines, "s", Goal::None);
    report.add(
        format!("{name}: RSS, highest"),
        site.shipper.peak_resident_mib()?,
        "MiB",
        Goal::None,
    );
    report.add(format!("{name}: delay, p50"), p50 / 1e9, "s", Goal::None);
    report.add(format!("{name}: delay, p99"), p99 / 1e9, "s", Goal::None);
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // Counts of a benchmark are far below 2^53.
fn offered(rate: u64, seconds: u64) -> f64 {
    (rate * seconds) as f64
}

/// A child that ends with the benchmark.
struct Running(Child);

impl Running {
    fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.0.id())
    }

    fn peak_resident_mib(&self) -> Result<f64> {
        peak_resident_mib(self.0.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The shipper and who receives from it.
struct Site {
    folder: PathBuf,
    shipper: Running,
    _receiver: Running,
}

impl Site {
    fn begin(
        binaries: &Path,
        folder: &Path,
        limits: &Cgroup,
        shipper: &dyn Shipper,
    ) -> Result<Self> {
        let certificates = Certificates::in_directory(&folder.join("tls"), "bench", "bench")?;
        let port = free_ports::free_port();
        let receiver = start_receiver(binaries, folder, &certificates, port)?;
        fs::create_dir(folder.join("queue"))?;
        let way = Way { folder, certificates: &certificates, port };
        fs::write(folder.join("shipper.conf"), shipper.configuration(&way))?;
        let log = fs::File::create(folder.join("shipper.log"))?;
        let mut command = shipper.command(folder);
        let child = command.stdout(log.try_clone()?).stderr(log).stdin(Stdio::null()).spawn()?;
        let running = Running(child);
        limits.add(running.0.id())?;
        let site = Self { folder: folder.to_owned(), shipper: running, _receiver: receiver };
        wait_for("the shipper listens", Duration::from_secs(30), || {
            ensure!(site.folder.join("in.sock").exists(), "{}", site.log());
            Ok(())
        })?;
        Ok(site)
    }

    fn send(&self, binaries: &Path, rate: u64, seconds: u64) -> Result<f64> {
        let mut sender = Command::new(binaries.join("line-load"));
        sender.arg("send").arg("--socket").arg(self.folder.join("in.sock"));
        sender.args(["--rate", &rate.to_string(), "--seconds", &seconds.to_string()]);
        Ok(step::output(&mut sender)?.trim().parse()?)
    }

    fn came(&self) -> Result<Value> {
        let told = fs::read_to_string(self.folder.join("received"))?;
        let last = told.lines().last().with_context(|| format!("nothing came: {}", self.log()))?;
        Ok(serde_json::from_str(last)?)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("shipper.log")).unwrap_or_default()
    }
}

fn start_receiver(
    binaries: &Path,
    folder: &Path,
    certificates: &Certificates,
    port: u16,
) -> Result<Running> {
    let (certificate, key) = certificates.backend();
    let mut command = Command::new(binaries.join("line-load"));
    command.args(["receive", "--listen", &format!("127.0.0.1:{port}")]);
    command.arg("--certificate").arg(certificate).arg("--key").arg(key);
    command.arg("--client-ca").arg(certificates.authority());
    command.stdout(fs::File::create(folder.join("received"))?);
    // It tells of connections that break, as they do when the shipper ends.
    command.stderr(fs::File::create(folder.join("receiver.log"))?);
    Ok(Running(command.spawn().context("starting line-load")?))
}
