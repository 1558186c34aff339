//! How many connections each peer may have at a time: one that takes all it can get leaves others theirs.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

type Taken<P> = Arc<Mutex<HashMap<P, usize>>>;

/// Places of peers, by what a peer is told by: a user, an address.
#[derive(Debug)]
pub struct Places<P> {
    maximum: usize,
    /// Only peers that hold a place, so no more than there are connections.
    taken: Taken<P>,
}

/// A place that a peer holds until it is dropped.
#[derive(Debug)]
pub struct Place<P: Copy + Eq + Hash> {
    peer: P,
    taken: Taken<P>,
}

impl<P: Copy + Eq + Hash> Places<P> {
    /// Of which each peer may hold `maximum` at a time.
    pub fn new(maximum: usize) -> Self {
        Self { maximum, taken: Arc::default() }
    }

    /// None where the peer has as many as it may.
    pub fn take(&self, peer: P) -> Option<Place<P>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = taken.get(&peer).copied().unwrap_or(0);
        if of_peer >= self.maximum {
            return None;
        }
        taken.insert(peer, of_peer + 1);
        Some(Place { peer, taken: Arc::clone(&self.taken) })
    }
}

impl<P: Copy + Eq + Hash> Drop for Place<P> {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.peer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.peer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_its_places_and_no_other_s_and_is_forgotten_once_it_is_gone() {
        let places = Places::new(2);
        let (first, second) = (places.take(0).unwrap(), places.take(0).unwrap());
        assert!(places.take(0).is_none());
        assert!(places.take(65_532).is_some());
        assert_eq!(places.taken.lock().unwrap().len(), 1, "who has gone is forgotten");
        drop(first);
        let again = places.take(0);
        assert!(again.is_some() && places.take(0).is_none());
        drop((second, again));
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
