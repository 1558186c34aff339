//! What is known of an act already, while rule after rule is asked about it.

use crate::graph::NodeId;

/// So many shared parts are remembered; of more, those that stand in most conditions.
const MOST: usize = 2048;
const WORDS: usize = MOST / 64;

/// Which parts of conditions stand in several of them, so that their truth is worth remembering.
#[derive(Debug, Default)]
pub(crate) struct SharedParts {
    /// By node: one more than its place in a [`Memo`], or 0.
    places: Vec<u16>,
}

impl SharedParts {
    /// From how often each node is asked for by others.
    pub fn new(uses: &[u32]) -> Self {
        let mut shared: Vec<usize> = (0..uses.len()).filter(|node| uses[*node] > 1).collect();
        shared.sort_by_key(|node| std::cmp::Reverse(uses[*node]));
        let mut places = vec![0; uses.len()];
        for (place, node) in (1..).zip(shared.into_iter().take(MOST)) {
            places[node] = place;
        }
        Self { places }
    }

    pub fn place(&self, node: NodeId) -> Option<usize> {
        let place = self.places.get(node.index()).copied().unwrap_or(0);
        usize::from(place).checked_sub(1)
    }
}

/// The truth of shared parts for one act.
#[derive(Debug)]
pub(crate) struct Memo {
    known: [u64; WORDS],
    truths: [u64; WORDS],
}

impl Memo {
    pub const fn new() -> Self {
        Self { known: [0; WORDS], truths: [0; WORDS] }
    }

    pub const fn get(&self, place: usize) -> Option<bool> {
        let (word, bit) = (place / 64, 1 << (place % 64));
        if self.known[word] & bit == 0 { None } else { Some(self.truths[word] & bit != 0) }
    }

    pub const fn set(&mut self, place: usize, truth: bool) {
        let (word, bit) = (place / 64, 1 << (place % 64));
        self.known[word] |= bit;
        if truth {
            self.truths[word] |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_remembered_and_nothing_else() {
        let mut memo = Memo::new();
        memo.set(63, true);
        memo.set(64, false);
        assert_eq!(
            [62, 63, 64, 65].map(|place| memo.get(place)),
            [None, Some(true), Some(false), None]
        );
    }

    #[test]
    fn of_too_many_shared_parts_those_with_most_uses_are_remembered() {
        let mut uses = vec![2; MOST + 1];
        uses.push(3);
        uses.push(1);
        let shared = SharedParts::new(&uses);
        let place = |node| shared.place(NodeId::of(node));
        assert_eq!(place(MOST + 1), Some(0));
        assert_eq!(place(MOST + 2), None);
        assert_eq!(place(MOST), None);
        assert_eq!((0..MOST - 1).filter_map(place).max(), Some(MOST - 1));
    }
}
