//! A map that takes little more memory than its entries have, also while it grows.
//!
//! A hash table doubles when it is full, and holds both of its sizes while it does: for a hundred thousand entries it takes
//! twice what they have, and three times while it grows. Here entries stand in sorted chunks that are four fifths full.

/// Entries in a full chunk: with entries of 32 bytes it takes 4 KiB, which allocators give without waste.
const CHUNK: usize = 128;
/// A chunk that has no more entries than this takes some of a full neighbour's.
const HAS_ROOM: usize = CHUNK * 3 / 4;
/// A chunk with fewer than this is joined to a neighbour.
const SPARSE: usize = CHUNK / 4;

/// A value for each key, in sorted chunks. To find a key takes time with the logarithm of the entries; to put or remove one, the time to move
/// some kilobytes at most, and a place for each hundred entries.
#[derive(Clone, Debug)]
pub struct PackedMap<K, V> {
    /// In the order of their entries. None is empty.
    chunks: Vec<Vec<(K, V)>>,
    count: usize,
}

impl<K, V> Default for PackedMap<K, V> {
    fn default() -> Self {
        Self { chunks: Vec::new(), count: 0 }
    }
}

impl<K: Copy + Ord, V> PackedMap<K, V> {
    /// Puts a value. Returns what stood there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some(at) = self.chunk_of(&key) else {
            self.chunks.push(vec![(key, value)]);
            self.count = 1;
            return None;
        };
        let place = match search(&self.chunks[at], &key) {
            Ok(place) => return Some(std::mem::replace(&mut self.chunks[at][place].1, value)),
            Err(place) => place,
        };
        self.count += 1;
        if self.chunks[at].len() < CHUNK {
            put(&mut self.chunks[at], place, key, value);
            return None;
        }
        let left = self.make_room(at);
        let is_right = self.chunks[left + 1][0].0 <= key;
        let chunk = &mut self.chunks[left + usize::from(is_right)];
        let place = search(chunk, &key).unwrap_or_else(|place| place);
        put(chunk, place, key, value);
        None
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let chunk = &self.chunks[self.chunk_of(key)?];
        search(chunk, key).ok().map(|place| &chunk[place].1)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.chunk_of(key)?;
        let chunk = &mut self.chunks[at];
        search(chunk, key).ok().map(|place| &mut chunk[place].1)
    }

    /// Whether there is a value for a key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.chunk_of(key)?;
        let place = search(&self.chunks[at], key).ok()?;
        let (_, value) = self.chunks[at].remove(place);
        self.count -= 1;
        if self.chunks[at].is_empty() {
            self.chunks.remove(at);
        } else if self.chunks[at].len() < SPARSE {
            self.join(at);
            self.join(at.saturating_sub(1));
        }
        Some(value)
    }

    /// Takes out those that are so, and returns their keys.
    pub fn take_where(&mut self, is_so: impl Fn(&V) -> bool) -> Vec<K> {
        let mut taken = Vec::new();
        for chunk in &mut self.chunks {
            taken.extend(chunk.extract_if(.., |(_, value)| is_so(value)).map(|(key, _)| key));
        }
        self.count -= taken.len();
        self.chunks.retain(|chunk| !chunk.is_empty());
        for at in (0..self.chunks.len()).rev() {
            self.join(at);
        }
        self.chunks.shrink_to_fit();
        taken
    }

    /// The first key in their order.
    pub fn first_key(&self) -> Option<K> {
        self.chunks.first()?.first().map(|(key, _)| *key)
    }

    /// The keys behind another (None: all), in their order.
    pub fn keys_behind(&self, after: Option<K>) -> impl Iterator<Item = K> {
        let first = after.and_then(|after| self.chunk_of(&after)).unwrap_or_default();
        let keys = self.chunks[first..].iter().flatten().map(|(key, _)| *key);
        keys.skip_while(move |key| Some(*key) <= after)
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.chunks.iter().flatten().map(|(_, value)| value)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// There are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The chunk in which a key stands, or would; None while there are none.
    fn chunk_of(&self, key: &K) -> Option<usize> {
        let behind = self.chunks.partition_point(|chunk| chunk[0].0 <= *key);
        (!self.chunks.is_empty()).then(|| behind.saturating_sub(1))
    }

    /// Spreads a full chunk over a neighbour that has room, or else over a new one. Returns the left one of both.
    fn make_room(&mut self, at: usize) -> usize {
        let has_room = |at: usize| self.chunks.get(at).is_some_and(|chunk| chunk.len() <= HAS_ROOM);
        let left = match at.checked_sub(1) {
            Some(before) if has_room(before) => before,
            _ if has_room(at + 1) => at,
            _ => {
                self.chunks.insert(at + 1, Vec::with_capacity(CHUNK));
                at
            }
        };
        let (before, behind) = self.chunks.split_at_mut(left + 1);
        let (left_chunk, right_chunk) = (&mut before[left], &mut behind[0]);
        let half = usize::midpoint(left_chunk.len(), right_chunk.len());
        if left_chunk.len() > half {
            right_chunk.reserve_exact(CHUNK - right_chunk.len());
            right_chunk.splice(..0, left_chunk.drain(half..));
        } else {
            let missing = half - left_chunk.len();
            left_chunk.reserve_exact(CHUNK - left_chunk.len());
            left_chunk.extend(right_chunk.drain(..missing));
        }
        left
    }

    /// Makes one chunk of this and the next where that has room for more even so.
    fn join(&mut self, at: usize) {
        let length = |at: usize| self.chunks.get(at).map_or(CHUNK, Vec::len);
        if length(at) + length(at + 1) <= HAS_ROOM {
            let next = self.chunks.remove(at + 1);
            self.chunks[at].reserve_exact(next.len());
            self.chunks[at].extend(next);
        }
    }
}

/// Puts an entry into a chunk with room, which takes no more memory than a full one.
fn put<K, V>(chunk: &mut Vec<(K, V)>, place: usize, key: K, value: V) {
    if chunk.len() == chunk.capacity() && chunk.len() >= CHUNK / 2 {
        chunk.reserve_exact(CHUNK - chunk.len());
    }
    chunk.insert(place, (key, value));
}

fn search<K: Ord, V>(chunk: &[(K, V)], key: &K) -> Result<usize, usize> {
    chunk.binary_search_by(|(other, _)| other.cmp(key))
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, PackedMap, SPARSE};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Act {
        Insert(u64, u32),
        Remove(u64),
        TakeMultiples(u32),
    }

    fn act() -> impl Strategy<Value = Act> {
        // In no order, in order, and all in one place.
        let key = prop_oneof![any::<u64>(), 0..2_000_u64];
        prop_oneof![
            60 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Act::Insert(key, value)),
            20 => key.prop_map(Act::Remove),
            1 => (2..9_u32).prop_map(Act::TakeMultiples),
        ]
    }

    fn check(map: &PackedMap<u64, u32>, expected: &BTreeMap<u64, u32>) {
        let entries: Vec<_> = map.chunks.iter().flatten().copied().collect();
        assert_eq!(entries, expected.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>());
        assert_eq!(map.len(), expected.len());
        assert!(map.chunks.iter().all(|chunk| (1..=CHUNK).contains(&chunk.len())));
        assert!(map.keys_behind(None).eq(expected.keys().copied()));
        for after in [0, 1_000, u64::MAX / 2, u64::MAX] {
            let behind = expected.keys().copied().filter(|key| *key > after);
            assert!(map.keys_behind(Some(after)).eq(behind), "behind {after}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_holds_what_any_map_holds(acts in prop::collection::vec(act(), 0..3_000)) {
            let (mut map, mut expected) = (PackedMap::default(), BTreeMap::new());
            for act in acts {
                match act {
                    Act::Insert(key, value) => {
                        prop_assert_eq!(map.insert(key, value), expected.insert(key, value));
                        prop_assert_eq!(map.get(&key), Some(&value));
                    }
                    Act::Remove(key) => {
                        prop_assert_eq!(map.remove(&key), expected.remove(&key));
                        prop_assert_eq!(map.get(&key), None);
                    }
                    Act::TakeMultiples(of) => {
                        let taken = map.take_where(|value| value.is_multiple_of(of));
                        let gone = expected.extract_if(.., |_, value| value.is_multiple_of(of));
                        prop_assert_eq!(taken, gone.map(|(key, _)| key).collect::<Vec<_>>());
                    }
                }
            }
            check(&map, &expected);
        }
    }

    /// A number that looks like any.
    const fn scattered(number: u64) -> u64 {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    }

    #[test]
    fn many_entries_take_little_more_than_their_own_bytes() {
        let mut map = PackedMap::default();
        for (number, entries) in (0..50_000).zip(1_usize..) {
            map.insert(scattered(number), 0_u64);
            let capacity: usize = map.chunks.iter().map(Vec::capacity).sum();
            let most = 32.max(entries * 3 / 2);
            assert!(capacity <= most + CHUNK, "{capacity} places for {entries} entries");
        }
        let capacity: usize = map.chunks.iter().map(Vec::capacity).sum();
        assert!(capacity < 50_000 * 13 / 10, "{capacity}");
    }

    #[test]
    fn what_was_large_and_is_small_gives_its_memory_back() {
        let mut map = PackedMap::default();
        for number in 0..20_000 {
            assert_eq!(map.insert(scattered(number), number), None);
        }
        for number in 0..19_000 {
            assert_eq!(map.remove(&scattered(number)), Some(number));
        }
        assert!(map.chunks.len() < 2 * 1_000 / SPARSE, "{}", map.chunks.len());
        map.take_where(|number| *number != 19_999);
        assert_eq!((map.len(), map.chunks.len()), (1, 1));
        assert_eq!(map.get(&scattered(19_999)), Some(&19_999));
    }
}
