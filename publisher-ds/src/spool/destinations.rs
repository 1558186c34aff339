//! Who the spool keeps envelopes for, and what each of them will never get.
//!
//! Each destination reads the same segments at its own pace. The first is the one that reports of loss are addressed
//! to: a `Loss` record in the stream tells how many records *it* will never get. What another destination loses must
//! not stand in the stream as such a record, or the first would take it for a gap of its own; it is counted in
//! `defender_spool_dropped_total` under the destination's name and told by the counters of the publisher's status,
//! which every destination receives.

use super::directory::SpoolError;
use event_model::{Lane, LossReason};
use node_link::LossLedger;
use std::collections::BTreeSet;
use std::time::Instant;

/// The destination that the backend is.
pub const BACKEND: &str = "backend";

/// What a destination is to be kept things for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The destination's name.
    pub name: String,
    /// The lanes that it asks for. Of others it holds nothing back, and loses nothing.
    pub lanes: Vec<Lane>,
}

impl From<&str> for Subscription {
    /// To all lanes.
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), lanes: Lane::ALL.to_vec() }
    }
}

/// Records lost, by lane.
pub(crate) type Lost = [u64; Lane::ALL.len()];

/// A destination, and its losses since it is known to the spool.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) name: String,
    pub(crate) lost: Lost,
    /// When it last took something.
    pub(crate) taken_at: Option<Instant>,
}

/// All destinations, in the order in which they were named.
pub(crate) struct Destinations {
    all: Vec<Destination>,
    /// What the first lost and was not told of yet.
    pub(crate) untold: LossLedger,
}

impl Destinations {
    pub(crate) fn new(all: Vec<Destination>) -> Self {
        Self { all, untold: LossLedger::new() }
    }

    pub(crate) fn all(&self) -> &[Destination] {
        &self.all
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// A destination has something that it had not.
    pub(crate) fn note_taken(&mut self, to: usize) {
        self.all[to].taken_at = Some(Instant::now());
    }

    /// Counts records that a destination will never get.
    pub(crate) fn lose(&mut self, to: usize, lane: Lane, reason: LossReason, records: u64) {
        if records == 0 {
            return;
        }
        let destination = &mut self.all[to];
        let lost = &mut destination.lost[lane.index()];
        *lost = lost.saturating_add(records);
        metrics::counter!(
            "defender_spool_dropped_total",
            "lane" => lane.name(),
            "reason" => reason.name(),
            "destination" => destination.name.clone()
        )
        .increment(records);
        tracing::warn!(%lane, reason = reason.name(), records, destination = destination.name, "records are lost; the loss is reported");
        if to == 0 {
            self.untold.add(lane, "any", reason, records);
        }
    }
}

/// Refuses destinations that can't be told apart, and a spool that would keep nothing for nobody.
pub(crate) fn check(subscriptions: &[Subscription]) -> Result<(), SpoolError> {
    let distinct: BTreeSet<&String> = subscriptions.iter().map(|it| &it.name).collect();
    let wrong = |message: &str| Err(SpoolError::Destinations(message.to_owned()));
    if subscriptions.is_empty() {
        return wrong(
            "there is none, and so nothing to keep anything for; set backend.url, or name a receiver in otlp",
        );
    }
    if distinct.len() < subscriptions.len() {
        return wrong("two have the same name; give each one of its own");
    }
    Ok(())
}
