//! `cargo xtask up`: the whole suite on this machine.

use crate::binaries::{self, Profile};
use crate::{attack_table, debian, folders};
use anyhow::{Context, Result, ensure};
use nix::unistd::Uid;
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use suite::configuration::Places;
use suite::docker::Docker;
use suite::{Machine, Options};

/// How often the backend is asked for new alerts.
const ASK_EVERY: Duration = Duration::from_millis(250);

#[derive(clap::Args)]
pub struct Arguments {
    /// Ends by itself after this many seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    duration: Option<u64>,
    /// Performs a harmless attack in a container, prints its alerts with their delay, and ends.
    #[arg(long)]
    attack: bool,
    /// Uses no container runtime: the attack happens in bare namespaces.
    #[arg(long)]
    bare: bool,
    /// Quick builds instead of optimised ones.
    #[arg(long)]
    dev: bool,
    /// Runs the programs in this folder instead of building them.
    #[arg(long, value_name = "FOLDER", conflicts_with = "dev")]
    binaries: Option<PathBuf>,
    /// The port of the page and the API.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The kubeconfig of a cluster to watch [default: $KUBECONFIG, else ~/.kube/config, where it exists].
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    ensure!(Uid::effective().is_root(), "loading eBPF programs takes root: sudo -E cargo xtask up");
    let stop = stop_signal()?;
    let binaries = find_or_build(arguments)?;
    let state = folders::state()?.join("up");
    let docker = container_runtime(arguments, &state);
    let mut machine =
        Machine::start(options(arguments, binaries.clone(), &state, docker.as_ref())?)?;
    machine.wait_ready()?;
    println!("all programs are ready; logs in {}", state.display());
    println!("\n    {}\n", machine.api().page());

    let outcome = if arguments.attack {
        attack_table::attack(&machine, docker.as_ref(), &binaries.join("acts"), &stop)
    } else {
        watch(&machine, &stop, arguments.duration.map(Duration::from_secs))
    };
    println!("stopping");
    machine.stop()?;
    outcome.map(|()| ExitCode::SUCCESS)
}

fn find_or_build(arguments: &Arguments) -> Result<PathBuf> {
    if let Some(folder) = &arguments.binaries {
        return Ok(folder.clone());
    }
    let begin = Instant::now();
    println!("building (the first time takes some minutes)");
    let profile = if arguments.dev { Profile::Dev } else { Profile::Release };
    let folder = binaries::build(profile)?;
    println!("built in {} s", begin.elapsed().as_secs());
    Ok(folder)
}

/// Ctrl-C and SIGTERM, as a message.
fn stop_signal() -> Result<Receiver<()>> {
    let (sender, receiver) = channel();
    ctrlc::set_handler(move || {
        let _ = sender.send(());
    })?;
    Ok(receiver)
}

/// The Docker Engine of this machine where there is one; for an attack, one of our own else, unless
/// that can't be had.
fn container_runtime(arguments: &Arguments, state: &Path) -> Option<Docker> {
    if arguments.bare {
        return None;
    }
    if !arguments.attack {
        return Docker::find();
    }
    let found = debian::install(&debian::CONTAINERS).and_then(|()| Docker::find_or_start(state));
    found.inspect_err(|error| println!("no Docker Engine: {error:#}")).ok()
}

fn options(
    arguments: &Arguments,
    binaries: PathBuf,
    state: &Path,
    docker: Option<&Docker>,
) -> Result<Options> {
    let node = std::fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_owned();
    let mut places = Places::below(state, &node);
    places.api_port = arguments.port;
    ensure!(
        std::net::TcpListener::bind(("127.0.0.1", places.api_port)).is_ok(),
        "port {} is taken: choose another with --port",
        places.api_port
    );
    Ok(Options {
        binaries,
        rules: folders::repository().join("rules"),
        places,
        cluster: "laptop".into(),
        docker_socket: docker.map(|docker| docker.socket().to_owned()),
        kubeconfig: kubeconfig(arguments),
        sensor: true,
    })
}

fn kubeconfig(arguments: &Arguments) -> Option<PathBuf> {
    let usual = || {
        let named = std::env::var_os("KUBECONFIG").map(PathBuf::from);
        named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".kube/config")))
    };
    arguments.kubeconfig.clone().or_else(usual).filter(|file| file.exists())
}

/// Prints one line for each alert that comes, until the time is over or Ctrl-C.
fn watch(machine: &Machine, stop: &Receiver<()>, duration: Option<Duration>) -> Result<()> {
    println!("waiting for alerts; Ctrl-C stops");
    let end = duration.map(|duration| Instant::now() + duration);
    let api = machine.api();
    let mut seen: HashSet<String> = ids(&api.get("/api/v1/alerts?limit=1000")?).collect();
    while end.is_none_or(|end| Instant::now() < end) {
        match stop.recv_timeout(ASK_EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
        let page = api.get("/api/v1/alerts?limit=1000")?;
        let alerts = page["items"].as_array().context("a page has items")?;
        // The newest stand first.
        for alert in alerts.iter().rev() {
            if seen.insert(alert["id"].to_string()) {
                println!("{}", suite::api::summary(alert));
            }
        }
        seen = ids(&page).collect();
    }
    Ok(())
}

fn ids(page: &Value) -> impl Iterator<Item = String> {
    page["items"].as_array().into_iter().flatten().map(|alert| alert["id"].to_string())
}
