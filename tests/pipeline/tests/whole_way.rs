//! An act in a container becomes an alert, over the real way: kernel, sensor, Unix socket, spool, mutual TLS, store.

use anyhow::{Context, Result, ensure};
use pipeline::{Fixture, pod};
use serde_json::Value;
use std::time::Duration;
use suite::attack::{self, ACTS, Target};
use suite::deadline::wait_for;
use suite::namespaces::Namespaces;
use suite::program::Name;

const UID: &str = "5b0b2ac1-1c0e-4d1f-a5a4-6f2d0c9e7a11";

#[test]
fn every_act_raises_its_alert_with_container_pod_command_line_and_parents() -> Result<()> {
    let fixture = Fixture::start()?;
    let container = fixture.docker.start_pod(&fixture.image()?, &pod("shop-1", UID))?;
    attack::prepare(&container)?;
    let api = fixture.machine.api();
    for act in ACTS {
        let alert = attack::perform(act, &container, &api)?.alert;
        println!("{}", suite::api::summary(&alert));
        check_evidence(&alert, &container.id)
            .with_context(|| format!("{}: {alert:#}", act.name))?;
    }
    fixture.machine.stop()
}

#[test]
fn acts_in_bare_namespaces_raise_their_alerts_too() -> Result<()> {
    let fixture = Fixture::start()?;
    let container = Namespaces::create(fixture.folder.path(), &pipeline::binaries()?.join("acts"))?;
    attack::prepare(&container)?;
    let api = fixture.machine.api();
    for act in ACTS {
        let alert = attack::perform(act, &container, &api)?.alert;
        ensure!(alert["container"]["id"] == container.id(), "{alert:#}");
    }
    fixture.machine.stop()
}

fn check_evidence(alert: &Value, container: &str) -> Result<()> {
    ensure!(alert["container"]["id"] == container, "another container");
    ensure!(alert["container"]["name"] == "web", "the container's name");
    ensure!(alert["container"]["pod"]["uid"] == UID, "the pod's uid");
    ensure!(alert["container"]["pod"]["name"] == "shop-1", "the pod's name");
    ensure!(alert["container"]["pod"]["namespace"] == "shop", "the pod's namespace");
    ensure!(alert["node"] == "test-node", "the node");
    ensure!(alert["cluster"] == "test", "the cluster");
    let chain = alert["process_chain"].as_array().context("a process chain")?;
    ensure!(chain.len() >= 2, "at least a process and its parent");
    ensure!(chain.iter().all(|process| process["pid"].as_u64().is_some_and(|pid| pid > 0)), "pids");
    let links = chain.windows(2).all(|pair| pair[0]["parent"]["pid"] == pair[1]["pid"]);
    ensure!(links, "each process is followed by its parent");
    ensure!(
        alert["matched_fields"].as_array().is_some_and(|fields| !fields.is_empty()),
        "evidence"
    );
    Ok(())
}

#[test]
fn a_process_is_seen_from_fork_to_exit() -> Result<()> {
    let fixture = Fixture::start()?;
    let container = fixture.docker.start_pod(&fixture.image()?, &pod("shop-2", UID))?;
    container.exec("root", &["sh", "-c", "sleep 0; exit 7"])?;
    let api = fixture.machine.api();
    let events =
        |kind: &str| api.all(&format!("/api/v1/events?type={kind}&container={}", container.id));
    let pid = wait_for("the exec of the shell", Duration::from_mins(2), || {
        let execs = events("exec")?;
        let shell = execs
            .iter()
            .find(|event| attack::command_line(&event["process"]) == "sh -c sleep 0; exit 7");
        shell
            .and_then(|event| event["process"]["pid"].as_u64())
            .with_context(|| format!("{execs:#?}"))
    })?;
    wait_for("its fork and its exit with code 7", Duration::from_mins(2), || {
        let exits = events("exit")?;
        let exit = exits.iter().find(|event| event["process"]["pid"] == pid);
        let exit = exit.with_context(|| format!("no exit of {pid} among {exits:#?}"))?;
        ensure!(exit["kind"]["code"] == 7, "{exit:#}");
        let forks = events("fork")?;
        ensure!(
            forks.iter().any(|event| event["process"]["pid"] == pid),
            "no fork by {pid}: {forks:#?}"
        );
        Ok(())
    })
}

#[test]
fn the_sensors_say_how_they_are() -> Result<()> {
    let mut fixture = Fixture::start()?;
    let api = fixture.machine.api();
    let sensors = wait_for("both sensors report", Duration::from_mins(2), || {
        let sensors = api.all("/api/v1/sensors")?;
        let of = |component: &str| {
            sensors.iter().find(|sensor| sensor["component"] == component).cloned()
        };
        of("collector-ds").zip(of("publisher-ds")).with_context(|| format!("{sensors:#?}"))
    })?;
    let probes = sensors.0["probes"].as_array().context("probes")?;
    let exec = probes.iter().find(|probe| probe["probe"] == "exec").context("a probe for exec")?;
    ensure!(exec["state"] == "active" && exec["hook"] == "tp_btf/sched_process_exec", "{exec:#}");
    ensure!(sensors.0["rules_loaded"].as_u64().is_some_and(|rules| rules >= 10), "{:#}", sensors.0);
    for name in [Name::Backend, Name::PublisherDs, Name::CollectorDs] {
        let metrics = fixture.machine.program(name)?.metrics()?;
        ensure!(metrics.contains("defender_build_info"), "{}: {metrics}", name.file_name());
    }
    Ok(())
}
