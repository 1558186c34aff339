use super::offence::{Offence, OffenceList};
use foldhash::{HashMap, HashSet};
use std::sync::Arc;

/// Most objects whose offences are known by what they look like.
const MOST: usize = 7_168;
/// Fewest lists before any are looked for that nobody holds any more.
const FEWEST: usize = 1_024;

/// Offences by a hash of what policies read, and each list of them once.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    by_looks: HashMap<u64, OffenceList>,
    lists: HashSet<OffenceList>,
    sweep_at: usize,
}

impl Cache {
    pub(crate) fn get(&self, looks: u64) -> Option<OffenceList> {
        self.by_looks.get(&looks).cloned()
    }

    pub(crate) fn put(&mut self, looks: u64, offences: Vec<Offence>) -> OffenceList {
        let list = self.shared(offences);
        if self.by_looks.len() >= MOST {
            self.by_looks.clear();
        }
        self.by_looks.insert(looks, Arc::clone(&list));
        list
    }

    /// The list of these offences that all share.
    pub(crate) fn shared(&mut self, offences: Vec<Offence>) -> OffenceList {
        if let Some(list) = self.lists.get(&*offences) {
            return Arc::clone(list);
        }
        if self.lists.len() >= self.sweep_at {
            self.lists.retain(|list| Arc::strong_count(list) > 1);
            self.sweep_at = FEWEST.max(2 * self.lists.len());
        }
        let list = OffenceList::from(offences);
        self.lists.insert(Arc::clone(&list));
        list
    }
}
