//! What other programs cost that watch a node: the same works, in the same turns as bare and under the sensor.
//!
//! Each watches what the sensor's works touch: opens below /etc, programs that are run, connections.

mod auditd;
mod bpftrace;

use super::work::{Bench, WORKS, Work};
use crate::bench::median;
use crate::bench::report::{Goal, Report};
use anyhow::{Context, Result};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;
use suite::deadline::wait_for;
use tempfile::TempDir;

const READY_WITHIN: Duration = Duration::from_secs(20);
/// The last events are on their way for a while.
const SETTLES_WITHIN: Duration = Duration::from_millis(300);

/// A program of others.
struct Peer {
    name: &'static str,
    /// Debian's package of it.
    package: &'static str,
    /// Why it can't watch this machine; None where it can.
    refusal: fn() -> Result<Option<String>>,
    start: fn(&Path) -> Result<Watching>,
}

const PEERS: [Peer; 2] = [
    Peer {
        name: "bpftrace",
        package: "bpftrace",
        refusal: bpftrace::refusal,
        start: bpftrace::start,
    },
    Peer { name: "auditd", package: "auditd", refusal: auditd::refusal, start: auditd::start },
];

/// A peer at work.
struct Watching {
    child: Child,
    /// All that works for it: its processes, and threads of the kernel.
    pids: Vec<u32>,
    /// Where it writes what it sees.
    output: PathBuf,
    /// Undoes what its start did to the kernel.
    end: fn() -> Result<()>,
}

/// The peers of this machine, and what they cost so far.
pub struct Peers {
    present: Vec<(Peer, Vec<Vec<Cost>>)>,
    skipped: Vec<String>,
}

/// What one act cost: how many times the bare time, and nanoseconds of the peer's own CPU.
struct Cost {
    ratio: f64,
    cpu: f64,
}

impl Peers {
    /// Looks which ones are installed and can watch.
    pub fn find() -> Result<Self> {
        let (mut present, mut skipped) = (vec![], vec![]);
        for peer in PEERS {
            match peer.reason_to_skip()? {
                Some(reason) => skipped.push(format!("skipped: {reason}")),
                None => present.push((peer, vec![])),
            }
        }
        Ok(Self { present, skipped })
    }

    /// Does all works under each peer; `bare` is what they took without, just before.
    pub fn round(&mut self, bare: &[f64], bench: &Bench) -> Result<()> {
        for (peer, rounds) in &mut self.present {
            let costs = peer.costs(bare, bench);
            rounds.push(costs.with_context(|| format!("measuring {}", peer.name))?);
        }
        Ok(())
    }

    /// A row for each work under each peer, and why others have none.
    pub fn report(&self, report: &mut Report) {
        for (peer, rounds) in &self.present {
            for (place, work) in WORKS.iter().enumerate() {
                let median = |pick: fn(&Cost) -> f64| {
                    median(rounds.iter().map(|costs| pick(&costs[place])).collect())
                };
                let what = format!("{}: {}", work.what, peer.name);
                report.add(format!("{what}: ratio"), median(|cost| cost.ratio), "x", Goal::None);
                let cpu = median(|cost| cost.cpu) / 1e3;
                report.add(format!("{what}'s CPU"), cpu, "us", Goal::None);
            }
        }
        for reason in &self.skipped {
            report.note(reason.clone());
        }
    }
}

impl Peer {
    fn reason_to_skip(&self) -> Result<Option<String>> {
        if !is_installed(self.name) {
            return Ok(Some(format!("{} is not installed (package {})", self.name, self.package)));
        }
        let refusal = (self.refusal)()?;
        Ok(refusal.map(|why| format!("{} can't watch this machine: {why}", self.name)))
    }

    fn costs(&self, bare: &[f64], bench: &Bench) -> Result<Vec<Cost>> {
        let folder = TempDir::new()?;
        let mut watching = (self.start)(folder.path())?;
        let costs = watching.wait_ready().and_then(|()| {
            WORKS.iter().zip(bare).map(|(work, bare)| watching.cost(work, *bare, bench)).collect()
        });
        watching.stop()?;
        costs
    }
}

impl Watching {
    /// Does an act until it is told of.
    fn wait_ready(&mut self) -> Result<()> {
        wait_for("a program that was run is told of", READY_WITHIN, || {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("it ended: {status}: {}", self.told());
            }
            Command::new("true").status()?;
            let told = self.told();
            anyhow::ensure!(told.contains("/true"), "told so far: {told}");
            Ok(())
        })
    }

    fn told(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    fn cost(&self, work: &Work, bare: f64, bench: &Bench) -> Result<Cost> {
        let before = self.cpu_seconds()?;
        let watched = work.nanoseconds(bench)?;
        sleep(SETTLES_WITHIN);
        let cpu = (self.cpu_seconds()? - before) * 1e9 / f64::from(work.count);
        // What was told is not kept: it would fill the disk.
        fs::File::options().write(true).open(&self.output)?.set_len(0)?;
        Ok(Cost { ratio: watched / bare, cpu })
    }

    fn cpu_seconds(&self) -> Result<f64> {
        let mut sum = 0.0;
        for pid in &self.pids {
            let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(*pid)?))?;
            sum += Duration::from(clock.now()?).as_secs_f64();
        }
        Ok(sum)
    }

    fn stop(mut self) -> Result<()> {
        let ended = (self.end)();
        self.child.kill()?;
        self.child.wait()?;
        ended
    }
}

fn is_installed(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&folders).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().any(|folder: PathBuf| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_not_there_is_told() {
        let peer = Peer { name: "no-such-program", package: "none", ..PEERS[0] };
        let reason = peer.reason_to_skip().expect("a look").expect("a reason");
        assert_eq!(reason, "no-such-program is not installed (package none)");
    }
}
