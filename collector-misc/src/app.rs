//! Wires the collector: the Kubernetes API on one side, the publisher's socket on the other.

use crate::config::Config;
use crate::publish::{self, Publisher, Reporter};
use crate::watch::{self, Health, Node, Pod, Watch};
use anyhow::Context;
use node_link::LinkConfig;
use service_runtime::Service;

/// Starts all parts of the collector.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    watch::describe_metrics();
    let kubernetes = service.part("kubernetes");
    let link_part = service.part("publisher");
    let description = publish::describe(&config.node).context("cannot tell who we are")?;
    let client = watch::connect(&config.kubernetes).await?;
    let (outbox, link) = node_link::connect(
        LinkConfig {
            socket: config.publisher.socket,
            queue_bytes: config.publisher.queue_bytes.get(),
        },
        description.clone(),
    );
    let publisher = Publisher::new(outbox, link.connected());
    let health = Health::default();
    let shutdown = service.shutdown();

    let pods = Watch::<Pod>::new(client.clone(), publisher.clone(), &health);
    let nodes = Watch::<Node>::new(client, publisher.clone(), &health);
    let reporter = Reporter::new(description, &health, publisher.clone(), kubernetes);

    service.spawn("the watch of nodes", nodes.run(shutdown.clone()));
    service.spawn("the watch of pods", pods.run(shutdown.clone()));
    service.spawn("the status report", reporter.run(shutdown.clone()));
    service.spawn("the link's state", publisher.tell_state(link_part, shutdown.clone()));
    service.spawn("the link to the publisher", link.run(shutdown));
    Ok(())
}
