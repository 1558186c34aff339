//! A cluster of the size that Kubernetes supports, watched inside the limits of collector-misc; and the same cluster
//! kept by kube-runtime's reflector, which is the usual way.

mod load;

use super::Setting;
use super::report::{Goal, Report};
use anyhow::{Context, Result, ensure};
use load::{Load, PODS};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};
use suite::cgroup::Cgroup;
use suite::deadline::wait_for;
use suite::program::{Launch, Name, Program, cpu_seconds, peak_resident_mib};
use tempfile::TempDir;

const MILLICORES: u64 = 60;
const BYTES: u64 = 64 << 20;
/// The port of /metrics.
const ADMIN_PORT: u16 = 39103;
const LISTED_WITHIN: Duration = Duration::from_mins(20);
/// No finding came for this while: no more come.
const NO_MORE: Duration = Duration::from_secs(15);
const CHANGING: Duration = Duration::from_mins(1);
/// Changes a second.
const RATE: f64 = 200.0;

/// The first list, then a minute of changes; then the peer.
pub fn run(setting: &Setting) -> Result<Report> {
    let folder = TempDir::new()?;
    let load = Load::start(&setting.binaries, folder.path())?;
    let name = format!("defender-bench-{}", std::process::id());
    let limits = Cgroup::limited(&name, MILLICORES, BYTES)?;
    let mut report = Report::default();
    measure(setting, folder.path(), &load, &limits, &mut report)?;
    limits.remove()?;
    measure_peer(&load, &mut report)?;
    Ok(report)
}

fn measure(
    setting: &Setting,
    folder: &Path,
    load: &Load,
    limits: &Cgroup,
    report: &mut Report,
) -> Result<()> {
    let configuration = json!({
        "admin": {"listen": format!("127.0.0.1:{ADMIN_PORT}")},
        "kubernetes": {"kubeconfig": load.kubeconfig},
        "publisher": {"socket": load.socket},
    });
    let launch =
        Launch::new(Name::CollectorMisc, &setting.binaries, folder, &configuration, ADMIN_PORT)?;
    let begin = Instant::now();
    let collector = Launch { cgroup: Some(limits.clone()), ..launch }.start()?;
    wait_for("every pod told", LISTED_WITHIN, || {
        let came = load.came()?;
        let pods = came["objects"]["Pod"].as_u64().unwrap_or_default();
        ensure!(pods >= PODS, "{pods} of {PODS}; {}", collector.last_lines(5));
        Ok(())
    })?;
    let listed = begin.elapsed().as_secs_f64();
    let listed_cpu = collector.cpu_seconds()?;
    report.add(
        "first snapshot: 150,000 pods, 5,000 nodes, 10,000 services",
        listed,
        "s",
        Goal::None,
    );
    report.add("CPU for the first snapshot", listed_cpu, "s", Goal::None);
    measure_findings(load, begin, report)?;
    measure_changes(load, &collector, report)?;
    let peak = collector.peak_resident_mib()?;
    report.add("RSS, highest", peak, "MiB", Goal::AtMost(48.0));
    report.add("of it its program, at the end", collector.resident_files_mib()?, "MiB", Goal::None);
    report.add("memory of the cgroup, highest", limits.peak_mib()?, "MiB", Goal::AtMost(64.0));
    let lost = load.came()?["lost"].as_f64().context("no count of losses")?;
    report.add("lost", lost, "records", Goal::AtMost(0.0));
    Ok(())
}

/// They are told in one go: all have come when no more come.
#[allow(clippy::cast_precision_loss)] // Fewer findings than 2^53.
fn measure_findings(load: &Load, begin: Instant, report: &mut Report) -> Result<()> {
    let (mut findings, mut last) = (0, Instant::now());
    wait_for("every finding told", LISTED_WITHIN, || {
        let came = load.came()?["findings"].as_u64().unwrap_or_default();
        if came > findings {
            (findings, last) = (came, Instant::now());
        }
        ensure!(findings > 0 && last.elapsed() > NO_MORE, "{findings} until now");
        Ok(())
    })?;
    report.add("findings", findings as f64, "", Goal::None);
    let seconds = last.duration_since(begin).as_secs_f64();
    report.add("every finding told, from the start", seconds, "s", Goal::None);
    Ok(())
}

fn measure_changes(load: &Load, collector: &Program, report: &mut Report) -> Result<()> {
    let cpu = collector.cpu_seconds()?;
    load.change()?;
    std::thread::sleep(CHANGING);
    let used = collector.cpu_seconds()? - cpu;
    let came = load.came()?;
    let number = |key: &str| came[key].as_f64().with_context(|| format!("no {key} in {came}"));
    let seconds = CHANGING.as_secs_f64();
    report.add(
        "changes told a second, of 200",
        number("changes")? / seconds,
        "1/s",
        Goal::AtLeast(RATE * 0.95),
    );
    report.add("CPU of its limit (60m) then", used / seconds / 0.06, "x", Goal::AtMost(1.0));
    report.add("delay of a change, p50", number("delay_p50")?, "ms", Goal::None);
    report.add("delay of a change, p99", number("delay_p99")?, "ms", Goal::None);
    Ok(())
}

/// Without limits, which would end it.
fn measure_peer(load: &Load, report: &mut Report) -> Result<()> {
    let (peer, seconds) = load.reflect()?;
    let name = "kube-runtime's reflector of pods, nodes and services, no limits";
    report.add(format!("{name}: filled"), seconds, "s", Goal::None);
    report.add(format!("{name}: CPU"), cpu_seconds(peer.id())?, "s", Goal::None);
    report.add(format!("{name}: RSS"), peak_resident_mib(peer.id())?, "MiB", Goal::None);
    Ok(())
}
