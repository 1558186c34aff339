//! Takes audit events that API servers of Kubernetes send by their webhook backend, and asks the rules about requests.
//!
//! ```text
//! receiver (TLS, credentials, bounds) ──▶ body ──▶ kubernetes-audit ──▶ intake (repeats, rules) ──▶ publisher-ds
//! ```
//!
//! An API server never waits for us to find room: it is told to come again, and does so from its own buffer. What it sends
//! again is known by its bytes and is not taken twice. It is answered once the publisher has its batch as durable.

mod body;
mod config;
mod credentials;
mod intake;
mod metrics;
mod places;
mod receiver;
mod recent;
mod refusal;
mod rules;

pub use config::AuditConfig;
pub use rules::RulesInForce;

use crate::config::Config;
use alerting::{AlertCounts, AlertGate, RequestDetection, RuleMemory, SharedRules};
use anyhow::Context;
use event_model::{Host, SourceDescription};
use intake::Intake;
use node_link::Outbox;
use receiver::Receiver;
use rules::FollowedRules;
use service_runtime::Service;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::task::TaskTracker;

/// The receiver at work, or none where none is configured.
#[derive(Default)]
pub struct Audit {
    rules: Option<RulesInForce>,
    tasks: TaskTracker,
}

impl Audit {
    /// The rules that requests are asked, for the status. None where no requests are taken.
    pub const fn rules(&self) -> Option<&RulesInForce> {
        self.rules.as_ref()
    }

    /// Resolves once the last event and the last count are on their way, after a shutdown began.
    pub async fn ended(self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Starts the receiver where one is configured.
///
/// # Errors
/// Rules, certificates or a token that can't be used, or an address that is taken.
pub async fn start(
    config: &Config,
    description: &SourceDescription,
    outbox: Outbox,
    service: &Service,
) -> anyhow::Result<Audit> {
    let Some(address) = config.audit.address() else { return Ok(Audit::default()) };
    metrics::describe();
    let tasks = TaskTracker::new();
    let part = service.part("audit");
    let followed = FollowedRules::load(config.rule_paths(), config.rules.matching).await?;
    let in_force = followed.in_force();
    let detection = detection(config, description, in_force.shared());
    let intake = Arc::new(Intake::new(detection, outbox, service.shutdown()));
    let receiver = Receiver::bind(&config.audit, address, Arc::clone(&intake))
        .await
        .context("audit: no receiver")?;
    tracing::info!(audit = %receiver.address()?, "audit events are taken");
    let shutdown = service.shutdown();
    service.spawn("the audit rules", followed.follow(shutdown.clone()));
    service.spawn("the audit events' upkeep", tasks.track_future(intake.keep_up(shutdown.clone())));
    let serving = async move {
        part.ready();
        receiver.serve(shutdown).await;
        anyhow::Ok(())
    };
    service.spawn("the audit receiver", tasks.track_future(serving));
    Ok(Audit { rules: Some(in_force), tasks })
}

fn detection(
    config: &Config,
    description: &SourceDescription,
    rules: SharedRules,
) -> RequestDetection {
    let memory = match config.audit.baselines_file() {
        Some(file) => RuleMemory::kept_in(file, &rules.load()),
        None => RuleMemory::default(),
    };
    // Of the machine that takes the events; which one sent them, they do not say.
    let host = Host {
        node: description.node.clone(),
        hostname: description.node.clone(),
        boot_id: description.boot_id,
        ..Host::default()
    };
    let gate = AlertGate::new(&config.alerts, AlertCounts::default());
    RequestDetection::new(rules, memory, host, gate)
}

/// The moment, for what depends on time.
fn now() -> Instant {
    Instant::now()
}
