//! Two replicas at one API server, with objects that change.

use crate::changes::{Changes, State};
use crate::lease::{expect_all_delivered, expect_some_holder, holder};
use crate::poll::poll;
use crate::replica::{Durations, Replica};
use api_server::ApiServer;
use event_model::KubernetesObject;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const PER_SECOND: u32 = 100;

pub struct Site {
    pub server: Arc<ApiServer>,
    pub replicas: [Replica; 2],
    changes: Changes,
}

impl Site {
    /// Both replicas run, one leads, and the other has seen all that the first has not delivered.
    pub async fn start(durations: Durations) -> Self {
        Self::start_on(["worker-1", "worker-2"], durations).await
    }

    /// The same on these nodes.
    pub async fn start_on(nodes: [&str; 2], durations: Durations) -> Self {
        let server = Arc::new(ApiServer::start());
        let one = Replica::start(&server, "misc-1", nodes[0], durations).await;
        let two = Replica::start(&server, "misc-2", nodes[1], durations).await;
        for replica in [&one, &two] {
            replica.expect_ready("[+]kubernetes ready").await;
        }
        expect_some_holder(&server).await;
        // What was before anybody watched, nobody could tell.
        let changes = Changes::begin(&server, PER_SECOND);
        let site = Self { server, replicas: [one, two], changes };
        site.expect_warm().await;
        site
    }

    /// Waits until the one leads and the other could follow it without a loss.
    pub async fn expect_warm(&self) {
        for replica in &self.replicas {
            replica.expect_ready("[+]kubernetes ready").await;
        }
        expect_all_delivered(&self.server).await;
    }

    /// The place of the replica that holds the Lease.
    pub fn leader(&self) -> usize {
        let holder = holder(&self.server);
        let place = self.replicas.iter().position(|it| holder.as_deref() == Some(it.name));
        place.unwrap_or_else(|| panic!("{holder:?} leads"))
    }

    /// The leader, and the standby.
    pub fn both(&mut self) -> (&mut Replica, &mut Replica) {
        let leader = self.leader();
        let [one, two] = &mut self.replicas;
        if leader == 0 { (one, two) } else { (two, one) }
    }

    /// Ends the changes, and waits until every state of every object is at some publisher.
    pub async fn expect_every_state(self) -> String {
        let Self { server, replicas, changes } = self;
        let expected = changes.stop().await;
        poll("arrival of every state", || {
            let arrived = states(&replicas);
            let missing: Vec<&State> = expected.difference(&arrived).collect();
            let newest = missing.iter().rev().take(5);
            if missing.is_empty() {
                return Ok(());
            }
            let holder = holder(&server);
            Err(format!(
                "{} of {} are missing, such as {:?}; {holder:?} leads",
                missing.len(),
                expected.len(),
                newest.collect::<Vec<_>>()
            ))
        })
        .await;
        let sent = expect_no_contradictions(&replicas);
        for replica in &replicas {
            replica.publisher.expect_no_gaps();
            assert_eq!(replica.publisher.losses(), 0);
        }
        let invented: Vec<State> = states(&replicas).difference(&expected).cloned().collect();
        assert!(invented.is_empty(), "states that no object had: {invented:?}");
        format!("{} states, sent {sent} times", expected.len())
    }
}

fn states(replicas: &[Replica]) -> BTreeSet<State> {
    objects(replicas).iter().map(State::of).collect()
}

fn objects(replicas: &[Replica]) -> Vec<KubernetesObject> {
    replicas.iter().flat_map(|replica| replica.publisher.objects()).collect()
}

/// What came twice is the same both times, so that it can be dropped by its uid and version. Returns how many came.
fn expect_no_contradictions(replicas: &[Replica]) -> usize {
    let objects = objects(replicas);
    let mut known: BTreeMap<(&str, &str), &KubernetesObject> = BTreeMap::new();
    for object in objects.iter().filter(|object| !object.deleted) {
        let before = known.entry((&object.uid, &object.resource_version)).or_insert(object);
        assert_eq!(*before, object, "two contents of one state");
    }
    objects.len()
}
