use event_model::{Container, Process};
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use tokio::sync::mpsc as asynchronous;

/// What the sensor knows of the node at one moment.
#[derive(Clone, Debug, Default)]
pub struct NodeView {
    /// The containers that run.
    pub containers: Vec<Arc<Container>>,
    /// The processes that run, the oldest first.
    pub processes: Vec<Arc<Process>>,
}

/// A question for such a view: what answers it.
pub type ViewRequest = SyncSender<NodeView>;

/// Asks whoever turns the sensor's wheel; None where it stands still for good.
pub fn ask(requests: &asynchronous::Sender<ViewRequest>) -> Option<NodeView> {
    let (answer, answered) = mpsc::sync_channel(1);
    requests.blocking_send(answer).ok()?;
    answered.recv().ok()
}
