use super::queues::Pending;
use event_model::{Lane, LossReason, Record, SourceId};
use proto::{BatchEncoder, BatchError, Envelope};

/// Numbers records and encodes them, each batch once.
pub(crate) struct BatchMaker {
    source: SourceId,
    next_sequence: [u64; Lane::ALL.len()],
    encoder: BatchEncoder,
}

/// A record that can't travel, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsendable {
    pub(crate) kind: &'static str,
    pub(crate) reason: LossReason,
}

impl BatchMaker {
    pub(crate) fn new(source: SourceId) -> Self {
        Self { source, next_sequence: [1; Lane::ALL.len()], encoder: BatchEncoder::default() }
    }

    /// Encodes what waits as one envelope, or as several where one would be over `maximum_bytes`. A record too
    /// large by itself gets no sequence: it goes to `unsendable`, and the sequences stay without gaps.
    pub(crate) fn encode(
        &mut self,
        pending: &Pending,
        maximum_bytes: usize,
        unsendable: &mut Vec<Unsendable>,
    ) -> Vec<Envelope> {
        let mut envelopes = Vec::with_capacity(1);
        self.encode_slice(
            pending.lane,
            &pending.records,
            maximum_bytes,
            &mut envelopes,
            unsendable,
        );
        envelopes
    }

    fn encode_slice(
        &mut self,
        lane: Lane,
        records: &[Record],
        maximum_bytes: usize,
        envelopes: &mut Vec<Envelope>,
        unsendable: &mut Vec<Unsendable>,
    ) {
        let first = self.next_sequence[lane.index()];
        match self.encoder.encode(self.source, lane, first, records) {
            Ok(envelope) if envelope.payload().len() <= maximum_bytes => {
                self.next_sequence[lane.index()] = envelope.last_sequence() + 1;
                envelopes.push(envelope);
            }
            _ if records.len() > 1 => {
                let (head, tail) = records.split_at(records.len() / 2);
                self.encode_slice(lane, head, maximum_bytes, envelopes, unsendable);
                self.encode_slice(lane, tail, maximum_bytes, envelopes, unsendable);
            }
            outcome => unsendable.extend(records.first().map(|record| why(record, outcome.err()))),
        }
    }
}

fn why(record: &Record, problem: Option<BatchError>) -> Unsendable {
    let kind = record.kind();
    let reason = match problem {
        None | Some(BatchError::TooLarge) => LossReason::TooLarge,
        Some(problem) => {
            tracing::error!(kind, error = %problem, "a record could not be encoded and is dropped");
            LossReason::Rejected
        }
    };
    Unsendable { kind, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::Host;

    fn host(hostname: String) -> Record {
        Record::Host(Host { hostname, ..Host::default() })
    }

    /// Text that no compressor shortens much.
    fn noise(bytes: usize) -> String {
        let mut state = 0x9e37_79b9_u32;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            char::from(b'!' + u8::try_from(state % 90).unwrap())
        };
        (0..bytes).map(next).collect()
    }

    #[test]
    fn sequences_continue_from_batch_to_batch_in_each_lane() {
        let mut maker = BatchMaker::new(SourceId::generate());
        let mut lost = Vec::new();
        for expected in [1, 4, 7] {
            let records = (0..3).map(|n| host(format!("host-{n}"))).collect();
            let batches =
                maker.encode(&Pending { lane: Lane::Entity, records }, 1 << 20, &mut lost);
            assert_eq!(batches.len(), 1);
            assert_eq!((batches[0].first_sequence(), batches[0].count()), (expected, 3));
        }
        assert_eq!(lost, []);
    }

    #[test]
    fn a_batch_over_the_limit_is_split_and_only_a_record_too_large_by_itself_is_lost() {
        let mut maker = BatchMaker::new(SourceId::generate());
        let mut lost = Vec::new();
        let records =
            vec![host(noise(2000)), host(noise(9000)), host(noise(2000)), host(noise(2000))];
        let batches = maker.encode(&Pending { lane: Lane::Entity, records }, 4096, &mut lost);
        assert_eq!(lost, [Unsendable { kind: "host", reason: LossReason::TooLarge }]);
        let mut next = 1;
        for batch in &batches {
            assert!(batch.payload().len() <= 4096);
            assert_eq!(batch.first_sequence(), next, "the sequences have a gap");
            next = batch.last_sequence() + 1;
        }
        assert_eq!(next, 4, "three records should have been sent");
    }

    #[test]
    fn a_record_that_no_reader_would_decompress_is_lost_alone() {
        let mut maker = BatchMaker::new(SourceId::generate());
        let mut lost = Vec::new();
        let huge = host("h".repeat(proto::MAXIMUM_BATCH_BYTES));
        let records = vec![host("one".into()), huge, host("two".into())];
        let batches = maker.encode(&Pending { lane: Lane::Entity, records }, 1 << 20, &mut lost);
        assert_eq!(lost, [Unsendable { kind: "host", reason: LossReason::TooLarge }]);
        let sent: Vec<_> = batches.iter().flat_map(|it| proto::decode_batch(it).unwrap()).collect();
        assert_eq!(sent, [host("one".into()), host("two".into())]);
    }
}
