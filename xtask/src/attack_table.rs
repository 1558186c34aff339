//! The attack that `up --attack` performs, and the table that it prints.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::sync::mpsc::Receiver;
use suite::Machine;
use suite::attack::{self, ACTS, Act, Outcome, Target};
use suite::docker::{Docker, PodNames};
use suite::namespaces::Namespaces;

/// Performs the attack in a container of the engine; in bare namespaces where there is no engine.
pub fn attack(
    machine: &Machine,
    docker: Option<&Docker>,
    acts: &Path,
    stop: &Receiver<()>,
) -> Result<()> {
    let Some(docker) = docker else {
        println!(
            "\nno container runtime answers: attacking bare mount and pid namespaces, harmlessly"
        );
        let namespaces = Namespaces::create(&machine.options().places.directory, acts)?;
        return perform(machine, &namespaces, stop);
    };
    let image = docker.busybox_image(acts)?;
    let pod = PodNames {
        uid: "0d1f6b9e-5a0e-4c57-8f5d-0f6c5d3a9b21".into(),
        name: "shop-7c9d".into(),
        namespace: "shop".into(),
        container: "web".into(),
    };
    let container = docker.start_pod(&image, &pod)?;
    println!(
        "\nattacking container {} (pod {}/{}), harmlessly",
        &container.id[..12],
        pod.namespace,
        pod.name
    );
    perform(machine, &container, stop)
}

/// Performs every act and prints a table: act, alert, milliseconds. An act whose alert does not come
/// makes it fail, after all others were tried.
fn perform(machine: &Machine, container: &dyn Target, stop: &Receiver<()>) -> Result<()> {
    attack::prepare(container)?;
    let api = machine.api();
    let mut outcomes: Vec<(Act, Result<Outcome>)> = Vec::new();
    for act in ACTS {
        ensure!(stop.try_recv().is_err(), "stopped before {}", act.name);
        outcomes.push((act, attack::perform(act, container, &api)));
    }
    print(&outcomes)?;
    let missing = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).count();
    ensure!(missing == 0, "{missing} of {} acts raised no alert", ACTS.len());
    Ok(())
}

fn print(outcomes: &[(Act, Result<Outcome>)]) -> Result<()> {
    println!("\n{:<40} {:<50} {:>9}", "ACT", "ALERT", "MS");
    for (act, outcome) in outcomes {
        match outcome {
            Ok(outcome) => {
                println!("{:<40} {:<50} {:>9.1}", act.name, act.rule, outcome.milliseconds()?);
            }
            Err(reason) => println!("{:<40} MISSING: {reason:#}", act.name),
        }
    }
    if let Some((_, Ok(outcome))) = outcomes.iter().find(|(_, outcome)| outcome.is_ok()) {
        println!("\none of them, as the backend holds it:");
        print_evidence(outcome).context("the alert's evidence")?;
    }
    Ok(())
}

fn print_evidence(outcome: &Outcome) -> Result<()> {
    let alert = &outcome.alert;
    println!("  {}", suite::api::summary(alert));
    let container = &alert["container"];
    println!(
        "  container {} image {} pod {}/{}",
        container["name"],
        container["image"],
        container["pod"]["namespace"],
        container["pod"]["name"]
    );
    let chain = alert["process_chain"].as_array().context("no process chain")?;
    for (depth, process) in chain.iter().enumerate() {
        println!(
            "  {:indent$}{} {}",
            "",
            process["pid"],
            attack::command_line(process),
            indent = depth * 2
        );
    }
    Ok(())
}
