//! Where the parts are put together.

use crate::config::{Config, OtlpSection, ProxySection};
use crate::egress::Egress;
use crate::enrolment::Enrolment;
use crate::identity;
use crate::otlp::{self, Otlp};
use crate::problem;
use crate::receive::IntoSpool;
use crate::report::Reporter;
use crate::spool::{BACKEND, Outlet, Spool, SpoolConfig, SpoolError, Subscription};
use anyhow::Context;
use event_model::SourceDescription;
use node_link::Listener;
use service_runtime::{Part, Service};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A disk that is full or read-only at the start is tried again this often.
const OPEN_AGAIN: Duration = Duration::from_secs(5);

/// Runs the publisher until it is told to end: receive → spool → egress.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    let shutdown = service.shutdown();
    let source = identity::describe(&config.node)?;
    let (listening, spooling) = (service.part("listen"), service.part("spool"));

    let destinations = subscriptions(&config);
    let opened = open_spool(config.spool.clone().into(), &source, &destinations, &spooling);
    let spool = tokio::select! {
        opened = opened => opened?,
        () = shutdown.cancelled() => return Ok(()),
    };
    service.spawn("spool readiness", watch_spool(spool.clone(), spooling, shutdown.clone()));

    let (ways_out, mut problems) = (TaskTracker::new(), Vec::new());
    if config.has_backend() {
        let outlet = spool.outlet(BACKEND).context("the spool was opened for the backend")?;
        problems.extend(send_to_backend(&config, &source, outlet, &service, &ways_out));
    }
    let room = otlp::room();
    for section in config.otlp {
        let reached = (section, config.proxy.clone());
        let receiver = receiver(reached, &source, &spool, &service, Arc::clone(&room))?;
        problems.push(receiver.problem());
        spawn_way_out(&service, &ways_out, "otlp", receiver.run(shutdown.clone()));
    }
    ways_out.close();

    let reporter = Reporter::new(source, spool.clone(), problem::join(&problems));
    let reporting = reporter.run(shutdown.clone());
    service.spawn("report", async {
        reporting.await;
        Ok::<_, Infallible>(())
    });

    let listener = Listener::bind(config.listen.into()).await?;
    listening.ready();
    let receiver = Arc::new(IntoSpool::new(spool.clone()));
    let served = listener.serve(receiver, shutdown.clone()).await;
    // A publisher that no collector can reach any more must not look alive.
    shutdown.cancel();
    ways_out.wait().await;
    // All are done with it: what is acknowledged is durable, and the cursor spares sending things twice.
    spool.close().await;
    Ok(served?)
}

/// Begins to send to the backend, by a certificate that enrolment brings where it is on. Returns what may be wrong.
fn send_to_backend(
    config: &Config,
    source: &SourceDescription,
    outlet: Outlet,
    service: &Service,
    ways_out: &TaskTracker,
) -> Vec<watch::Receiver<Option<String>>> {
    let shutdown = service.shutdown();
    let (mut backend, proxy) = (config.backend.clone(), config.proxy.clone());
    if config.enrolment.enabled {
        config.enrolment.lead(&mut backend);
    }
    let reached = (backend.clone(), proxy.clone());
    let egress = Egress::new(backend, proxy, source.clone(), outlet, service.part(BACKEND));
    if !config.enrolment.enabled {
        let problem = egress.problem();
        spawn_way_out(service, ways_out, BACKEND, egress.run(shutdown));
        return vec![problem];
    }
    let (node, part) = (source.node.clone(), service.part("enrolment"));
    let section = config.enrolment.clone();
    let enrolment = Enrolment::new(section, reached, node, part, egress.refused());
    let problems = vec![enrolment.problem(), egress.problem()];
    let enrolled = enrolment.enrolled();
    service.spawn("enrolment", enrolment.run(shutdown.clone()));
    spawn_way_out(service, ways_out, BACKEND, async move {
        enrolled.wait(&shutdown).await;
        egress.run(shutdown).await;
    });
    problems
}

fn spawn_way_out(
    service: &Service,
    ways_out: &TaskTracker,
    name: &'static str,
    sending: impl Future<Output = ()> + Send + 'static,
) {
    let tracked = ways_out.track_future(async {
        sending.await;
        Ok::<_, Infallible>(())
    });
    service.spawn(name, tracked);
}

/// Who the spool keeps what for: the backend first.
fn subscriptions(config: &Config) -> Vec<Subscription> {
    let backend = config.has_backend().then(|| BACKEND.into());
    let receivers = config.otlp.iter().map(|section| Subscription {
        name: section.name.clone(),
        lanes: otlp::lanes_read(section),
    });
    backend.into_iter().chain(receivers).collect()
}

fn receiver(
    (section, proxy): (OtlpSection, ProxySection),
    source: &SourceDescription,
    spool: &Spool,
    service: &Service,
    room: Arc<Semaphore>,
) -> anyhow::Result<Otlp> {
    let outlet =
        spool.outlet(&section.name).context("the spool was opened for each destination")?;
    let part = service.part(format!("otlp {}", section.name));
    Ok(Otlp::new(section, proxy, source.node.clone(), outlet, part, room))
}

/// Opens the spool; waits for a disk that can't be written now, for that may pass.
async fn open_spool(
    config: SpoolConfig,
    source: &SourceDescription,
    subscriptions: &[Subscription],
    part: &Part,
) -> anyhow::Result<Spool> {
    loop {
        let (config, source) = (config.clone(), source.clone());
        let subscriptions = subscriptions.to_vec();
        let opening = move || Spool::open(config, &source, &subscriptions);
        let opened = tokio::task::spawn_blocking(opening).await?;
        match opened {
            Ok(spool) => return Ok(spool),
            Err(error @ (SpoolError::InUse(_) | SpoolError::Destinations(_))) => {
                return Err(error.into());
            }
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
