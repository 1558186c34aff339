//! What was told, as hashes, and how it differs from what is found now.

use super::limits;
use event_model::{Inventory, InventoryItem, InventoryKind, InventorySubject, Record, Timestamp};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use uuid::Uuid;

/// Items of one record: some 20 KiB.
const ITEMS_A_RECORD: usize = 200;

/// The items of one subject and kind that a scan found.
#[derive(Debug)]
pub struct Findings {
    /// Of what.
    pub subject: InventorySubject,
    /// Which.
    pub kind: InventoryKind,
    /// When the scan began.
    pub scanned_at: Timestamp,
    /// The items.
    pub items: Vec<InventoryItem>,
    /// Nothing was passed over: what is not among the items is gone.
    pub complete: bool,
}

/// What was told.
#[derive(Debug, Default)]
pub struct Ledger {
    told: HashMap<(InventorySubject, InventoryKind), Told>,
    items: usize,
}

#[derive(Debug, Default)]
struct Told {
    /// Hashes of the items, by their ids.
    hashes: HashMap<Uuid, u64>,
    /// A whole snapshot was told: from then on changes are enough.
    whole: bool,
}

impl Ledger {
    /// Forgets everything: all is told anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets what is not of these subjects.
    pub fn keep(&mut self, is_there: impl Fn(&InventorySubject) -> bool) {
        self.told.retain(|(subject, _), _| is_there(subject));
        self.items = self.told.values().map(|told| told.hashes.len()).sum();
    }

    /// Whether so many more can be remembered.
    pub const fn has_room(&self) -> bool {
        self.items + limits::ITEMS <= limits::REMEMBERED
    }

    /// How many items of a kind were told.
    pub fn count(&self, kind: InventoryKind) -> usize {
        self.told
            .iter()
            .filter(|((_, its), _)| *its == kind)
            .map(|(_, told)| told.hashes.len())
            .sum()
    }

    /// Tells what is other than what was told.
    pub fn tell(&mut self, findings: Findings, send: &dyn Fn(Record)) {
        let Findings { subject, kind, scanned_at, items, complete } = findings;
        let told = self.told.entry((subject.clone(), kind)).or_default();
        self.items -= told.hashes.len();
        let snapshot = complete && !told.whole;
        let mut now = HashMap::with_capacity(items.len());
        let mut changed = vec![];
        for item in items {
            // Of two with one id the first counts, as everywhere.
            if let Entry::Vacant(place) = now.entry(item.id()) {
                let hash = *place.insert(hash(&item));
                if snapshot || told.hashes.get(&item.id()) != Some(&hash) {
                    changed.push(item);
                }
            }
        }
        let is_gone = |id: &&Uuid| !now.contains_key(id);
        let removed: Vec<Uuid> = if complete && !snapshot {
            told.hashes.keys().filter(is_gone).copied().collect()
        } else {
            vec![]
        };
        let template = Inventory {
            subject,
            kind,
            scanned_at,
            changed: vec![],
            removed: vec![],
            snapshot_items: None,
        };
        send_parts(&template, changed, removed, snapshot.then_some(now.len()), send);
        if complete {
            *told = Told { hashes: now, whole: true };
        } else {
            told.hashes.extend(now);
        }
        self.items += told.hashes.len();
    }
}

fn hash(item: &InventoryItem) -> u64 {
    let mut hasher = DefaultHasher::new();
    item.hash(&mut hasher);
    hasher.finish()
}

fn send_parts(
    template: &Inventory,
    mut changed: Vec<InventoryItem>,
    mut removed: Vec<Uuid>,
    snapshot_items: Option<usize>,
    send: &dyn Fn(Record),
) {
    let part = |changed: Vec<InventoryItem>, removed: Vec<Uuid>, snapshot_items| {
        let record = Inventory { changed, removed, snapshot_items, ..template.clone() };
        send(Record::Inventory(Box::new(record)));
    };
    while changed.len() > ITEMS_A_RECORD {
        part(changed.drain(..ITEMS_A_RECORD).collect(), vec![], None);
    }
    while removed.len() > ITEMS_A_RECORD {
        part(vec![], removed.drain(..ITEMS_A_RECORD).collect(), None);
    }
    let snapshot_items = snapshot_items.map(|items| items as u64);
    if snapshot_items.is_some() || !changed.is_empty() || !removed.is_empty() {
        part(changed, removed, snapshot_items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{Package, PackageManager};
    use std::cell::RefCell;

    fn package(name: &str, source: &str) -> InventoryItem {
        InventoryItem::Package(Package {
            manager: PackageManager::Apk,
            name: name.to_owned(),
            version: "1".to_owned(),
            architecture: None,
            source: Some(source.to_owned()),
            path: None,
        })
    }

    fn tell(ledger: &mut Ledger, items: Vec<InventoryItem>, complete: bool) -> Vec<Inventory> {
        let sent = RefCell::new(vec![]);
        let findings = Findings {
            subject: InventorySubject::Node,
            kind: InventoryKind::Packages,
            scanned_at: Timestamp(1),
            items,
            complete,
        };
        ledger.tell(findings, &|record| {
            let Record::Inventory(inventory) = record else { panic!("{record:?}") };
            sent.borrow_mut().push(*inventory);
        });
        sent.into_inner()
    }

    #[test]
    fn the_first_is_a_snapshot_and_then_only_changes_are_told() {
        let mut ledger = Ledger::default();
        let (a, b, c) = (package("a", "x"), package("b", "x"), package("c", "x"));
        let told = tell(&mut ledger, vec![a.clone(), b.clone(), a.clone()], true);
        assert_eq!((told.len(), told[0].snapshot_items), (1, Some(2)));
        assert!(tell(&mut ledger, vec![b.clone(), a.clone()], true).is_empty(), "nothing changed");
        let other = package("a", "y");
        let told = tell(&mut ledger, vec![other.clone(), c.clone()], true);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].changed, [other, c]);
        assert_eq!((told[0].removed.as_slice(), told[0].snapshot_items), (&[b.id()][..], None));
        assert_eq!(ledger.count(InventoryKind::Packages), 2);
        ledger.clear();
        assert_eq!(tell(&mut ledger, vec![], true)[0].snapshot_items, Some(0), "nothing is there");
    }

    #[test]
    fn what_an_incomplete_scan_passed_over_is_not_told_to_be_gone() {
        let mut ledger = Ledger::default();
        let (a, b) = (package("a", "x"), package("b", "x"));
        let told = tell(&mut ledger, vec![a.clone()], false);
        assert_eq!((told[0].changed.len(), told[0].snapshot_items), (1, None));
        let told = tell(&mut ledger, vec![b.clone()], true);
        assert_eq!((told[0].changed.len(), told[0].snapshot_items), (1, Some(1)), "whole at last");
        tell(&mut ledger, vec![a.clone(), b.clone()], true);
        assert!(tell(&mut ledger, vec![a], false).is_empty());
        assert_eq!(ledger.count(InventoryKind::Packages), 2);
    }

    #[test]
    fn a_large_snapshot_is_told_in_parts_of_which_the_last_says_how_many_there_are() {
        let mut ledger = Ledger::default();
        let items: Vec<_> = (0..450).map(|n| package(&n.to_string(), "x")).collect();
        let told = tell(&mut ledger, items, true);
        let sizes: Vec<_> =
            told.iter().map(|part| (part.changed.len(), part.snapshot_items)).collect();
        assert_eq!(sizes, [(200, None), (200, None), (50, Some(450))]);
    }

    #[test]
    fn subjects_that_are_gone_are_forgotten() {
        let mut ledger = Ledger::default();
        tell(&mut ledger, vec![package("a", "x")], true);
        ledger.keep(|subject| *subject != InventorySubject::Node);
        assert_eq!((ledger.items, ledger.count(InventoryKind::Packages)), (0, 0));
    }
}
