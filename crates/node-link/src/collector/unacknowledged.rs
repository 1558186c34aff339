use event_model::Lane;
use proto::Envelope;
use std::collections::VecDeque;

/// What a kept batch costs beside its payload.
const BATCH_OVERHEAD_BYTES: u64 = 256;

struct Batch {
    envelope: Envelope,
    /// Its place among all that the present connection carried; None where it was not sent yet.
    turn: Option<u64>,
}

#[derive(Default)]
struct Kept {
    batches: VecDeque<Batch>,
    /// How many of the front were sent over the present connection.
    sent: usize,
}

/// Batches that were made and are not yet acknowledged, in the order of their sequences.
#[derive(Default)]
pub(crate) struct Unacknowledged {
    lanes: [Kept; Lane::ALL.len()],
    bytes: u64,
    turns: u64,
}

impl Unacknowledged {
    pub(crate) fn push(&mut self, envelope: Envelope) {
        self.bytes += cost(&envelope);
        let kept = &mut self.lanes[envelope.lane().index()];
        kept.batches.push_back(Batch { envelope, turn: None });
    }

    /// The first batch of a lane that this connection has not carried.
    pub(crate) fn next_unsent(&self, lane: Lane) -> Option<&Envelope> {
        let kept = &self.lanes[lane.index()];
        kept.batches.get(kept.sent).map(|batch| &batch.envelope)
    }

    /// The worthiest lane that has a batch which was not sent.
    pub(crate) fn worthiest_unsent(&self) -> Option<Lane> {
        Lane::ALL.into_iter().find(|lane| self.next_unsent(*lane).is_some())
    }

    /// Notes that [`Unacknowledged::next_unsent`] was sent.
    pub(crate) fn mark_sent(&mut self, lane: Lane) {
        let kept = &mut self.lanes[lane.index()];
        if let Some(batch) = kept.batches.get_mut(kept.sent) {
            batch.turn = Some(self.turns);
            self.turns += 1;
            kept.sent += 1;
        }
    }

    /// A new connection has carried nothing.
    pub(crate) fn resend_all(&mut self) {
        for kept in &mut self.lanes {
            kept.sent = 0;
            kept.batches.iter_mut().for_each(|batch| batch.turn = None);
        }
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
                kept.batches.drain(..).partition(|it| it.envelope.payload().len() > maximum_bytes);
            kept.batches = fitting;
            dropped.extend(large.into_iter().map(|batch| batch.envelope));
        }
        self.bytes -= dropped.iter().map(cost).sum::<u64>();
        dropped
    }

    /// Forgets the batch that the connection carried first, of those that are not acknowledged.
    pub(crate) fn drop_first_sent(&mut self) -> Option<Envelope> {
        let turn = |lane: Lane| self.lanes[lane.index()].batches.front()?.turn;
        let (_, lane) = Lane::ALL.into_iter().filter_map(|lane| Some((turn(lane)?, lane))).min()?;
        self.drop_front(lane)
    }

    /// Forgets one batch.
    pub(crate) fn drop_one(&mut self, lane: Lane, first_sequence: u64) -> Option<Envelope> {
        let kept = &mut self.lanes[lane.index()];
        let is_it = |it: &Batch| it.envelope.first_sequence() == first_sequence;
        let place = kept.batches.iter().position(is_it)?;
        let envelope = kept.batches.remove(place)?.envelope;
        kept.sent -= usize::from(place < kept.sent);
        self.bytes -= cost(&envelope);
        Some(envelope)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.iter().all(|kept| kept.batches.is_empty())
    }

    /// How many records are in doubt.
    pub(crate) fn records(&self) -> u64 {
        let batches = self.lanes.iter().flat_map(|kept| &kept.batches);
        batches.map(|batch| u64::from(batch.envelope.count())).sum()
    }

    /// Memory held, for the outbox's bound.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn front(&self, lane: Lane) -> Option<&Envelope> {
        self.lanes[lane.index()].batches.front().map(|batch| &batch.envelope)
    }

    fn drop_front(&mut self, lane: Lane) -> Option<Envelope> {
        let kept = &mut self.lanes[lane.index()];
        let envelope = kept.batches.pop_front()?.envelope;
        kept.sent = kept.sent.saturating_sub(1);
        self.bytes -= cost(&envelope);
        Some(envelope)
    }
}

fn cost(batch: &Envelope) -> u64 {
    batch.payload().len() as u64 + BATCH_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{Host, Record, SourceId};

    #[test]
    fn the_batch_that_was_sent_first_is_dropped_whatever_its_lane() {
        let mut kept = Unacknowledged::default();
        let event = Record::Event(event_model::Event {
            time: event_model::Timestamp(1),
            process: event_model::ProcessRef::default(),
            container: None,
            kind: event_model::EventKind::Exec,
        });
        let telemetry =
            proto::encode_batch(SourceId::generate(), Lane::Telemetry, 1, &[event]).unwrap();
        kept.push(telemetry);
        kept.mark_sent(Lane::Telemetry);
        kept.push(batch(1, 2));
        kept.mark_sent(Lane::Entity);
        assert_eq!(kept.drop_first_sent().map(|it| it.lane()), Some(Lane::Telemetry));
        assert_eq!(kept.drop_first_sent().map(|it| it.lane()), Some(Lane::Entity));
        assert_eq!(kept.bytes(), 0);
    }

    fn batch(first: u64, count: usize) -> Envelope {
        let records = vec![Record::Host(Host::default()); count];
        proto::encode_batch(SourceId::generate(), Lane::Entity, first, &records).unwrap()
    }

    #[test]
    fn a_batch_that_is_dropped_leaves_the_others_where_they_were() {
        let mut kept = Unacknowledged::default();
        for first in [1, 11, 21] {
            kept.push(batch(first, 10));
        }
        kept.mark_sent(Lane::Entity);
        kept.mark_sent(Lane::Entity);
        assert_eq!(kept.drop_one(Lane::Entity, 11).map(|it| it.first_sequence()), Some(11));
        assert_eq!(kept.drop_one(Lane::Entity, 11), None);
        assert_eq!(kept.next_unsent(Lane::Entity).map(Envelope::first_sequence), Some(21));
        assert_eq!(kept.acknowledge(Lane::Entity, 30), 20);
        assert_eq!(kept.bytes(), 0);
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
