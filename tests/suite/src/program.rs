//! One of our programs, running.

use crate::deadline::wait_for;
use anyhow::{Context, Result, anyhow, bail};
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
        // SAFETY: the closure only makes one system call, which is async-signal-safe.
        unsafe {
            command.pre_exec(|| prctl::set_pdeathsig(Signal::SIGKILL).map_err(Into::into));
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

    /// Resident memory now, in MiB.
    pub fn resident_mib(&self) -> Result<f64> {
        self.memory_mib("VmRSS:")
    }

    /// The most resident memory it ever had, in MiB.
    pub fn peak_resident_mib(&self) -> Result<f64> {
        self.memory_mib("VmHWM:")
    }

    /// A line of `/proc/PID/status`.
    fn memory_mib(&self, key: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        status
            .lines()
            .find_map(|line| {
                line.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse::<f64>().ok()
            })
            .map(|kib| kib / 1024.0)
            .with_context(|| format!("no {key} in its status"))
    }

    /// CPU time used so far, user and system, in seconds; the kernel counts it in nanoseconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(self.pid())?))?;
        Ok(Duration::from(clock.now()?).as_secs_f64())
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

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    /// SIGTERM, and waits for the end; SIGKILL after `limit`.
    pub fn stop(mut self, limit: Duration) -> Result<ExitStatus> {
        let pid = Pid::from_raw(i32::try_from(self.pid())?);
        if self.child.try_wait()?.is_none() {
            kill(pid, Signal::SIGTERM)?;
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

/// A GET whose answer counts whatever its status is.
fn ask(url: &str) -> Result<ureq::http::Response<ureq::Body>> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(5)))
        .build();
    Ok(ureq::Agent::new_with_config(config).get(url).call()?)
}
