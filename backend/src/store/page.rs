use super::alert_query::QueryError;
use super::conditions::Conditions;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, Rows};

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

    /// Takes rows until the page is full. One that the disk spoilt is passed over: it must not hide the others.
    pub(crate) fn fill(
        mut self,
        mut rows: Rows<'_>,
        place: impl Fn(&Row<'_>) -> rusqlite::Result<C>,
        read: impl Fn(&Row<'_>) -> Result<(T, usize), QueryError>,
    ) -> Result<Page<T, C>, QueryError> {
        while let Some(row) = rows.next()? {
            if !self.has_room() {
                return Ok(self.finish(true));
            }
            let place = place(row)?;
            match read(row) {
                Ok((item, bytes)) => self.push(item, place, bytes),
                Err(QueryError::Store(error)) => {
                    tracing::error!(%error, list = std::any::type_name::<T>(), "a row is skipped");
                    self.skip(place);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.finish(false))
    }

    /// The page; `more` tells that a row was left.
    pub(crate) fn finish(self, more: bool) -> Page<T, C> {
        Page { items: self.items, next: self.last.filter(|_| more) }
    }
}

/// A list in the store, of which pages are read.
pub(crate) struct List<'l> {
    /// What is read from where: `SELECT … FROM …`.
    pub select: &'l str,
    /// Which rows, and behind which place.
    pub conditions: Conditions,
    /// In which order: `ORDER BY …`, and before it how rows are grouped.
    pub order: &'l str,
}

impl List<'_> {
    /// At most `limit` items. `place` tells a row's place in the list, `read` what it holds, and how many bytes of the store
    /// that are.
    pub(crate) fn page<T, C>(
        self,
        state: &Connection,
        limit: usize,
        place: impl Fn(&Row<'_>) -> rusqlite::Result<C>,
        read: impl Fn(&Row<'_>) -> Result<(T, usize), QueryError>,
    ) -> Result<Page<T, C>, QueryError> {
        let page = PageBuilder::new(limit);
        let sql = format!("{} {} {} LIMIT ?", self.select, self.conditions.sql(), self.order);
        let mut statement = state.prepare_cached(&sql)?;
        let values = self.conditions.values([Value::Integer(page.rows_wanted())]);
        page.fill(statement.query(rusqlite::params_from_iter(values))?, place, read)
    }
}
