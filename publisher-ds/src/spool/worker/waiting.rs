//! What came and is not durable yet: it waits for the disk, or for room.

use super::super::store::Store;
use super::GLANCE;
use event_model::Lane;
use proto::Envelope;
use std::collections::VecDeque;
use std::time::Instant;
use tokio::sync::oneshot;

/// Memory that envelopes of one lane may take while they wait for a disk and nobody waits for them: of the 200 MiB
/// that the publisher has, credit bounds the rest.
pub(super) const MOST_WAITING_BYTES: usize = 8 << 20;

/// What an envelope that waits costs beside its payload.
const ENVELOPE_OVERHEAD_BYTES: usize = 256;

/// Envelopes of one lane that came and are not durable yet.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) envelopes: VecDeque<Envelope>,
    /// Who is to be told, for each of them.
    pub(super) done: VecDeque<oneshot::Sender<()>>,
    /// They rest until then.
    pub(super) retry_at: Option<Instant>,
    /// For the disk did not take them.
    pub(super) is_stuck: bool,
    /// Since then they wait for a destination to make room.
    pub(super) patient_since: Option<Instant>,
}

impl Waiting {
    pub(super) fn push(&mut self, envelope: Envelope, done: oneshot::Sender<()>) {
        self.envelopes.push_back(envelope);
        self.done.push_back(done);
    }

    /// Where too much waits for a disk, lets go of what came over connections that are gone: a collector that
    /// connects again and again sends it again, and would fill the memory. Until then it is kept, for its collector
    /// may be gone, too.
    pub(super) fn forget_abandoned(&mut self) {
        let cost = |envelope: &Envelope| envelope.payload().len() + ENVELOPE_OVERHEAD_BYTES;
        let is_waiting = self.is_stuck || self.patient_since.is_some();
        if !is_waiting || self.envelopes.iter().map(cost).sum::<usize>() <= MOST_WAITING_BYTES {
            return;
        }
        // Asked once: a connection may end between the one queue and the other.
        let is_gone: Vec<bool> = self.done.iter().map(oneshot::Sender::is_closed).collect();
        if !is_gone.contains(&true) {
            return;
        }
        let mut gone = is_gone.iter();
        self.envelopes.retain(|_| gone.next() == Some(&false));
        let mut gone = is_gone.iter();
        self.done.retain(|_| gone.next() == Some(&false));
    }

    /// Whether there is something to commit now.
    pub(super) fn is_due(&self) -> bool {
        !self.envelopes.is_empty() && self.retry_at.is_none_or(|at| at <= Instant::now())
    }
}

/// How many of those that wait are committed now. Over the bound, while a destination takes what there is, the rest
/// waits for the room that it makes, and so their collectors do: a collector's credit is what it may have unanswered.
/// Alerts are too urgent for that, and few.
pub(super) fn be_patient(waiting: &mut Waiting, store: &Store, lane: Lane) -> usize {
    let all = waiting.envelopes.len();
    let fitting = match lane {
        Lane::Alert => all,
        _ => store.fitting(lane, waiting.envelopes.make_contiguous()),
    };
    if fitting == all || !store.is_draining(lane) {
        waiting.patient_since = None;
        return all;
    }
    let since = *waiting.patient_since.get_or_insert_with(|| {
        metrics::counter!("defender_spool_waits_total", "lane" => lane.name()).increment(1);
        Instant::now()
    });
    if since.elapsed() >= store.patience() {
        waiting.patient_since = None;
        return all;
    }
    if fitting > 0 {
        // Room was made: the rest may wait as long again.
        waiting.patient_since = Some(Instant::now());
    }
    waiting.retry_at = Some(Instant::now() + GLANCE);
    fitting
}
