//! `cargo xtask bench`: measures inside the workloads' real limits, in ratios to a baseline of the same run.

mod cluster;
mod detection;
mod hooks;
mod publisher;
mod report;
mod sensor;

use crate::binaries::{self, Profile};
use crate::folders;
use anyhow::{Context, Result, ensure};
use nix::unistd::Uid;
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use suite::configuration::Places;
use suite::{Machine, Options};
use tempfile::TempDir;

/// What a benchmark finds.
struct Setting {
    /// The folder of the programs.
    binaries: PathBuf,
    /// How often work is done bare and not, where it is done in turns.
    turns: usize,
}

/// A benchmark: its name, and what runs it.
type Benchmark = (&'static str, fn(&Setting) -> Result<Report>);

const BENCHMARKS: [Benchmark; 5] = [
    ("sensor", sensor::run),
    ("hooks", hooks::run),
    ("detection", detection::run),
    ("publisher", publisher::run),
    ("cluster", cluster::run),
];

#[derive(clap::Args)]
pub struct Arguments {
    /// Which one; all without it.
    #[arg(value_parser = BENCHMARKS.map(|(name, _)| name))]
    name: Option<String>,
    /// How often the sensor's works are done bare and sensed. Medians of fewer turns than ten say less.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    turns: u16,
    /// Folder with release binaries that were built before; they are built without it.
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    ensure!(Uid::effective().is_root(), "measuring inside cgroup limits takes root");
    let binaries = match &arguments.binaries {
        Some(folder) => folder.canonicalize().context("--binaries")?,
        None => binaries::build(Profile::Release)?,
    };
    let setting = Setting { binaries, turns: arguments.turns.into() };
    for (name, benchmark) in BENCHMARKS {
        if arguments.name.as_deref().is_none_or(|wanted| wanted == name) {
            println!("\n{name}");
            benchmark(&setting)?.publish(name)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A suite of its own for a benchmark, nothing started yet.
fn prepare(binaries: &Path, folder: &TempDir) -> Result<Machine> {
    Machine::prepare(Options {
        binaries: PathBuf::from(binaries),
        rules: folders::repository().join("rules"),
        places: Places::below(folder.path(), "bench"),
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
