//! One of our programs, running.

use crate::deadline::wait_for;
use anyhow::{Context, Result, anyhow, bail};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// The programs of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// Ingests, stores, shows.
    Backend,
    /// Spools and sends.
    PublisherDs,
    /// The node's sensor.
    CollectorDs,
    /// The cluster's collector.
    CollectorMisc,
}

impl Name {
    /// In the order in which they start: each finds the next hop ready.
    pub const ALL: [Self; 4] =
        [Self::Backend, Self::PublisherDs, Self::CollectorDs, Self::CollectorMisc];

    /// The binary's file name.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::PublisherDs => "publisher-ds",
            Self::CollectorDs => "collector-ds",
            Self::CollectorMisc => "collector-misc",
        }
    }
}

/// How to start a program: kept, so that it can be started again after a crash.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Which one.
    pub name: Name,
    /// The binary.
    pub binary: PathBuf,
    /// The configuration file, written by [`Launch::new`].
    pub configuration: PathBuf,
    /// Standard output and error go here, appended.
    pub log: PathBuf,
    /// The port of /readyz and /metrics.
    pub admin_port: u16,
    /// A cgroup to start in.
    pub cgroup: Option<crate::cgroup::Cgroup>,
    /// A network namespace to start in, such as `/run/netns/NAME`.
    pub network: Option<PathBuf>,
}

impl Launch {
    /// Writes the configuration below `directory`.
    pub fn new(
        name: Name,
        binaries: &Path,
        directory: &Path,
        configuration: &Value,
        admin_port: u16,
    ) -> Result<Self> {
        let file = directory.join(format!("{}.yaml", name.file_name()));
        fs::write(&file, serde_json::to_string_pretty(configuration)?)
            .with_context(|| format!("writing {}", file.display()))?;
        Ok(Self {
            name,
            binary: binaries.join(name.file_name()),
            configuration: file,
            log: directory.join(format!("{}.log", name.file_name())),
            admin_port,
            cgroup: None,
            network: None,
        })
    }

    /// Starts it. It is killed when this process ends, however it ends.
    pub fn start(&self) -> Result<Program> {
        let log = fs::File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.binary);
        command
            .arg("--config")
            .arg(&self.configuration)
            .env_remove("NODE_NAME")
            // As in the images.
            .env("MIMALLOC_PURGE_DELAY", "10")
            .env("MIMALLOC_ALLOW_THP", "0")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        let network = self.network.as_ref().map(fs::File::open).transpose()?;
        // SAFETY: the closure only makes two system calls, which are async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                network.as_ref().map_or(Ok(()), |file| setns(file, CloneFlags::CLONE_NEWNET))?;
                prctl::set_pdeathsig(Signal::SIGKILL).map_err(Into::into)
            });
        }
        let child =
            command.spawn().with_context(|| format!("starting {}", self.binary.display()))?;
        if let Some(cgroup) = &self.cgroup {
            cgroup.add(child.id())?;
        }
        Ok(Program { launch: self.clone(), child })
    }
}

/// A running program. Dropped, it is killed.
#[derive(Debug)]
pub struct Program {
    launch: Launch,
    child: Child,
}

impl Program {
    /// Which one.
    pub fn name(&self) -> Name {
        self.launch.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until /readyz says yes.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        let name = self.launch.name.file_name();
        let url = format!("http://127.0.0.1:{}/readyz", self.launch.admin_port);
        wait_for(&format!("{name} ready"), limit, || {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Err(anyhow!("{name} ended with {status}")));
            }
            let mut answer = ask(&url)?;
            if answer.status() == 200 {
                return Ok(Ok(()));
            }
            bail!("{}", answer.body_mut().read_to_string()?.trim())
        })
        .flatten()
        .with_context(|| format!("the end of its log:\n{}", self.last_lines(12)))
    }

    /// What /metrics says now.
    pub fn metrics(&self) -> Result<String> {
        let mut answer = ask(&format!("http://127.0.0.1:{}/metrics", self.launch.admin_port))?;
        Ok(answer.body_mut().read_to_string()?)
    }

    /// The sum of a metric over all its labels; 0 where it does not stand there.
    pub fn metric(&self, name: &str) -> Result<f64> {
        self.metric_where(name, "")
    }

    /// The same of the lines that have `label`, such as `reason="ring_full"`.
    pub fn metric_where(&self, name: &str, label: &str) -> Result<f64> {
        let text = self.metrics()?;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let counts = rest.starts_with(['{', ' ']) && rest.contains(label);
            counts.then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
        });
        Ok(values.fold(0.0, |sum, value| sum + value))
    }

    /// A quantile of a histogram's lines that have `label`, by linear interpolation within its bucket, as Prometheus'
    /// `histogram_quantile` does. None where nothing was counted.
    pub fn quantile(&self, name: &str, label: &str, quantile: f64) -> Result<Option<f64>> {
        let text = self.metrics()?;
        let prefix = format!("{name}_bucket{{");
        let buckets = text.lines().filter(|line| line.starts_with(&prefix) && line.contains(label));
        let mut buckets: Vec<(f64, f64)> = buckets.filter_map(bucket).collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        Ok(quantile_of(&buckets, quantile))
    }

    /// Resident memory now, in MiB.
    pub fn resident_mib(&self) -> Result<f64> {
        memory_mib(self.pid(), "VmRSS:")
    }

    /// The most resident memory it ever had, in MiB.
    pub fn peak_resident_mib(&self) -> Result<f64> {
        peak_resident_mib(self.pid())
    }

    /// How much of its files, such as its own program, it has in memory at this time, in MiB.
    pub fn resident_files_mib(&self) -> Result<f64> {
        memory_mib(self.pid(), "RssFile:")
    }

    /// CPU time used so far, user and system, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.pid())
    }

    /// The same of its threads of one name alone.
    pub fn thread_cpu_seconds(&self, name: &str) -> Result<f64> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid()))? {
            let folder = thread?.path();
            if fs::read_to_string(folder.join("comm"))?.trim_end() == name {
                let counts = fs::read_to_string(folder.join("schedstat"))?;
                let used = counts.split(' ').next().context("schedstat has numbers")?;
                nanoseconds += used.parse::<u64>()?;
            }
        }
        Ok(Duration::from_nanos(nanoseconds).as_secs_f64())
    }

    /// The last lines of its log.
    pub fn last_lines(&self, count: usize) -> String {
        let text = fs::read_to_string(&self.launch.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// Sends SIGKILL and starts it again.
    pub fn crash_and_restart(&mut self) -> Result<()> {
        self.kill()?;
        *self = self.launch.start()?;
        Ok(())
    }

    /// Sends a signal: SIGSTOP, say.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.pid())?), signal)?)
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    /// SIGTERM, and waits for the end; SIGKILL after `limit`.
    pub fn stop(mut self, limit: Duration) -> Result<ExitStatus> {
        if self.child.try_wait()?.is_none() {
            self.signal(Signal::SIGTERM)?;
        }
        let name = self.launch.name.file_name();
        wait_for(&format!("{name} drained"), limit, || {
            self.child.try_wait()?.context("it still runs")
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The upper bound and the count of `name_bucket{…le="0.1"} 7`.
fn bucket(line: &str) -> Option<(f64, f64)> {
    let (labels, count) = line.rsplit_once(' ')?;
    let bound = labels.split_once("le=\"")?.1.split_once('"')?.0;
    let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
    Some((bound, count.parse().ok()?))
}

/// Of buckets with their upper bounds and the counts up to them.
fn quantile_of(buckets: &[(f64, f64)], quantile: f64) -> Option<f64> {
    let all = buckets.last().map(|bucket| bucket.1).filter(|count| *count > 0.0)?;
    let wanted = all * quantile;
    let place = buckets.iter().position(|bucket| bucket.1 >= wanted)?;
    let (lower, before) = if place == 0 { (0.0, 0.0) } else { buckets[place - 1] };
    let (upper, through) = buckets[place];
    if upper.is_infinite() {
        return Some(lower);
    }
    Some(lower + (upper - lower) * (wanted - before) / (through - before))
}

/// CPU time that a process used so far, user and system, in seconds; the kernel counts it in nanoseconds.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid)?))?;
    Ok(Duration::from(clock.now()?).as_secs_f64())
}

/// The most resident memory that a process ever had, in MiB.
pub fn peak_resident_mib(pid: u32) -> Result<f64> {
    memory_mib(pid, "VmHWM:")
}

/// A line of `/proc/PID/status`.
fn memory_mib(pid: u32, key: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse::<f64>().ok())
        .map(|kib| kib / 1024.0)
        .with_context(|| format!("no {key} in its status"))
}

/// A GET whose answer counts whatever its status is.
fn ask(url: &str) -> Result<ureq::http::Response<ureq::Body>> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(5)))
        .build();
    Ok(ureq::Agent::new_with_config(config).get(url).call()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let lines = [
            r#"x_bucket{lane="a",le="0.1"} 50"#,
            r#"x_bucket{lane="a",le="0.2"} 100"#,
            r#"x_bucket{lane="a",le="+Inf"} 100"#,
        ];
        let buckets: Vec<_> = lines.into_iter().filter_map(bucket).collect();
        assert_eq!(quantile_of(&buckets, 0.5), Some(0.1));
        assert!((quantile_of(&buckets, 0.75).unwrap() - 0.15).abs() < 1e-9);
        assert_eq!(quantile_of(&[], 0.5), None);
    }
}
