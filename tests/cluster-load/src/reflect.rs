use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{Config, watcher};
use kube::runtime::{WatchStreamExt, reflector};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Arguments {
    /// How to reach the cluster.
    #[arg(long)]
    kubeconfig: PathBuf,
}

/// Fills the stores, tells how long it took, and stays until it is killed.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let kubeconfig = Kubeconfig::read_from(&arguments.kubeconfig)?;
    let config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let began = Instant::now();
    let (pods, nodes, services) =
        (store::<Pod>(client.clone()), store::<Node>(client.clone()), store::<Service>(client));
    for ready in [pods, nodes, services] {
        ready.await.context("a task of the reflector ended")??;
    }
    println!("{{\"seconds\": {}}}", began.elapsed().as_secs_f64());
    std::future::pending().await
}

/// A store of all objects of a kind, followed for ever; ready once all are in it.
fn store<K>(client: Client) -> tokio::task::JoinHandle<Result<()>>
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let writer = Writer::<K>::default();
    let reader = writer.as_reader();
    let stream = watcher(Api::<K>::all(client), Config::default());
    let reflected = reflector(writer, stream).default_backoff();
    tokio::spawn(reflected.for_each(|_| std::future::ready(())));
    tokio::spawn(async move {
        reader.wait_until_ready().await?;
        Ok(())
    })
}
