//! From the collectors' socket into the spool.

use crate::spool::{Closed, Spool};
use event_model::SourceId;
use node_link::{Held, ReceiveError, Receiver};
use proto::Envelope;
use std::future::Future;

/// Takes envelopes of collectors for the spool: each is answered when it is durable there.
pub struct IntoSpool {
    spool: Spool,
}

impl IntoSpool {
    /// For the spool that everything goes into.
    pub fn new(spool: Spool) -> Self {
        Self { spool }
    }
}

impl Receiver for IntoSpool {
    fn accept(&self, envelope: Envelope) -> impl Future<Output = Result<(), ReceiveError>> + Send {
        let lane = envelope.lane().name();
        metrics::counter!("defender_batches_received_total", "lane" => lane).increment(1);
        metrics::counter!("defender_records_received_total", "lane" => lane)
            .increment(u64::from(envelope.count()));
        let durable = self.spool.append(envelope);
        async { durable.await.map_err(|Closed| ReceiveError::Ending) }
    }

    fn held(&self, source: SourceId) -> Vec<Held> {
        self.spool.held(source)
    }
}
