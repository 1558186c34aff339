//! The collector that takes requests is killed again and again: each request is listed once, with its alert once.

use crate::scene::Scene;
use anyhow::{Context, Result, ensure};
use api_server::{AuditLevel, AuditPolicy, Batch, TOKEN};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use suite::api::Api;
use suite::deadline::wait_for;
use suite::program::Name;

const KILLS: u32 = 10;
/// Long enough that batches are under way, and some are stored.
const BETWEEN_KILLS: Duration = Duration::from_millis(500);
/// As long a publisher that is held acknowledges nothing of what it is sent.
const HELD: Duration = Duration::from_millis(400);
const READY_WITHIN: Duration = Duration::from_mins(2);
/// A batch that is not acknowledged is refused after 20 seconds, and comes again after growing pauses.
const STORED_WITHIN: Duration = Duration::from_mins(4);

#[test]
fn what_an_api_server_tells_while_the_collector_is_killed_is_listed_once_with_its_alerts()
-> Result<()> {
    let batch = Batch {
        // A batch that waits for its next attempt holds one of few places; what is told meanwhile waits here.
        buffer: 100_000,
        max_size: 20,
        max_wait: Duration::from_millis(100),
        // A batch has five attempts, within 24 seconds: longer than all the kills last.
        initial_backoff: Duration::from_secs(3),
    };
    let mut scene = Scene::begin(AuditPolicy::all(AuditLevel::Metadata), batch, None)?;
    let requests = Requests::begin(scene.server.url());
    for kill in 0..KILLS {
        thread::sleep(BETWEEN_KILLS);
        kill_collector(&mut scene, kill % 2 == 0)?;
    }
    let asked = requests.stop();
    expect_each_once(scene, asked)
}

/// Where `stored`, what it sent last is with the publisher, and it was not told so.
fn kill_collector(scene: &mut Scene, stored: bool) -> Result<()> {
    if stored {
        scene.machine.program(Name::PublisherDs)?.signal(Signal::SIGSTOP)?;
        thread::sleep(HELD);
    }
    let collector = scene.machine.program(Name::CollectorMisc)?;
    collector.crash_and_restart()?;
    if stored {
        scene.machine.program(Name::PublisherDs)?.signal(Signal::SIGCONT)?;
    }
    scene.machine.program(Name::CollectorMisc)?.wait_ready(READY_WITHIN)
}

/// Expects all that the server was asked for on the backend: each stage of it once, and each alert.
fn expect_each_once(mut scene: Scene, asked: u32) -> Result<()> {
    let api = scene.machine.api();
    let asked_at = Instant::now();
    let told = wait_for("the server to have told all", STORED_WITHIN, || {
        let counts = scene.server.audit_counts();
        // Nothing that the server gave up could be there.
        ensure!((counts.dropped, counts.failed) == (0, 0), "{counts:?}");
        let account = Account::take(&api)?;
        ensure!(account.requests.len() == 2 * asked as usize, "{account:?} of {asked}, {counts:?}");
        ensure!(account.alerts.len() == asked as usize, "{account:?} of {asked}, {counts:?}");
        Ok(())
    });
    told.with_context(|| scene.metrics())?;
    let account = Account::take(&api)?;
    let repeated = |of: &BTreeMap<String, u32>| of.values().filter(|times| **times > 1).count();
    let told_again = scene
        .machine
        .program(Name::Backend)?
        .metric_where("defender_ingest_rejected_total", "repeated_")?;
    println!(
        "shown: audit webhook: {asked} requests, {KILLS} kills, {told_again} records told again, {account:?}, after {:?}",
        asked_at.elapsed()
    );
    ensure!(repeated(&account.requests) == 0 && repeated(&account.alerts) == 0, "{account:?}");
    ensure!(told_again > 0.0, "nothing was told again: this has shown nothing");
    scene.machine.stop()
}

/// How often each stage of a request is listed, and each alert.
struct Account {
    requests: BTreeMap<String, u32>,
    alerts: BTreeMap<String, u32>,
}

impl Account {
    fn take(api: &Api) -> Result<Self> {
        let marked = |event: &&Value| {
            event["request_uri"].as_str().is_some_and(|uri| uri.starts_with("/marked/"))
        };
        let audit = api.all("/api/v1/audit")?;
        let stage = |event: &Value| format!("{} {}", event["request_uri"], event["stage"]);
        let requests = count(audit.iter().filter(marked).map(stage));
        let alerts = count(api.all("/api/v1/alerts")?.iter().map(|it| it["message"].to_string()));
        Ok(Self { requests, alerts })
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let times = |of: &BTreeMap<String, u32>| of.values().sum::<u32>();
        let (requests, alerts) = (self.requests.len(), self.alerts.len());
        let (listed, raised) = (times(&self.requests), times(&self.alerts));
        write!(f, "{requests} stages listed {listed} times, {alerts} alerts {raised} times")
    }
}

fn count(of: impl Iterator<Item = String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    of.for_each(|one| *counts.entry(one).or_default() += 1);
    counts
}

/// Asks an API server for one thing after another.
struct Requests {
    ends: Arc<AtomicBool>,
    asking: JoinHandle<u32>,
}

impl Requests {
    fn begin(url: String) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let asking = thread::spawn(move || {
            let agent: ureq::Agent =
                ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let mut asked = 0;
            while !told.load(Ordering::Relaxed) {
                let request = agent.get(format!("{url}/marked/{asked}"));
                let answer = request.header("Authorization", format!("Bearer {TOKEN}")).call();
                answer.expect("the server of the test answers");
                asked += 1;
                thread::sleep(Duration::from_millis(5));
            }
            asked
        });
        Self { ends, asking }
    }

    /// How many were asked for.
    fn stop(self) -> u32 {
        self.ends.store(true, Ordering::Relaxed);
        self.asking.join().expect("it does not panic")
    }
}
