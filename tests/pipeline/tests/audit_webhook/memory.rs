//! Bodies as large as API servers make them, many at once, also while the publisher takes nothing: within the memory of
//! the collector's pod.

use crate::scene::Scene;
use anyhow::{Context, Result, ensure};
use api_server::{AuditLevel, AuditPolicy, Batch};
use nix::sys::signal::Signal;
use reqwest::{Certificate, Client, Identity};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;
use suite::certificates::Certificates;
use suite::cgroup::Cgroup;
use suite::program::Name;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// What the pod has. Of CPU it has less: so bodies would come one by one.
const LIMIT: u64 = 64 << 20;
const MILLICORES: u64 = 2_000;
/// The largest body that is taken, and the most events of one.
const BODY_BYTES: usize = 10 << 20;
const EVENTS: usize = 400;
/// More than an API server sends at a time (15), and as many as may be connected.
const BODIES: usize = 60;
/// For so long the publisher takes nothing.
const HELD: Duration = Duration::from_secs(5);
const TOLD_WITHIN: Duration = Duration::from_mins(4);

#[test]
fn many_bodies_of_the_largest_size_fit_into_the_pods_memory() -> Result<()> {
    let name = format!("defender-audit-{}", std::process::id());
    let limits = Cgroup::limited(&name, MILLICORES, LIMIT)?;
    let policy = AuditPolicy::all(AuditLevel::None);
    let mut scene = Scene::begin(policy, Batch::default(), Some(&limits))?;
    let collector = scene.machine.program(Name::CollectorMisc)?.pid();
    scene.machine.program(Name::PublisherDs)?.signal(Signal::SIGSTOP)?;
    let url = format!("https://localhost:{}/audit?timeout=30s", scene.receiver);
    let client = client(&scene.certificates)?;
    let runtime = Runtime::new()?;
    let posts: JoinSet<_> = runtime.block_on(async {
        (0..BODIES).map(|number| post(client.clone(), url.clone(), body(number))).collect()
    });
    std::thread::sleep(HELD);
    scene.machine.program(Name::PublisherDs)?.signal(Signal::SIGCONT)?;
    let attempts = runtime.block_on(async {
        tokio::time::timeout(TOLD_WITHIN, posts.join_all()).await.context("not all are taken")
    })?;
    let collector_now = scene.machine.program(Name::CollectorMisc)?;
    ensure!(collector_now.pid() == collector, "it was killed");
    let resident = collector_now.peak_resident_mib()?;
    let events = collector_now.metric("defender_audit_events_total")?;
    #[allow(clippy::cast_precision_loss)] // A count of thousands.
    let all = (BODIES * EVENTS) as f64;
    ensure!(events >= all, "{events} of {all} events");
    let attempts: u32 = attempts.into_iter().sum();
    println!(
        "shown: audit webhook: {BODIES} bodies of 10 MiB at once, in {attempts} attempts, the publisher held for {} s: RSS at most \
         {resident:.1} MiB, the cgroup {} of 64 MiB",
        HELD.as_secs(),
        highest_of(&name).map_or("not told".to_owned(), |mib| format!("{mib:.1}")),
    );
    scene.machine.stop()?;
    limits.remove()
}

/// The most memory that a cgroup had, in MiB, where the kernel tells.
fn highest_of(name: &str) -> Option<f64> {
    let v1 = format!("/sys/fs/cgroup/memory/{name}/memory.max_usage_in_bytes");
    let v2 = format!("/sys/fs/cgroup/{name}/memory.peak");
    let told = [v1, v2].iter().find_map(|file| fs::read_to_string(file).ok())?;
    told.trim().parse::<f64>().ok().map(|bytes| bytes / f64::from(1 << 20))
}

fn client(certificates: &Certificates) -> Result<Client> {
    let (certificate, key) = certificates.publisher();
    let shown = [fs::read(certificate)?, fs::read(key)?].concat();
    let authority = Certificate::from_pem(&fs::read(certificates.authority())?)?;
    let client =
        Client::builder().tls_certs_only([authority]).identity(Identity::from_pem(&shown)?);
    Ok(client.timeout(Duration::from_secs(30)).build()?)
}

/// Sends a body until it is taken. Returns how often.
async fn post(client: Client, url: String, body: String) -> u32 {
    let mut attempts = 1;
    loop {
        let request = client.post(&url).header("content-type", "application/json");
        let answer = request.body(body.clone()).send().await;
        if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
            return attempts;
        }
        attempts += 1;
        let told = answer.ok().and_then(|answer| {
            let after = answer.headers().get("retry-after")?.to_str().ok()?;
            after.parse().ok()
        });
        tokio::time::sleep(Duration::from_secs(told.unwrap_or(1))).await;
    }
}

/// Of events that are all kept as they are.
fn body(number: usize) -> String {
    let items: Vec<_> = (0..EVENTS).map(|place| event(number * EVENTS + place)).collect();
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items});
    let body = list.to_string();
    assert!((BODY_BYTES * 9 / 10..BODY_BYTES).contains(&body.len()), "{} bytes", body.len());
    body
}

fn event(number: usize) -> Value {
    let at = "2026-11-23T12:00:00.000000Z";
    json!({
        "level": "Request", "auditID": number.to_string(), "stage": "ResponseComplete", "verb": "create",
        "requestURI": "/api/v1/namespaces/shop/configmaps", "user": {"username": "eve", "groups": ["dev"]},
        "objectRef": {"resource": "configmaps", "namespace": "shop", "apiVersion": "v1"},
        "requestObject": {"apiVersion": "v1", "kind": "ConfigMap", "data": {"text": noise(number)}},
        "requestReceivedTimestamp": at, "stageTimestamp": at,
    })
}

/// Text that no compressor shortens much, another for each number.
fn noise(number: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ number as u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'0' + state.to_be_bytes()[2] % 64)
    };
    (0..BODY_BYTES / EVENTS - 700).map(next).filter(|letter| *letter != '\\').collect()
}
