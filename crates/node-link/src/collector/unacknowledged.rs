use event_model::Lane;
use proto::Envelope;
use std::collections::VecDeque;

/// What a kept batch costs beside its payload.
const BATCH_OVERHEAD_BYTES: u64 = 256;

#[derive(Default)]
struct Kept {
    batches: VecDeque<Envelope>,
    /// How many of the front were sent over the present connection.
    sent: usize,
}

/// Batches that were made and are not yet acknowledged, in the order of their sequences.
#[derive(Default)]
pub(crate) struct Unacknowledged {
    lanes: [Kept; Lane::ALL.len()],
    bytes: u64,
}

impl Unacknowledged {
    pub(crate) fn push(&mut self, batch: Envelope) {
        self.bytes += cost(&batch);
        self.lanes[batch.lane().index()].batches.push_back(batch);
    }

    /// The first batch of a lane that this connection has not carried.
    pub(crate) fn next_unsent(&self, lane: Lane) -> Option<&Envelope> {
        let kept = &self.lanes[lane.index()];
        kept.batches.get(kept.sent)
    }

    /// The worthiest lane that has a batch which was not sent.
    pub(crate) fn worthiest_unsent(&self) -> Option<Lane> {
        Lane::ALL.into_iter().find(|lane| self.next_unsent(*lane).is_some())
    }

    /// Notes that [`Unacknowledged::next_unsent`] was sent.
    pub(crate) fn mark_sent(&mut self, lane: Lane) {
        self.lanes[lane.index()].sent += 1;
    }

    /// A new connection has carried nothing.
    pub(crate) fn resend_all(&mut self) {
        self.lanes.iter_mut().for_each(|kept| kept.sent = 0);
    }

    /// Forgets what is acknowledged; returns how many records that frees.
    pub(crate) fn acknowledge(&mut self, lane: Lane, through_sequence: u64) -> u64 {
        let mut records = 0;
        while self.front(lane).is_some_and(|batch| batch.last_sequence() <= through_sequence) {
            records += self.drop_front(lane).map_or(0, |batch| u64::from(batch.count()));
        }
        records
    }

    /// Forgets every batch with a payload over `maximum_bytes`; returns them.
    pub(crate) fn drop_larger_than(&mut self, maximum_bytes: usize) -> Vec<Envelope> {
        let mut dropped = Vec::new();
        for kept in &mut self.lanes {
            let (large, fitting): (VecDeque<_>, VecDeque<_>) =
                kept.batches.drain(..).partition(|batch| batch.payload().len() > maximum_bytes);
            kept.batches = fitting;
            dropped.extend(large);
        }
        self.bytes -= dropped.iter().map(cost).sum::<u64>();
        dropped
    }

    /// Forgets the first batch that was sent, of the worthiest lane that has one.
    pub(crate) fn drop_first_sent(&mut self) -> Option<Envelope> {
        let lane = Lane::ALL.into_iter().find(|lane| self.lanes[lane.index()].sent > 0)?;
        self.drop_front(lane)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.iter().all(|kept| kept.batches.is_empty())
    }

    /// How many records are in doubt.
    pub(crate) fn records(&self) -> u64 {
        self.lanes.iter().flat_map(|kept| &kept.batches).map(|batch| u64::from(batch.count())).sum()
    }

    /// Memory held, for the outbox's bound.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn front(&self, lane: Lane) -> Option<&Envelope> {
        self.lanes[lane.index()].batches.front()
    }

    fn drop_front(&mut self, lane: Lane) -> Option<Envelope> {
        let kept = &mut self.lanes[lane.index()];
        let batch = kept.batches.pop_front()?;
        kept.sent = kept.sent.saturating_sub(1);
        self.bytes -= cost(&batch);
        Some(batch)
    }
}

fn cost(batch: &Envelope) -> u64 {
    batch.payload().len() as u64 + BATCH_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{Host, Record, SourceId};

    fn batch(first: u64, count: usize) -> Envelope {
        let records = vec![Record::Host(Host::default()); count];
        proto::encode_batch(SourceId::generate(), Lane::Entity, first, &records).unwrap()
    }

    #[test]
    fn an_acknowledgement_frees_all_batches_up_to_it_and_no_other() {
        let mut kept = Unacknowledged::default();
        for first in [1, 11, 21] {
            kept.push(batch(first, 10));
            kept.mark_sent(Lane::Entity);
        }
        assert_eq!(kept.acknowledge(Lane::Telemetry, 100), 0);
        assert_eq!(kept.acknowledge(Lane::Entity, 20), 20);
        assert_eq!(kept.acknowledge(Lane::Entity, 29), 0, "half a batch is not acknowledged");
        assert_eq!(kept.acknowledge(Lane::Entity, 30), 10);
        assert!(kept.is_empty());
        assert_eq!(kept.bytes(), 0);
    }

    #[test]
    fn a_new_connection_carries_again_what_was_not_acknowledged_in_order() {
        let mut kept = Unacknowledged::default();
        for first in [1, 11, 21] {
            kept.push(batch(first, 10));
            kept.mark_sent(Lane::Entity);
        }
        kept.acknowledge(Lane::Entity, 10);
        assert_eq!(kept.next_unsent(Lane::Entity), None);
        kept.resend_all();
        let mut firsts = Vec::new();
        while let Some(next) = kept.next_unsent(Lane::Entity) {
            firsts.push(next.first_sequence());
            kept.mark_sent(Lane::Entity);
        }
        assert_eq!(firsts, [11, 21]);
    }
}
