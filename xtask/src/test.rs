//! `cargo xtask test`: every check and test, in order, with a closing summary.

mod outcome;
mod steps;

use crate::{debian, folders};
use anyhow::{Result, ensure};
use nix::unistd::Uid;
use outcome::Outcome;
use std::process::ExitCode;
use std::time::Instant;
use steps::{STEPS, Setting, Step};
use suite::docker::Docker;

#[derive(clap::Args)]
pub struct Arguments {
    /// Runs these steps alone; may be given several times.
    #[arg(long, value_name = "STEP", value_parser = steps::names())]
    only: Vec<String>,
}

/// A step that ended.
struct Finished {
    step: &'static Step,
    outcome: Outcome,
    seconds: u64,
}

/// Fails only after every step was tried: one run shows all that is wrong.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    ensure!(Uid::effective().is_root(), "the tests load eBPF programs, which takes root");
    debian::install(&debian::BUILD)?;
    debian::install(&debian::CONTAINERS)?;
    debian::install(&debian::TESTS)?;
    let docker = Docker::find_or_start(&folders::cache()?.join("test"))?;
    let setting = Setting::new(&docker)?;
    let chosen = STEPS.iter().filter(|step| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| name == step.name)
    });
    let finished: Vec<Finished> = chosen.map(|step| finish(step, &setting)).collect();
    Ok(summarise(&finished))
}

fn finish(step: &'static Step, setting: &Setting) -> Finished {
    println!("\n=== {}: {}", step.name, step.shows);
    let begin = Instant::now();
    let outcome = (step.run)(setting).unwrap_or_else(|error| {
        println!("{error:#}");
        Outcome::failed()
    });
    Finished { step, outcome, seconds: begin.elapsed().as_secs() }
}

fn summarise(finished: &[Finished]) -> ExitCode {
    println!("\n{:<14} {:>6} {:>6} {:>7} {:>5}  SHOWS", "STEP", "PASSED", "FAILED", "SKIPPED", "S");
    for Finished { step, outcome, seconds } in finished {
        let Outcome { passed, failed, skipped, .. } = outcome;
        println!(
            "{:<14} {passed:>6} {failed:>6} {skipped:>7} {seconds:>5}  {}",
            step.name, step.shows
        );
    }
    for note in finished.iter().flat_map(|finished| &finished.outcome.notes) {
        println!("{note}");
    }
    let total =
        finished.iter().fold(Outcome::default(), |sum, finished| sum.plus(&finished.outcome));
    for Finished { step, outcome, .. } in finished.iter().filter(|it| !it.outcome.ending.is_empty())
    {
        println!("\n=== how {} ended:\n{}", step.name, outcome.ending.join("\n"));
    }
    println!("\n{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    if total.failed == 0 && total.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
