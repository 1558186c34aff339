//! Lets a node do its everyday work under the sensor with all rules, and reports every alert above Informational.

mod builds;
mod containers;
mod logins;
mod maintenance;
mod work;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use suite::api::{Api, summary};
use suite::configuration::Places;
use suite::docker::Docker;
use suite::{Machine, Options, attack};
use work::Ground;

/// Prints a line for each thing that went wrong, and a count of passed and failed ones at the end.
#[derive(Parser)]
struct Arguments {
    /// How long the node works. Each kind of work is done at least once.
    #[arg(long, default_value_t = 2)]
    minutes: u64,
    /// The folder with the programs.
    #[arg(long)]
    binaries: PathBuf,
    /// The folder with the rules.
    #[arg(long)]
    rules: PathBuf,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let docker =
        Docker::find().context("no Docker Engine answers at DOCKER_HOST or /run/docker.sock")?;
    let image = docker.busybox_image(&arguments.binaries.join("acts"))?;
    let options = Options {
        binaries: arguments.binaries.clone(),
        rules: arguments.rules.clone(),
        places: Places::below(folder.path(), "quiet-node"),
        cluster: "test".into(),
        docker_socket: Some(docker.socket().to_owned()),
        kubeconfig: None,
        sensor: true,
    };
    let mut machine = Machine::start(options)?;
    machine.wait_ready()?;
    let ground = Ground::prepare(&docker, image, machine.api())?;
    let rounds = live(&ground, Duration::from_secs(60 * arguments.minutes))?;
    let seen = Seen::look(&ground)?;
    machine.stop()?;
    Ok(seen.report(arguments.minutes, rounds))
}

/// Works round after round until the time is over.
fn live(ground: &Ground<'_>, duration: Duration) -> Result<u32> {
    let begin = Instant::now();
    let mut rounds = 0;
    while rounds == 0 || begin.elapsed() < duration {
        rounds += 1;
        println!("round {rounds}, {} s of {}", begin.elapsed().as_secs(), duration.as_secs());
        for work in work::WORKS {
            (work.run)(ground).with_context(|| work.what)?;
        }
        let rest = duration.saturating_sub(begin.elapsed());
        std::thread::sleep(rest.min(work::PAUSE));
    }
    Ok(rounds)
}

/// What the backend knows at the end.
struct Seen {
    alerts: Vec<Value>,
    /// Programs that were run and are in no exec event.
    unseen: Vec<&'static str>,
}

impl Seen {
    /// An attack closes the time: when its alert is there, so is all that came before.
    fn look(ground: &Ground<'_>) -> Result<Self> {
        // One that is a single act: nothing of it comes before it.
        let closing = attack::ACTS[4];
        let outcome = attack::perform(closing, &ground.container, &ground.api)?;
        let alerts = ground.api.all("/api/v1/alerts?minimum_priority=notice")?;
        // Several rules may match it.
        let begin = outcome.alert["time"].as_str();
        let others = alerts.into_iter().filter(|alert| alert["time"].as_str() < begin);
        let others = others.filter(is_of_this_work);
        let programs = work::WORKS.iter().flat_map(|work| work.programs);
        let mut unseen = vec![];
        for program in programs {
            if !is_seen(&ground.api, program)? {
                unseen.push(*program);
            }
        }
        Ok(Self { alerts: others.collect(), unseen })
    }

    fn report(&self, minutes: u64, rounds: u32) -> ExitCode {
        let mut by_rule = BTreeMap::<String, Vec<&Value>>::new();
        for alert in &self.alerts {
            by_rule.entry(alert["rule"].to_string()).or_default().push(alert);
        }
        for (rule, alerts) in &by_rule {
            println!(
                "FAILED {rule}: {} alerts, the first of them:\n    {}",
                alerts.len(),
                summary(alerts[0])
            );
        }
        for program in &self.unseen {
            println!("FAILED {program} was run, and the backend knows of no such exec");
        }
        let failed = by_rule.len() + self.unseen.len();
        let passed = work::WORKS.len() + 1 - failed.min(work::WORKS.len());
        println!(
            "shown: {minutes} minutes of everyday work, {rounds} rounds, raised {} alerts above Informational",
            self.alerts.len()
        );
        println!("\n{passed} passed, {failed} failed");
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Whether this program or a container runtime began it. Whoever else uses the machine may do what is worth an alert.
fn is_of_this_work(alert: &Value) -> bool {
    let runtimes = ["dockerd", "containerd", "containerd-shim", "runc", "docker"];
    let chain = alert["process_chain"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_ours = |process: &Value| {
        process["pid"] == std::process::id()
            || runtimes.iter().any(|runtime| process["name"] == *runtime)
    };
    !alert["container"].is_null() || chain.iter().any(is_ours)
}

fn is_seen(api: &Api, program: &str) -> Result<bool> {
    let page = api.get(&format!("/api/v1/events?type=exec&executable={program}&limit=1"))?;
    let items = page["items"].as_array().context("a page has items")?;
    ensure!(items.len() <= 1, "a page of one has {}", items.len());
    Ok(!items.is_empty())
}
