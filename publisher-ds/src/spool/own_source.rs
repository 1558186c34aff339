//! The publisher as a source of its own: reports of loss and of its state, in the alert lane.

use event_model::{Lane, Record, SourceDescription, SourceId};
use proto::{BatchError, Envelope, encode_batch};

/// Numbers the publisher's own records. A sequence counts as used only once its record is durable.
pub(crate) struct OwnSource {
    id: SourceId,
    next_sequence: u64,
}

impl OwnSource {
    pub(crate) fn new(description: &SourceDescription) -> Self {
        Self { id: description.id, next_sequence: 1 }
    }

    /// The envelope of the next records.
    pub(crate) fn envelope(&self, records: &[Record]) -> Result<Envelope, BatchError> {
        encode_batch(self.id, Lane::Alert, self.next_sequence, records)
    }

    /// The envelope that was made last is durable.
    pub(crate) fn note_durable(&mut self, envelope: &Envelope) {
        self.next_sequence = envelope.last_sequence() + 1;
    }
}
