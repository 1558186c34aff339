//! Wires the collector: the Kubernetes API on one side, the publisher's socket on the other.

use crate::assess::{AssessConfig, Assessor, Input, Message, input};
use crate::audit;
use crate::config::Config;
use crate::leadership::{self, Leadership};
use crate::observers::Observers;
use crate::publish::{self, ClusterFactsReporter, Publisher, Reporter};
use crate::spare_memory;
use crate::watch::{self, Health, KINDS, Watches};
use anyhow::Context;
use kube::Client;
use node_link::LinkConfig;
use service_runtime::Service;
use std::convert::Infallible;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Starts all parts of the collector.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    watch::describe_metrics();
    leadership::describe_metrics();
    let kubernetes = service.part("kubernetes");
    let link_part = service.part("publisher");
    let description = publish::describe(&config.node).context("cannot tell who we are")?;
    let client = watch::connect(&config.kubernetes).await?;
    let (outbox, link) = node_link::connect(
        LinkConfig {
            socket: config.publisher.socket.clone(),
            queue_bytes: config.publisher.queue_bytes.get(),
        },
        description.clone(),
    );
    let audit = audit::start(&config, &description, outbox.clone(), &service).await?;
    let buffer_bytes = config.leadership.buffer_bytes.get();
    let publisher = Publisher::new(outbox, link.connected(), buffer_bytes);
    let (leadership, leadership_problem) = Leadership::new(
        &config.leadership,
        client.clone(),
        &description.node,
        publisher.clone(),
        service.part("leadership"),
    )?;
    let health = Health::default();
    let shutdown = service.shutdown();

    let (observers, assessor) =
        assess(&config.assess, own_namespace(&client), &publisher, &service)?;
    let watches = Watches {
        client: client.clone(),
        publisher: publisher.clone(),
        defined: Arc::clone(&observers.defined),
        observer: Arc::clone(&observers) as _,
        health: health.clone(),
        is_wanted: if config.kubernetes.secrets { |_| true } else { |kind| kind.kind != "Secret" },
    };
    let facts = ClusterFactsReporter::new(client, observers, publisher.clone());
    let reporter = Reporter::new(
        description,
        &health,
        leadership_problem,
        audit.rules().cloned(),
        publisher.clone(),
        kubernetes,
    );
    let drained = CancellationToken::new();

    service.spawn("the leader election", leadership.run(shutdown.clone(), drained.clone()));
    service.spawn("the watches", watches.run(shutdown.clone()));
    service.spawn(
        "the assessor's occasions",
        tell_occasions(assessor, health, publisher.clone(), shutdown.clone()),
    );
    service.spawn("the report on the cluster", facts.run(shutdown.clone()));
    service.spawn("the status report", reporter.run(shutdown.clone()));
    service.spawn("the spare memory", spare_memory::keep_small(shutdown.clone()));
    service.spawn("the link's state", publisher.tell_state(link_part, shutdown.clone()));
    // The link outlives the rest: it has the last records to deliver.
    let end = CancellationToken::new();
    let ended = end.clone();
    service.spawn("the link to the publisher", async move {
        let _drained = drained.drop_guard();
        link.run(ended).await
    });
    shutdown.cancelled().await;
    audit.ended().await;
    end.cancel();
    Ok(())
}

/// Starts the assessor, and wires it to who sees the objects.
fn assess(
    config: &AssessConfig,
    own_namespace: Option<&str>,
    publisher: &Publisher,
    service: &Service,
) -> anyhow::Result<(Arc<Observers>, Input)> {
    let assessment = config.start(own_namespace)?;
    let assessed = KINDS.iter().filter(|kind| assessment.wants(&kind.api_version(), &kind.kind));
    let assessed = assessed.map(ToString::to_string).collect();
    let (input, messages) = input();
    let ended = Assessor::new(assessment, messages, publisher.clone())
        .start()
        .context("cannot start the assessor's thread")?;
    let shutdown = service.shutdown();
    service.spawn("the assessor", async move {
        tokio::select! {
            ended = ended => ended.context("its thread broke down; see the log"),
            () = shutdown.cancelled() => Ok(()),
        }
    });
    Ok((Arc::new(Observers::new(input.clone(), assessed)), input))
}

/// The namespace of this pod; None outside a cluster.
fn own_namespace(client: &Client) -> Option<&str> {
    std::env::var_os("KUBERNETES_SERVICE_HOST").map(|_| client.default_namespace())
}

/// Tells the assessor when all objects are there, and when all findings are to be told again.
async fn tell_occasions(
    assessor: Input,
    health: Health,
    publisher: Publisher,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let (mut kinds, mut trigger) = (health.subscribe(), publisher.snapshots_of_findings());
    let occasions = async {
        // It cannot end before us: we hold its other end.
        let _ = kinds.wait_for(watch::are_complete).await;
        assessor.send(Message::Complete);
        loop {
            trigger.due().await;
            assessor.send(Message::Snapshot);
        }
    };
    tokio::select! {
        () = occasions => {}
        () = shutdown.cancelled() => {}
    }
    Ok(())
}
