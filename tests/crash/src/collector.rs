//! The collectors of a run, one after another: each is a process of its own, with numbers of its own.

use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use suite::deadline::wait_for;

/// Numbers that one process may use.
const NUMBERS_EACH: u32 = 1_000_000;

/// Processes that may be in one series: four series fit into the numbers.
const PROCESSES_EACH: u32 = 1000;

const DRAINED_WITHIN: Duration = Duration::from_mins(2);

/// What the publisher acknowledged to one process.
#[derive(Clone, Debug)]
pub struct Told {
    first: u32,
    acknowledged: u32,
}

impl Told {
    /// The numbers that must be stored.
    pub fn acknowledged(&self) -> Range<u64> {
        u64::from(self.first)..u64::from(self.first + self.acknowledged)
    }

    /// The numbers that may be: those above were the process's own, and died with it.
    pub fn possible(&self) -> Range<u64> {
        u64::from(self.first)..u64::from(self.first + NUMBERS_EACH)
    }
}

/// A process that sends, and all that were before it in its series.
pub struct Collectors {
    series: u32,
    binary: PathBuf,
    socket: PathBuf,
    told: Vec<Told>,
    running: Option<Running>,
}

struct Running {
    first: u32,
    child: Child,
    reader: JoinHandle<Heard>,
}

/// What a process said before it ended.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    acknowledged: u32,
    sent: Option<u32>,
}

impl Collectors {
    /// Starts the first of a series, from 0 to 3: each series has numbers of its own.
    pub fn start(series: u32, binary: &Path, socket: &Path) -> Result<Self> {
        let (binary, socket) = (binary.to_owned(), socket.to_owned());
        let mut collectors = Self { series, binary, socket, told: Vec::new(), running: None };
        collectors.start_next()?;
        Ok(collectors)
    }

    fn start_next(&mut self) -> Result<()> {
        let process = u32::try_from(self.told.len())?;
        ensure!(process < PROCESSES_EACH, "the series has no more numbers");
        let first = (self.series * PROCESSES_EACH + process) * NUMBERS_EACH + 1;
        let mut child = Command::new(&self.binary)
            .arg(&self.socket)
            .arg(first.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", self.binary.display()))?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let reader = thread::spawn(|| listen(output));
        self.running = Some(Running { first, child, reader });
        Ok(())
    }

    /// kill -9 of the present one, and a start of the next.
    pub fn crash_and_restart(&mut self) -> Result<()> {
        if let Some(mut running) = self.running.take() {
            running.child.kill()?;
            running.child.wait()?;
            self.note(running)?;
        }
        self.start_next()
    }

    /// Lets the last one finish: all that it sent is acknowledged then. Returns what was acknowledged to each.
    pub fn finish(mut self) -> Result<Vec<Told>> {
        let mut running = self.running.take().context("one runs")?;
        drop(running.child.stdin.take());
        let status = wait_for("all that was sent acknowledged", DRAINED_WITHIN, || {
            running.child.try_wait()?.context("the collector still sends")
        })?;
        ensure!(status.success(), "the last collector ended with {status}");
        let heard = self.note(running)?;
        ensure!(heard.sent == Some(heard.acknowledged), "it ended with {heard:?}");
        Ok(std::mem::take(&mut self.told))
    }

    fn note(&mut self, running: Running) -> Result<Heard> {
        let heard = running.reader.join().ok().context("the reader failed")?;
        self.told.push(Told { first: running.first, acknowledged: heard.acknowledged });
        Ok(heard)
    }
}

impl Drop for Collectors {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

/// Reads to the end what a process tells. A last line that the kill cut short is no line.
fn listen(output: ChildStdout) -> Heard {
    let mut heard = Heard::default();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        match line.strip_prefix("sent ") {
            Some(sent) => heard.sent = sent.parse().ok(),
            None => heard.acknowledged = line.parse().unwrap_or(heard.acknowledged),
        }
    }
    heard
}
