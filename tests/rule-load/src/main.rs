//! Records what a mixed load does on this machine, then evaluates rule sets over it.

mod allocations;
mod load;
mod recording;
mod rule_sets;

use alerting::Rules;
use allocations::allocations;
use anyhow::{Context, Result};
use clap::Parser;
use detection::{Act, Engine};
use event_model::{Host, Process};
use recording::{Recorded, Recording};
use serde::Serialize;
use smallvec::SmallVec;
use std::path::PathBuf;
use std::time::Instant;

/// Prints a line of JSON for each rule set.
#[derive(Parser)]
struct Arguments {
    /// How many events are recorded.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// The folder of our rules.
    #[arg(long)]
    rules: PathBuf,
    /// A folder of other rule files, loaded together.
    #[arg(long)]
    others: Option<PathBuf>,
    /// The program that acts.
    #[arg(long)]
    acts: PathBuf,
}

/// What a rule set costs.
#[derive(Serialize)]
struct Cost {
    name: &'static str,
    rules: usize,
    events: usize,
    nanoseconds: f64,
    /// Of all events together, when each has been evaluated before.
    allocations: u64,
    matches: u64,
}

/// How much of a load the kernel keeps to itself where it is told what our rules look at.
#[derive(Serialize)]
struct Kept {
    name: &'static str,
    everything: u64,
    told: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    print(&kept_in_the_kernel(&arguments)?)?;
    let recording = recording::record(arguments.events, &arguments.acts)?;
    let ours = Engine::compile(rule_files::load(std::slice::from_ref(&arguments.rules))?);
    print(&cost("ours", &[ours], &recording))?;
    if let Some(folder) = &arguments.others {
        print(&cost(
            "others",
            &[Engine::compile(rule_files::load(std::slice::from_ref(folder))?)],
            &recording,
        ))?;
    }
    let many = rule_sets::synthetic(1000);
    print(&cost("1,000 synthetic", &[rule_sets::load(&many)?], &recording))?;
    let each: Result<Vec<_>> =
        many.iter().map(|rule| rule_sets::load(std::slice::from_ref(rule))).collect();
    print(&cost("1,000 synthetic, each by itself", &each?, &recording.beginning(10_000)))
}

fn print(line: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(line)?);
    Ok(())
}

fn kept_in_the_kernel(arguments: &Arguments) -> Result<Kept> {
    let rules = Rules::load(std::slice::from_ref(&arguments.rules)).context("our rules")?;
    let everything = recording::told_of_one_load(&recording::everything(), &arguments.acts)?;
    let told = recording::told_of_one_load(&recording::of_rules(&rules)?, &arguments.acts)?;
    Ok(Kept { name: "told by the kernel", everything, told })
}

fn cost(name: &'static str, engines: &[Engine], recording: &Recording) -> Cost {
    let host = Host::default();
    let run = || recording.events.iter().map(|event| evaluate(engines, event, &host)).sum();
    let matches: u64 = run();
    let before = allocations();
    let begin = Instant::now();
    let again: u64 = run();
    let elapsed = begin.elapsed();
    assert_eq!(again, matches, "the same events match the same rules");
    let events = recording.events.len();
    Cost {
        name,
        rules: engines.iter().map(|engine| engine.rules().len()).sum(),
        events,
        nanoseconds: elapsed.as_secs_f64() * 1e9 / recording::number(events),
        allocations: allocations() - before,
        matches,
    }
}

/// As the sensor does it, without what it makes of a match.
fn evaluate(engines: &[Engine], recorded: &Recorded, host: &Host) -> u64 {
    let ancestors: SmallVec<[&Process; 16]> =
        recorded.ancestors.iter().map(AsRef::as_ref).collect();
    let act = Act {
        event: &recorded.event,
        process: &recorded.process,
        ancestors: &ancestors,
        container: None,
        host,
        remote_name: None,
        is_on_sensor: false,
        environment: None,
        login_name: None,
        group_name: None,
    };
    engines.iter().map(|engine| engine.evaluate(&act).count() as u64).sum()
}
