//! What was told of findings that are made anew from all of their part.

use crate::Changes;
use event_model::{Finding, InventoryItem};
use foldhash::HashMap;
use std::hash::{BuildHasher, RandomState};
use uuid::Uuid;

/// Most findings that one part of the assessment has.
pub(crate) const MOST_FINDINGS: usize = 20_000;

/// The id of a finding's item, and the item.
pub(crate) fn identified(finding: Finding) -> (Uuid, Finding) {
    let item = InventoryItem::Finding(Box::new(finding));
    let id = item.id();
    match item {
        InventoryItem::Finding(finding) => (id, *finding),
        _ => unreachable!("it was made a line above"),
    }
}

/// The ids of findings with hashes of their contents.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    told: HashMap<Uuid, Told>,
    hashes: RandomState,
    round: u32,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    hash: u64,
    /// The last round that found it.
    round: u32,
}

/// A round of findings: all that there are now.
pub(crate) struct Round<'l> {
    ledger: &'l mut Ledger,
    changes: &'l mut Changes,
    most: usize,
    findings: usize,
    left_out: u64,
}

impl Ledger {
    /// All findings follow, each told to the round. Of changes there will be `most` in all.
    pub(crate) fn begin<'l>(&'l mut self, changes: &'l mut Changes, most: usize) -> Round<'l> {
        self.round = self.round.wrapping_add(1);
        Round { ledger: self, changes, most, findings: 0, left_out: 0 }
    }
}

impl Round<'_> {
    pub(crate) fn put(&mut self, finding: Finding) {
        self.findings += 1;
        if self.findings > MOST_FINDINGS {
            self.left_out += 1;
            return;
        }
        let (id, finding) = identified(finding);
        let now = Told { hash: self.ledger.hashes.hash_one(&finding), round: self.ledger.round };
        match self.ledger.told.get_mut(&id) {
            Some(before) if before.hash == now.hash => before.round = now.round,
            // Told with the old hash, it is other still at the next round.
            Some(before) if self.changes.len() >= self.most => {
                before.round = now.round;
                self.changes.more = true;
            }
            None if self.changes.len() >= self.most => self.changes.more = true,
            _ => {
                self.ledger.told.insert(id, now);
                self.changes.changed.push(finding);
            }
        }
    }

    /// What was not told in this round is gone. Returns how many findings were left out.
    pub(crate) fn finish(self) -> u64 {
        let Self { ledger, changes, most, left_out, .. } = self;
        let round = ledger.round;
        let mut room = most.saturating_sub(changes.len());
        let mut is_more = false;
        let gone = ledger.told.extract_if(|_, told| {
            if told.round == round {
                return false;
            }
            is_more |= room == 0;
            let goes = room > 0;
            room = room.saturating_sub(1);
            goes
        });
        changes.removed.extend(gone.map(|(id, _)| id));
        changes.more |= is_more;
        left_out
    }
}
