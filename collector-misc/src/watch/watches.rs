//! The watches of all kinds: those that are known beforehand, and those that definitions make.

use super::follower::{Follower, Server};
use super::health::Health;
use super::kind::{Kind, Presence};
use super::kinds::{KINDS, defined};
use super::reading::Definition;
use super::snapshots::{Snapshots, Tellers};
use super::teller::{Observer, Teller};
use crate::publish::Publisher;
use kube::Client;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// The most kinds that are watched by definitions: each costs a connection.
const MOST_DEFINED: usize = 128;

/// The kinds that definitions make at this time, of those that are to be watched, by the definitions' uids.
#[derive(Default)]
pub(crate) struct DefinedKinds {
    kinds: Mutex<BTreeMap<String, Kind>>,
    changed: Notify,
}

impl DefinedKinds {
    /// A definition is new or changed.
    pub(crate) fn put(&self, uid: &str, definition: &Definition) {
        let Definition { group, kind, plural, served, is_established, .. } = definition;
        let kind = if *is_established { defined(group, kind, plural, served) } else { None };
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kinds.get(uid);
        if before == kind.as_ref() {
            return;
        }
        match kind {
            Some(kind) if before.is_some() || kinds.len() < MOST_DEFINED => {
                kinds.insert(uid.to_owned(), kind);
            }
            Some(kind) => tracing::warn!(%kind, "not watched: there are too many kinds"),
            None => drop(kinds.remove(uid)),
        }
        self.changed.notify_one();
    }

    /// A definition is gone.
    pub(crate) fn remove(&self, uid: &str) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.remove(uid).is_some() {
            self.changed.notify_one();
        }
    }

    fn all(&self) -> BTreeMap<String, Kind> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the watches have in common.
pub(crate) struct Watches {
    pub(crate) client: Client,
    pub(crate) publisher: Publisher,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) health: Health,
    pub(crate) defined: Arc<DefinedKinds>,
    /// Whether a kind that is known beforehand is wanted.
    pub(crate) is_wanted: fn(&Kind) -> bool,
}

/// A watch that a definition made.
struct Running {
    teller: Arc<Teller>,
    ends: Ends,
}

/// How a watch may end.
#[derive(Clone, Default)]
struct Ends {
    /// Another goes on with the same objects.
    is_succeeded: CancellationToken,
    /// The kind is gone, and its objects with it.
    is_gone: CancellationToken,
}

impl Watches {
    /// Watches until `shutdown`.
    ///
    /// # Errors
    /// A watch panicked.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> Result<(), JoinError> {
        tokio::select! {
            outcome = self.watch_all() => outcome,
            () = shutdown.cancelled() => Ok(()),
        }
    }

    async fn watch_all(self) -> Result<(), JoinError> {
        let server = Server::new(self.client.clone());
        let mut trigger = self.publisher.snapshots();
        trigger.wait_for_first_connection().await;
        let (mut tasks, tellers) = (JoinSet::new(), Tellers::default());
        let known = KINDS.iter().filter(|kind| kind.presence != Presence::ByDefinition);
        for kind in known.filter(|kind| (self.is_wanted)(kind)).cloned() {
            let teller = Arc::new(self.teller(kind));
            tasks.spawn(self.follow(teller, &server, &tellers, Ends::default()));
        }
        let snapshots = Snapshots { server: server.clone(), tellers: tellers.clone(), trigger };
        tasks.spawn(snapshots.run());
        let mut running = BTreeMap::<String, Running>::new();
        loop {
            tokio::select! {
                () = self.defined.changed.notified() => {}
                Some(ended) = tasks.join_next() => {
                    ended?;
                    continue;
                }
            }
            let wanted = self.defined.all();
            running.retain(|uid, watch| {
                let stays = wanted.contains_key(uid);
                if !stays {
                    watch.ends.is_gone.cancel();
                }
                stays
            });
            for (uid, kind) in wanted {
                let before = running.get(&uid);
                if before.is_some_and(|watch| watch.teller.kind == kind) {
                    continue;
                }
                tracing::info!(%kind, version = %kind.version, "a definition makes a kind that is watched");
                let mut teller = self.teller(kind);
                if let Some(before) = before {
                    teller = teller.succeeding(&before.teller);
                    before.ends.is_succeeded.cancel();
                }
                let (teller, ends) = (Arc::new(teller), Ends::default());
                tasks.spawn(self.follow(Arc::clone(&teller), &server, &tellers, ends.clone()));
                running.insert(uid, Running { teller, ends });
            }
        }
    }

    fn teller(&self, kind: Kind) -> Teller {
        let report = self.health.kind(kind.to_string());
        Teller::new(kind, self.publisher.clone(), Arc::clone(&self.observer), report)
    }

    /// Follows a kind until it ends.
    fn follow(
        &self,
        teller: Arc<Teller>,
        server: &Server,
        tellers: &Tellers,
        ends: Ends,
    ) -> impl Future<Output = ()> + Send + 'static {
        tellers.add(&teller);
        let (server, tellers, health) = (server.clone(), tellers.clone(), self.health.clone());
        async move {
            let follower = Follower::new(server, Arc::clone(&teller));
            tokio::select! {
                () = follower.run() => {}
                () = ends.is_succeeded.cancelled() => tellers.remove(&teller),
                () = ends.is_gone.cancelled() => {
                    tellers.remove(&teller);
                    teller.finish().await;
                    health.forget(&teller.kind.to_string());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DefinedKinds, MOST_DEFINED};
    use crate::watch::kinds::CONSTRAINTS;
    use crate::watch::reading::Definition;

    fn constraint(name: &str, is_established: bool) -> Definition {
        Definition {
            group: CONSTRAINTS.into(),
            kind: name.into(),
            plural: name.to_lowercase(),
            served: vec!["v1beta1".into()],
            is_established,
            ..Definition::default()
        }
    }

    #[test]
    fn a_kind_is_there_once_its_definition_is_established_until_that_is_gone() {
        let kinds = DefinedKinds::default();
        kinds.put("1", &constraint("K8sLabels", false));
        assert!(kinds.all().is_empty());
        kinds.put("1", &constraint("K8sLabels", true));
        assert_eq!(kinds.all()["1"].plural, "k8slabels");
        kinds.remove("1");
        assert!(kinds.all().is_empty());
    }

    #[test]
    fn definitions_without_end_make_a_bounded_number_of_watches() {
        let kinds = DefinedKinds::default();
        for number in 0..1000 {
            kinds.put(&number.to_string(), &constraint(&format!("Kind{number}"), true));
        }
        assert_eq!(kinds.all().len(), MOST_DEFINED);
        kinds.remove("0");
        kinds.put("1001", &constraint("Late", true));
        assert_eq!(kinds.all().len(), MOST_DEFINED);
    }
}
