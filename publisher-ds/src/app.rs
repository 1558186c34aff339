//! Where the parts are put together.

use crate::config::Config;
use crate::egress::Egress;
use crate::identity;
use crate::receive::IntoSpool;
use crate::report::Reporter;
use crate::spool::{Spool, SpoolConfig, SpoolError};
use event_model::SourceDescription;
use node_link::Listener;
use service_runtime::{Part, Service};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A disk that is full or read-only at the start is tried again this often.
const OPEN_AGAIN: Duration = Duration::from_secs(5);

/// Runs the publisher until it is told to end: receive → spool → egress.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    let shutdown = service.shutdown();
    let source = identity::describe(&config.node)?;
    let (listening, spooling, sending) =
        (service.part("listen"), service.part("spool"), service.part("backend"));

    let opened = open_spool(config.spool.into(), &source, &spooling);
    let spool = tokio::select! {
        opened = opened => opened?,
        () = shutdown.cancelled() => return Ok(()),
    };
    service.spawn("spool readiness", watch_spool(spool.clone(), spooling, shutdown.clone()));

    let egress = Egress::new(config.backend, source.clone(), spool.clone(), sending);
    let reporter = Reporter::new(source, spool.clone(), egress.problem());
    let reporting = shutdown.clone();
    service.spawn("report", async {
        reporter.run(reporting).await;
        Ok::<_, Infallible>(())
    });

    let listener = Listener::bind(config.listen.into()).await?;
    listening.ready();
    let receiver = Arc::new(IntoSpool::new(spool.clone()));
    let serving = async {
        let served = listener.serve(receiver, shutdown.clone()).await;
        // A publisher that no collector can reach any more must not look alive.
        shutdown.cancel();
        served
    };
    let (served, ()) = tokio::join!(serving, egress.run(shutdown.clone()));
    // Both are done with it: what is acknowledged is durable, and the cursor spares sending things twice.
    spool.close().await;
    Ok(served?)
}

/// Opens the spool; waits for a disk that can't be written now, for that may pass.
async fn open_spool(
    config: SpoolConfig,
    source: &SourceDescription,
    part: &Part,
) -> anyhow::Result<Spool> {
    loop {
        let (config, source) = (config.clone(), source.clone());
        let opened = tokio::task::spawn_blocking(move || Spool::open(config, &source)).await?;
        match opened {
            Ok(spool) => return Ok(spool),
            Err(error @ SpoolError::InUse(_)) => return Err(error.into()),
            Err(error) => part.not_ready(error.to_string()),
        }
        tokio::time::sleep(OPEN_AGAIN).await;
    }
}

/// Ready while the spool takes what comes.
async fn watch_spool(
    spool: Spool,
    part: Part,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut state = spool.state();
    loop {
        let problem = state.borrow_and_update().problem.clone();
        match problem {
            None => part.ready(),
            Some(problem) => part.not_ready(problem),
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return Ok(()) },
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}
