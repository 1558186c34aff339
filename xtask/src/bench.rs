//! `cargo xtask bench`: measures inside the workloads' real limits, in ratios to a baseline of the same run.

mod detection;
mod hooks;
mod publisher;
mod report;
mod sensor;

use crate::binaries::{self, Profile};
use crate::folders;
use anyhow::{Result, ensure};
use nix::unistd::Uid;
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use suite::configuration::Places;
use suite::{Machine, Options};
use tempfile::TempDir;

/// A benchmark: its name, and what runs it with the folder of the binaries.
type Benchmark = (&'static str, fn(&Path) -> Result<Report>);

const BENCHMARKS: [Benchmark; 4] = [
    ("sensor", sensor::run),
    ("hooks", hooks::run),
    ("detection", detection::run),
    ("publisher", publisher::run),
];

#[derive(clap::Args)]
pub struct Arguments {
    /// Which one; all without it.
    #[arg(value_parser = BENCHMARKS.map(|(name, _)| name))]
    name: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    ensure!(Uid::effective().is_root(), "measuring inside cgroup limits takes root");
    let binaries = binaries::build(Profile::Release)?;
    for (name, benchmark) in BENCHMARKS {
        if arguments.name.as_deref().is_none_or(|wanted| wanted == name) {
            println!("\n{name}");
            benchmark(&binaries)?.publish(name)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A suite of its own for a benchmark, nothing started yet.
fn prepare(binaries: &Path, folder: &TempDir) -> Result<Machine> {
    Machine::prepare(Options {
        binaries: PathBuf::from(binaries),
        rules: folders::repository().join("rules"),
        places: Places::below(folder.path(), "bench")?,
        cluster: "bench".into(),
        docker_socket: None,
        kubeconfig: None,
        sensor: true,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
