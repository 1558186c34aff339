use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Part of all connections that may be of callers who have not shown yet that they may send events.
const STRANGERS_PART: usize = 4;

/// How many may be connected. Who connects and says nothing makes room for who comes later: an API server says who it is at once.
#[derive(Clone)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    strangers: Arc<Mutex<Strangers>>,
    most_strangers: usize,
}

#[derive(Default)]
struct Strangers {
    next: u64,
    /// The one who came first is the first.
    waiting: VecDeque<(u64, CancellationToken)>,
}

/// A connection's place, until it is dropped.
pub(super) struct Place {
    number: u64,
    gives_way: CancellationToken,
    strangers: Arc<Mutex<Strangers>>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(connections)),
            strangers: Arc::default(),
            most_strangers: connections.div_ceil(STRANGERS_PART),
        }
    }

    /// A place for somebody who is not known yet. None where all are taken by callers who are.
    pub(super) fn take(&self) -> Option<Place> {
        let mut strangers = lock(&self.strangers);
        let is_full = strangers.waiting.len() >= self.most_strangers;
        let permit = Arc::clone(&self.all).try_acquire_owned().ok();
        // Its place is free once its task has ended: a moment later than this.
        if (is_full || permit.is_none())
            && let Some((_, oldest)) = strangers.waiting.pop_front()
        {
            oldest.cancel();
        }
        let permit = permit?;
        let number = strangers.next;
        strangers.next += 1;
        let gives_way = CancellationToken::new();
        strangers.waiting.push_back((number, gives_way.clone()));
        let strangers = Arc::clone(&self.strangers);
        Some(Place { number, gives_way, strangers, _permit: permit })
    }
}

impl Place {
    /// Its caller may send events: it gives way to nobody.
    pub(super) fn is_known(&self) {
        lock(&self.strangers).waiting.retain(|(number, _)| *number != self.number);
    }

    /// Resolves when somebody else is to have it.
    pub(super) fn gives_way(&self) -> CancellationToken {
        self.gives_way.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.is_known();
    }
}

fn lock(strangers: &Mutex<Strangers>) -> MutexGuard<'_, Strangers> {
    strangers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_nothing_makes_room_and_who_is_known_does_not() {
        let places = Places::new(8);
        let known = places.take().expect("a place");
        known.is_known();
        let silent: Vec<_> = (0..2).map(|_| places.take().expect("a place")).collect();
        assert!(!silent[0].gives_way().is_cancelled());
        let _next = places.take().expect("a place");
        assert!(silent[0].gives_way().is_cancelled() && !silent[1].gives_way().is_cancelled());
        assert!(!known.gives_way().is_cancelled());
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let places = Places::new(2);
        let first = places.take().expect("a place");
        first.is_known();
        let second = places.take().expect("a place");
        second.is_known();
        assert!(places.take().is_none());
        drop(second);
        assert!(places.take().is_some());
        assert!(lock(&places.strangers).waiting.is_empty());
    }
}
