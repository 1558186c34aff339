use crate::delays::CHANGED_AT;
use anyhow::{Context, Result};
use api_server::{ApiServer, Options, Size, TOKEN};
use event_model::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// Changes are made in batches, so many a second.
const BATCHES: u32 = 20;

/// The step from one changed pod to the next: it has no divisor in common with their number.
const STRIDE: usize = 7919;

#[derive(clap::Args)]
pub struct Arguments {
    /// Where to write how to reach the cluster. Pods change from the moment on that a file named `change` lies beside it.
    #[arg(long)]
    kubeconfig: PathBuf,
    /// Pods; there are a thirtieth as many nodes, and a fifteenth as many services.
    #[arg(long, default_value_t = Size::LARGEST.pods)]
    pods: usize,
    /// Changes of pods a second.
    #[arg(long, default_value_t = 200)]
    changes: u32,
}

/// Serves until it is killed.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let server = ApiServer::start_with(Options { tls: true, ..Options::default() })?;
    let began = Instant::now();
    let pods = arguments.pods;
    server.fill(&Size { pods, nodes: pods / 30, services: pods / 15, ..Size::LARGEST });
    std::fs::write(&arguments.kubeconfig, server.kubeconfig(TOKEN)).context("the kubeconfig")?;
    println!("{}", json!({"made_in": began.elapsed().as_secs_f64()}));
    let signal = arguments.kubeconfig.with_file_name("change");
    while !signal.exists() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    change(&server, arguments.changes).await
}

async fn change(server: &ApiServer, changes: u32) -> Result<()> {
    let pods: Vec<String> = server.look(|store| {
        let pods = store.collection(&store.resource("pods"));
        pods.map(|pods| pods.iter().map(|(key, _)| key.clone()).collect()).unwrap_or_default()
    });
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / BATCHES);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut place = 0;
    loop {
        ticks.tick().await;
        for _ in 0..changes / BATCHES {
            place = (place + STRIDE) % pods.len();
            server.change(|store| store.update("pods", &pods[place], mark));
        }
    }
}

fn mark(pod: &mut Value) {
    pod["metadata"]["labels"][CHANGED_AT] = json!((Timestamp::now().0 / 1000).to_string());
}
