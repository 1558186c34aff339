use super::snapshots::SnapshotTrigger;
use event_model::{KubernetesObject, Record, SensorStatus};
use node_link::Outbox;
use service_runtime::Part;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often the queue is asked whether it dropped objects.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// The way to the publisher, as the watches see it.
#[derive(Clone)]
pub(crate) struct Publisher {
    outbox: Outbox,
    connected: watch::Receiver<bool>,
    losses: watch::Sender<()>,
}

impl Publisher {
    pub(crate) fn new(outbox: Outbox, connected: watch::Receiver<bool>) -> Self {
        Self { outbox, connected, losses: watch::Sender::new(()) }
    }

    pub(crate) fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// Tells when a snapshot of all objects is due.
    pub(crate) fn snapshots(&self) -> SnapshotTrigger {
        SnapshotTrigger::new(self.connected.clone(), self.losses.subscribe())
    }

    /// Sends an object as it is now.
    pub(crate) fn send(&self, object: KubernetesObject) {
        self.outbox.send(Record::KubernetesObject(Box::new(object)));
    }

    /// Sends that an object is gone of which only the uid is still known: name and namespace are
    /// empty, and mean that what was told before stands.
    pub(crate) fn send_deletion(&self, api_version: &str, kind: &str, uid: String) {
        self.send(KubernetesObject {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            uid,
            deleted: true,
            ..KubernetesObject::default()
        });
    }

    pub(crate) fn report(&self, status: SensorStatus) {
        self.outbox.send(Record::SensorStatus(Box::new(status)));
    }

    /// Keeps `part` as ready as the link is connected, and has what the queue dropped sent again once
    /// there is room, until `shutdown`.
    pub(crate) async fn tell_state(
        mut self,
        part: Part,
        shutdown: CancellationToken,
    ) -> Result<(), Infallible> {
        let mut looks = tokio::time::interval(BETWEEN_LOOKS);
        loop {
            if self.outbox.take_entity_loss() {
                self.losses.send_replace(());
            }
            if *self.connected.borrow_and_update() {
                part.ready();
            } else {
                part.not_ready("not connected to the publisher's socket; see the log");
            }
            tokio::select! {
                changed = self.connected.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                _ = looks.tick() => {}
                () = shutdown.cancelled() => return Ok(()),
            }
        }
    }
}
