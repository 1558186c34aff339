use foldhash::HashMap;

/// What a memory takes besides what it says of itself: its key and its place.
const PLACE_BYTES: usize = 48;

/// What is remembered of one rule and key.
pub(super) trait Memory {
    /// About what it takes.
    fn bytes(&self) -> usize;

    /// When it was added to.
    fn last(&self) -> u64;

    /// It says nothing any more.
    fn is_over(&self, now: u64) -> bool;
}

/// Memories by hashes of rule and key, in bounded room.
#[derive(Debug)]
pub(super) struct Room<M> {
    memories: HashMap<u64, M>,
    bytes: usize,
    most: usize,
    forgotten: u64,
}

impl<M: Memory> Room<M> {
    /// With room for so many bytes.
    pub fn of(most: usize) -> Self {
        Self { memories: HashMap::default(), bytes: 0, most, forgotten: 0 }
    }

    /// Changes a memory, which is made where there is none.
    pub fn remember<T>(
        &mut self,
        key: u64,
        now: u64,
        make: impl FnOnce() -> M,
        change: impl FnOnce(&mut M) -> T,
    ) -> T {
        self.make_room(now);
        let mut before = 0;
        let memory = self
            .memories
            .entry(key)
            .and_modify(|memory| before = memory.bytes() + PLACE_BYTES)
            .or_insert_with(make);
        let changed = change(memory);
        self.bytes = (self.bytes + memory.bytes() + PLACE_BYTES).saturating_sub(before);
        changed
    }

    /// Changes a memory, where there is one.
    pub fn change<T>(&mut self, key: u64, change: impl FnOnce(&mut M) -> T) -> Option<T> {
        let memory = self.memories.get_mut(&key)?;
        let before = memory.bytes();
        let changed = change(memory);
        self.bytes = (self.bytes + memory.bytes()).saturating_sub(before);
        Some(changed)
    }

    /// How many were given up that were not over.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, &M)> {
        self.memories.iter().map(|(key, memory)| (*key, memory))
    }

    /// Puts a memory in. False where there is no room.
    pub fn insert(&mut self, key: u64, memory: M) -> bool {
        let bytes = memory.bytes() + PLACE_BYTES;
        let fits = self.bytes + bytes <= self.most;
        if fits && self.memories.insert(key, memory).is_none() {
            self.bytes += bytes;
        }
        fits
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&M) -> bool) {
        self.memories.retain(|_, memory| keep(memory));
        self.bytes = self.memories.values().map(|memory| memory.bytes() + PLACE_BYTES).sum();
    }

    /// Gives up what is over; where that is not enough, the older half.
    pub fn make_room(&mut self, now: u64) {
        if self.bytes < self.most {
            return;
        }
        self.retain(|memory| !memory.is_over(now));
        if self.bytes < self.most / 2 {
            return;
        }
        let mut ages: Vec<u64> = self.memories.values().map(Memory::last).collect();
        let middle = ages.len() / 2;
        let (_, middle, _) = ages.select_nth_unstable(middle);
        let (middle, before) = (*middle, self.memories.len());
        self.retain(|memory| memory.last() > middle);
        self.forgotten += (before - self.memories.len()) as u64;
    }
}
