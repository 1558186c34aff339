use proto::wire;

/// Why an envelope will never be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The value of the `reason` label in metrics.
    pub(super) reason: &'static str,
    /// For the person who reads the publisher's log.
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// The answer to the publisher, which names the envelope by its frame as it came.
    pub(super) fn answer(self, frame: Frame) -> wire::Rejection {
        metrics::counter!("defender_ingest_rejected_total", "reason" => self.reason).increment(1);
        wire::Rejection {
            source_id: frame.source_id,
            lane: frame.lane,
            first_sequence: frame.first_sequence,
            reason: self.message,
        }
    }
}

/// What names an envelope, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    source_id: Vec<u8>,
    lane: i32,
    pub(super) first_sequence: u64,
    /// Bytes of payload, which credit is counted in.
    pub(super) bytes: usize,
}

impl From<&wire::Envelope> for Frame {
    fn from(envelope: &wire::Envelope) -> Self {
        Self {
            source_id: envelope.source_id.clone(),
            lane: envelope.lane,
            first_sequence: envelope.first_sequence,
            bytes: envelope.payload.len(),
        }
    }
}
