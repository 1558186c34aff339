//! All objects told again, and then who is there, beside the watches: no change waits for it.

use super::census;
use super::follower::Server;
use super::teller::Teller;
use crate::publish::SnapshotTrigger;
use kube::runtime::watcher::DefaultBackoff;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// A page that fails as often as this is given up: the watch tells what is wrong.
const MOST_ATTEMPTS: u32 = 8;

/// How often it is looked whether a kind was listed of which no census was told yet.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// The kinds that are watched at this time.
#[derive(Clone, Default)]
pub(crate) struct Tellers(Arc<Mutex<Vec<Arc<Teller>>>>);

impl Tellers {
    pub(crate) fn add(&self, teller: &Arc<Teller>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(teller));
    }

    pub(crate) fn remove(&self, teller: &Arc<Teller>) {
        let mut tellers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tellers.retain(|other| !Arc::ptr_eq(other, teller));
    }

    fn all(&self) -> Vec<Arc<Teller>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Tells all objects again whenever that is due.
pub(crate) struct Snapshots {
    pub(crate) server: Server,
    pub(crate) tellers: Tellers,
    pub(crate) trigger: SnapshotTrigger,
}

impl Snapshots {
    /// Never ends.
    pub(crate) async fn run(mut self) {
        let mut looks = tokio::time::interval(BETWEEN_LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.trigger.due() => self.tell_everything().await,
                _ = looks.tick() => self.tell_owed().await,
            }
        }
    }

    async fn tell_everything(&mut self) {
        tracing::info!("telling all objects again");
        let mut is_whole = true;
        for teller in self.tellers.all() {
            is_whole &= self.tell_all(&teller).await && census::tell(&teller).await;
        }
        if !is_whole {
            self.trigger.was_cut_short();
        }
    }

    /// What was deleted before this run began, nobody saw.
    async fn tell_owed(&self) {
        for teller in self.tellers.all() {
            if census::is_owed(&teller) && teller.takes_snapshot() {
                census::tell(&teller).await;
            }
        }
    }

    /// Tells all objects of a kind. Whether that is done, as far as it can be.
    async fn tell_all(&self, teller: &Teller) -> bool {
        let (mut token, mut attempts) = (String::new(), 0);
        let mut pauses = DefaultBackoff::default();
        while teller.takes_snapshot() {
            match self.server.page(teller, &token, |piece| teller.tell_again(piece)).await {
                Ok(page) if page.token.is_empty() => {
                    teller.told_all_again();
                    return true;
                }
                Ok(page) => (token, attempts) = (page.token, 0),
                Err(failure) if failure.token.is_some() => {
                    token = failure.token.unwrap_or_default();
                }
                // A kind that is not served or not ours to see.
                Err(failure) if failure.is_lasting() => return true,
                Err(_) if attempts == MOST_ATTEMPTS => return false,
                Err(_) => {
                    attempts += 1;
                    tokio::time::sleep(pauses.next().unwrap_or(Duration::from_secs(30))).await;
                }
            }
        }
        false
    }
}
