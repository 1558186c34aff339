use super::completion::{CompleteAlert, complete};
use crate::store::{AlertFilter, Reader, StoreError};
use futures::Stream;
use futures::stream;
use std::collections::VecDeque;
use tokio::sync::watch;

/// Alerts that wait in memory for one follower. The rest waits in the store.
const MOST_WAITING: usize = 50;
/// A follower that is further behind is told to read the list again: it would show all of them
/// as new otherwise, one by one.
const MOST_BEHIND: i64 = 1000;

/// What a follower is told.
#[derive(Clone, Debug)]
pub enum Followed {
    /// An alert arrived.
    Alert(Box<CompleteAlert>),
    /// There are more than it makes sense to tell one by one, or the follower knows a number that
    /// this store never gave: read the list again. Alerts after this number follow.
    Resync(i64),
}

struct Follower {
    reader: Reader,
    newest: watch::Receiver<i64>,
    filter: AlertFilter,
    /// Alerts up to this number were told, or did not match.
    told: i64,
    waiting: VecDeque<CompleteAlert>,
}

/// Alerts as they arrive, from the one after `after`; without it, from now on.
///
/// The store is the queue: a slow follower costs the memory of a few alerts, and misses none.
pub fn follow(
    reader: Reader,
    filter: AlertFilter,
    after: Option<i64>,
) -> impl Stream<Item = Result<Followed, StoreError>> + Send {
    let newest = reader.newest_alert();
    let told = after.unwrap_or_else(|| *newest.borrow());
    let follower = Follower { reader, newest, filter, told, waiting: VecDeque::new() };
    stream::try_unfold(follower, async |mut follower| {
        let next = follower.next().await?;
        Ok(next.map(|followed| (followed, follower)))
    })
}

impl Follower {
    /// The next to tell. None: the store has ended.
    async fn next(&mut self) -> Result<Option<Followed>, StoreError> {
        loop {
            if let Some(alert) = self.waiting.pop_front() {
                return Ok(Some(Followed::Alert(Box::new(alert))));
            }
            let newest = *self.newest.borrow_and_update();
            if newest < self.told || newest.saturating_sub(self.told) > MOST_BEHIND {
                self.told = newest;
                return Ok(Some(Followed::Resync(newest)));
            }
            if newest > self.told {
                self.read_up_to(newest).await?;
            } else if self.newest.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    async fn read_up_to(&mut self, newest: i64) -> Result<(), StoreError> {
        let filter = self.filter.clone();
        let page = self.reader.alerts_arrived_after(filter, self.told, MOST_WAITING).await?;
        self.told = match page.next {
            Some(last) => last.number,
            None => newest.max(page.items.last().map_or(0, |alert| alert.number)),
        };
        self.waiting.extend(page.items.into_iter().map(complete));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreConfig};
    use futures::StreamExt;

    #[tokio::test]
    async fn a_number_that_no_store_gives_is_answered_by_a_resync() {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig { directory: folder.path().to_owned(), ..StoreConfig::default() };
        let store = Store::open(&config).unwrap();
        for after in [i64::MIN, i64::MAX] {
            let alerts = follow(store.reader.clone(), AlertFilter::default(), Some(after));
            let first = std::pin::pin!(alerts).next().await.unwrap().unwrap();
            assert!(matches!(first, Followed::Resync(0)), "{after}: {first:?}");
        }
    }
}
