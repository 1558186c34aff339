//! The publisher of one replica's node: keeps what it acknowledges.

use event_model::{KubernetesObject, Lane, Record, SensorStatus, SourceId};
use node_link::{ListenConfig, ReceiveError, Receiver};
use proto::{Envelope, decode_batch};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Listens at a socket of its own until it is dropped.
pub struct Publisher {
    socket: PathBuf,
    held: Arc<Held>,
    shutdown: CancellationToken,
    _folder: TempDir,
}

#[derive(Default)]
struct Held(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    records: Vec<Record>,
    /// The first and last sequence of each envelope, by its source and lane.
    sequences: BTreeMap<(SourceId, &'static str), Vec<(u64, u64)>>,
}

impl Receiver for Held {
    async fn accept(&self, envelope: Envelope) -> Result<(), ReceiveError> {
        let records =
            decode_batch(&envelope).map_err(|error| ReceiveError::Rejected(error.to_string()))?;
        let mut contents = self.0.lock().unwrap();
        let key = (envelope.source(), envelope.lane().name());
        let span = (envelope.first_sequence(), envelope.last_sequence());
        contents.sequences.entry(key).or_default().push(span);
        contents.records.extend(records);
        Ok(())
    }
}

impl Publisher {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("publisher.sock");
        let (held, shutdown) = (Arc::<Held>::default(), CancellationToken::new());
        let config = ListenConfig {
            socket: socket.clone(),
            allowed_uids: vec![nix::unistd::geteuid().as_raw()],
            ..ListenConfig::default()
        };
        let serving = node_link::serve(config, Arc::clone(&held), shutdown.clone());
        tokio::spawn(async move { serving.await.unwrap() });
        Self { socket, held, shutdown, _folder: folder }
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// All objects that arrived so far, in order.
    pub fn objects(&self) -> Vec<KubernetesObject> {
        let contents = self.held.0.lock().unwrap();
        let objects = contents.records.iter().filter_map(|record| match record {
            Record::KubernetesObject(object) => Some((**object).clone()),
            _ => None,
        });
        objects.collect()
    }

    pub fn last_status(&self) -> Option<SensorStatus> {
        let contents = self.held.0.lock().unwrap();
        contents.records.iter().rev().find_map(|record| match record {
            Record::SensorStatus(status) => Some((**status).clone()),
            _ => None,
        })
    }

    pub fn losses(&self) -> usize {
        let contents = self.held.0.lock().unwrap();
        contents.records.iter().filter(|record| matches!(record, Record::Loss(_))).count()
    }

    /// How many sources have sent objects.
    pub fn senders_of_objects(&self) -> usize {
        let contents = self.held.0.lock().unwrap();
        contents.sequences.keys().filter(|(_, lane)| *lane == Lane::Entity.name()).count()
    }

    /// Panics where some source has left out a sequence.
    pub fn expect_no_gaps(&self) {
        for ((source, lane), spans) in &self.held.0.lock().unwrap().sequences {
            let mut through = 0;
            for (first, last) in spans {
                assert!(
                    *first <= through + 1,
                    "source {source:?}, lane {lane}: {first} came after {through}"
                );
                through = through.max(*last);
            }
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
