//! Tells who is there, so that those are found to be gone whose deletion was lost.

use super::teller::Teller;
use crate::index::Part;
use event_model::{KubernetesCensus, Record, Timestamp};
use std::sync::atomic::Ordering;
use uuid::Uuid;

/// The most uids of a record: 16 KiB of them.
const UIDS_A_RECORD: usize = 1024;

/// Uids that are taken out of the index at once: each time all of it is gone through.
const UIDS_A_LOOK: usize = 8 * UIDS_A_RECORD;

/// Whether this run has told no census of the kind yet, and can.
pub(crate) fn is_owed(teller: &Teller) -> bool {
    teller.owes_census.load(Ordering::Relaxed) && teller.is_told() && teller.part(None, 1).is_some()
}

/// Tells all objects of a kind by their uids, a range after another, each as the index stands when it is its turn. Whether
/// that is done, as far as it can be; no while nobody takes it.
pub(crate) async fn tell(teller: &Teller) -> bool {
    if !teller.is_told() {
        return true;
    }
    let (api_version, kind) = (teller.kind.api_version(), &teller.kind.kind);
    teller.publisher.begin_census(&api_version, kind);
    let mut after = None;
    loop {
        teller.room().await;
        if !teller.takes_snapshot() {
            return false;
        }
        let taken_at = Timestamp::now();
        let Some(part) = teller.part(after, UIDS_A_LOOK) else { return true };
        let (is_last, end) = (part.is_last, part.uids.last().copied());
        for census in records(teller, &part, after, taken_at) {
            teller.publisher.send_inventory(Record::KubernetesCensus(Box::new(census)));
        }
        if is_last {
            teller.publisher.end_census(&api_version, kind);
            teller.owes_census.store(false, Ordering::Relaxed);
            return true;
        }
        after = end;
    }
}

/// What is told of a part that begins behind `after`, the last record of the last part without an end.
fn records(
    teller: &Teller,
    part: &Part,
    after: Option<Uuid>,
    taken_at: Timestamp,
) -> impl Iterator<Item = KubernetesCensus> {
    let count = part.uids.len().div_ceil(UIDS_A_RECORD).max(1);
    (0..count).map(move |place| {
        let begin = place * UIDS_A_RECORD;
        let end = part.uids.len().min(begin + UIDS_A_RECORD);
        let uids = part.uids[begin..end].to_vec();
        let is_last = part.is_last && place + 1 == count;
        KubernetesCensus {
            group: teller.kind.group.to_string(),
            kind: teller.kind.kind.to_string(),
            resource_version: part.version.to_string(),
            taken_at,
            after: begin.checked_sub(1).map_or(after, |last| part.uids.get(last).copied()),
            through: uids.last().copied().filter(|_| !is_last),
            uids,
        }
    })
}
