use event_model::{Lane, SourceId};
use proto::Envelope;
use std::future::Future;

/// Takes the envelopes of all collectors, and answers when they are safe.
pub trait Receiver: Send + Sync + 'static {
    /// Takes an envelope. The future resolves once it is durable; until then the collector keeps its own copy
    /// and gets no credit back, so a receiver that can't write for now just waits.
    ///
    /// The calls of one connection come in the order of its stream, and several are under way at once: take
    /// your place in line in the call itself, not in the future. For each (source, lane), acknowledge in order.
    fn accept(&self, envelope: Envelope) -> impl Future<Output = Result<(), ReceiveError>> + Send;

    /// What is durable of a source already: it is spared sending that again.
    fn held(&self, _source: SourceId) -> Vec<Held> {
        Vec::new()
    }
}

/// Up to which sequence a lane of some source is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The lane.
    pub lane: Lane,
    /// The last durable sequence.
    pub through_sequence: u64,
}

/// Why an envelope was not taken. The connection ends with it; the collector comes again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// The receiver is ending; nothing is wrong with the envelope.
    #[error("the publisher is ending")]
    Ending,
    /// This envelope will never be taken.
    #[error("the envelope is refused: {0}")]
    Rejected(String),
}
