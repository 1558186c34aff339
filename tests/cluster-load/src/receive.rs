use crate::delays::Delays;
use anyhow::Result;
use event_model::{InventoryItem, Record};
use node_link::{ListenConfig, ReceiveError, Receiver};
use proto::{Envelope, decode_batch};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub struct Arguments {
    /// Where to listen.
    #[arg(long)]
    socket: PathBuf,
}

/// What came.
#[derive(Default)]
struct Counts(Mutex<Came>);

#[derive(Default)]
struct Came {
    /// Objects by their kind, each as often as it came.
    objects: BTreeMap<String, u64>,
    findings: u64,
    lost: u64,
    bytes: u64,
    delays: Delays,
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, Came> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver for Counts {
    async fn accept(&self, envelope: Envelope) -> Result<(), ReceiveError> {
        let records =
            decode_batch(&envelope).map_err(|error| ReceiveError::Rejected(error.to_string()))?;
        let mut came = self.lock();
        came.bytes += envelope.payload().len() as u64;
        for record in &records {
            came.note(record);
        }
        Ok(())
    }
}

impl Came {
    fn note(&mut self, record: &Record) {
        match record {
            Record::KubernetesObject(object) => {
                *self.objects.entry(object.kind.clone()).or_default() += 1;
                self.delays.note(object);
            }
            Record::Inventory(inventory) => {
                let is_finding = |item: &&InventoryItem| matches!(item, InventoryItem::Finding(_));
                self.findings += inventory.changed.iter().filter(is_finding).count() as u64;
            }
            Record::Loss(loss) => self.lost += loss.count,
            _ => {}
        }
    }

    fn line(&self) -> String {
        json!({
            "objects": self.objects, "findings": self.findings, "lost": self.lost, "bytes": self.bytes,
            "changes": self.delays.count(), "delay_p50": self.delays.quantile(0.5), "delay_p99": self.delays.quantile(0.99),
        })
        .to_string()
    }
}

/// Tells what came, a line a second, until it is killed.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let counts = Arc::new(Counts::default());
    let config = ListenConfig {
        socket: arguments.socket.clone(),
        allowed_uids: vec![nix::unistd::geteuid().as_raw()],
        ..ListenConfig::default()
    };
    tokio::spawn(node_link::serve(config, Arc::clone(&counts), CancellationToken::new()));
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        println!("{}", counts.lock().line());
    }
}
