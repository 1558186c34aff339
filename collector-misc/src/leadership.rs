//! Which replica sends what the watches see: one leads, the others stand by. Read from left to right: `lease` (the object
//! of the Kubernetes API) → `election` (pure rules) → `elector` → the [`Publisher`](crate::publish::Publisher).
//!
//! Own code, since the crates for it compare clocks of two machines (kube-lease-manager, kube-leader-election, kubert) or stand
//! at another version of kube (kube-coordinate), and in none can a leader say something with each renewal.

mod election;
mod elector;
mod hand_over;
mod identity;
mod lease;
mod metrics;
mod standing;
mod trouble;

pub(crate) use elector::Elector;
pub(crate) use metrics::describe as describe_metrics;

use crate::config::LeadershipConfig;
use crate::publish::Publisher;
use election::{Durations, Election};
use kube::Client;
use lease::LeaseObject;
use service_runtime::Part;
use standing::Standing;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Has this replica lead or stand by, until it ends.
pub(crate) enum Leadership {
    /// There is no other replica.
    Alone { publisher: Publisher, part: Part },
    /// There may be others.
    Elected(Box<Elector>),
}

impl Leadership {
    /// As configured, and what is wrong with it, in words for people, where something is.
    pub(crate) fn new(
        config: &LeadershipConfig,
        client: Client,
        node: &str,
        publisher: Publisher,
        part: Part,
    ) -> anyhow::Result<(Self, watch::Receiver<Option<String>>)> {
        let (problems, problem) = watch::channel(None);
        if !config.enabled {
            return Ok((Self::Alone { publisher, part }, problem));
        }
        let durations = Durations {
            lease: Duration::from_secs(config.lease_seconds),
            renew_deadline: Duration::from_secs(config.renew_deadline_seconds),
            retry: Duration::from_secs(config.retry_seconds),
        };
        let election = Election::new(identity::make(&config.pod)?, durations);
        let namespace = match &*config.namespace {
            "" => client.default_namespace().to_owned(),
            namespace => namespace.to_owned(),
        };
        let name = format!("{namespace}/{}", config.lease);
        let lease = LeaseObject::new(client, &namespace, &config.lease);
        let standing = Standing::new(name, part, problems, 2 * durations.lease);
        let elector = Elector::new(election, lease, node.to_owned(), publisher, standing);
        Ok((Self::Elected(Box::new(elector)), problem))
    }

    /// Runs until `drained`, which follows `shutdown` once all that was given to the outbox is delivered.
    pub(crate) async fn run(
        self,
        shutdown: CancellationToken,
        drained: CancellationToken,
    ) -> Result<(), Infallible> {
        match self {
            Self::Alone { publisher, part } => {
                publisher.lead_alone();
                metrics::leads(true);
                part.ready_as("leads, the only replica");
                shutdown.cancelled().await;
            }
            Self::Elected(elector) => elector.run(shutdown, drained).await,
        }
        Ok(())
    }
}
