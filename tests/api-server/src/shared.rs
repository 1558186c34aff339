//! What all connections of a server share.

use crate::audit::Audit;
use crate::authentication::Credentials;
use crate::authorization::{Authorization, Authorizer};
use crate::behaviour::Behaviour;
use crate::store::Store;
use crate::trouble::Trouble;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::watch;

/// Requests that are remembered.
const REMEMBERED_REQUESTS: usize = 100_000;

/// A request, as it came.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Seen {
    /// `GET`, `POST`…
    pub method: String,
    /// Without the query.
    pub path: String,
    /// The plural of the resource, where it asked for one.
    pub resource: Option<String>,
    /// What follows the question mark.
    pub query: String,
    /// The header, or nothing.
    pub accept: String,
    /// Nobody, where the credentials were wrong.
    pub user: Option<String>,
}

/// Store, rights, trouble and records of one server.
#[derive(Debug)]
pub struct Shared {
    store: RwLock<Store>,
    /// The version of the last change.
    pub versions: watch::Sender<u64>,
    pub behaviour: watch::Sender<Behaviour>,
    pub troubles: Mutex<Vec<Trouble>>,
    pub credentials: Mutex<Credentials>,
    pub authorizer: Authorizer,
    pub audit: Option<Audit>,
    /// Told by `/version`, such as `v1.34.2`.
    pub kubernetes: String,
    requests: Mutex<VecDeque<Seen>>,
}

impl Shared {
    pub fn new(
        store: Store,
        authorization: Authorization,
        kubernetes: String,
        audit: Option<Audit>,
    ) -> Self {
        Self {
            versions: watch::Sender::new(store.version()),
            store: RwLock::new(store),
            behaviour: watch::Sender::default(),
            troubles: Mutex::default(),
            credentials: Mutex::default(),
            authorizer: Authorizer::new(authorization),
            audit,
            kubernetes,
            requests: Mutex::default(),
        }
    }

    pub fn store(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the store, and wakes the watches.
    pub fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut store);
        let version = store.version();
        self.versions.send_if_modified(|told| std::mem::replace(told, version) != version);
        result
    }

    pub fn see(&self, seen: Seen) {
        let mut requests = lock(&self.requests);
        if requests.len() == REMEMBERED_REQUESTS {
            requests.pop_front();
        }
        requests.push_back(seen);
    }

    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.requests).iter().cloned().collect()
    }
}

/// What `mutex` guards, though a test that held it may have failed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
