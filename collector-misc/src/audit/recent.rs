use foldhash::quality::RandomState;
use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;

/// Twice what an API server holds in its buffer (`--audit-webhook-batch-buffer-size`, 10,000), and some.
const MOST: usize = 32 << 10;

/// Which events were taken last, so that a batch that is sent again is not taken twice.
///
/// An event is known by all of its bytes, as an API server sends the same ones again. Its id would not do: a client may choose
/// it (the header `Audit-ID`), and could hide a request behind another.
pub(super) struct Recent {
    hashes: RandomState,
    known: HashSet<u64, RandomState>,
    /// The oldest first.
    order: VecDeque<u64>,
    most: usize,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self::of(MOST)
    }

    fn of(most: usize) -> Self {
        let hashes = RandomState::default();
        Self { hashes, known: HashSet::default(), order: VecDeque::new(), most }
    }

    /// Nothing was taken.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.order.clear();
    }

    /// Whether an event with these bytes was taken lately. From now on it was.
    pub(super) fn knows(&mut self, event: &[u8]) -> bool {
        let hash = self.hashes.hash_one(event);
        if !self.known.insert(hash) {
            return true;
        }
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(hash);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_until_so_many_others_came() {
        let mut recent = Recent::of(2);
        assert!(!recent.knows(b"a") && !recent.knows(b"b"));
        assert!(recent.knows(b"a") && recent.knows(b"b"));
        assert!(!recent.knows(b"c"), "the third");
        assert!(!recent.knows(b"a"), "it had to go");
        assert_eq!((recent.known.len(), recent.order.len()), (2, 2));
        recent.clear();
        assert!(!recent.knows(b"a") && recent.knows(b"a"));
    }
}
