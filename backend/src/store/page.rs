/// Bodies read for one page: a page of huge records ends early rather than filling memory.
const MOST_BYTES: usize = 8 << 20;

/// A part of a longer list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The part.
    pub items: Vec<T>,
    /// Where the next part begins. None: this was the last.
    pub next: Option<C>,
}

/// Collects a page of rows: at most `limit`, and not many more bytes than memory can spare.
pub(crate) struct PageBuilder<T, C> {
    items: Vec<T>,
    last: Option<C>,
    limit: usize,
    bytes: usize,
}

impl<T, C> PageBuilder<T, C> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { items: Vec::new(), last: None, limit, bytes: 0 }
    }

    /// How many rows to ask for: one more than the page takes tells whether there is a next page.
    pub(crate) fn rows_wanted(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Whether the page takes another row. False: there is a next page.
    pub(crate) fn has_room(&self) -> bool {
        self.items.len() < self.limit && self.bytes < MOST_BYTES
    }

    pub(crate) fn push(&mut self, item: T, place: C, bytes: usize) {
        self.items.push(item);
        self.last = Some(place);
        self.bytes += bytes;
    }

    /// Passes over a row that cannot be shown.
    pub(crate) fn skip(&mut self, place: C) {
        self.last = Some(place);
    }

    /// The page; `more` tells that a row was left.
    pub(crate) fn finish(self, more: bool) -> Page<T, C> {
        Page { items: self.items, next: self.last.filter(|_| more) }
    }
}
