//! Wires the parts of the backend together.

use crate::api::Api;
use crate::config::Config;
use crate::enrolment::Enrolment;
use crate::ingest::Ingest;
use crate::metric_names;
use crate::store::{Store, Trouble};
use service_runtime::{Part, Service};
use tokio::sync::{oneshot, watch};

/// Starts the parts in the order in which data flows backwards: nobody is let in before what
/// they bring can be kept and shown.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    metric_names::describe();
    let parts = ["store", "api", "ingest"].map(|name| service.part(name));
    let [store_part, api_part, ingest_part] = parts;
    let Store { intake, reader, trouble, ended } = Store::open(&config.store)?;
    service.spawn("store", watch_store(store_part, trouble, ended));
    let directory = &config.store.directory;
    let enrolment = Enrolment::open(&config.enrolment, directory, intake.clone()).await?;
    let api = Api::bind(&config.api, reader, enrolment.clone(), service.shutdown())?;
    let ingest = Ingest::bind(&config.ingest, intake, enrolment, service.shutdown()).await?;
    tracing::info!(url = api.url()?, "the console and the API are here");
    tracing::info!(address = %ingest.address()?, "publishers connect here");
    service.spawn("api", api.serve(api_part));
    service.spawn("ingest", ingest.serve(ingest_part));
    Ok(())
}

/// Tells whether the store takes batches, until its writer has ended.
async fn watch_store(
    part: Part,
    mut trouble: watch::Receiver<Trouble>,
    ended: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    loop {
        let state = trouble.borrow_and_update().clone();
        match state {
            None => part.ready(),
            Some(reason) => part.not_ready(reason),
        }
        if trouble.changed().await.is_err() {
            break;
        }
    }
    ended
        .await
        .map_err(|_| anyhow::anyhow!("the store's writer failed: its last log line says why"))
}
