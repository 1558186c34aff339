use crate::history::{Collection, Key};
use crate::shared::Shared;
use crate::store::Store;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The annotation of a changed object that says when it was changed: microseconds since 1970.
pub const CHANGED_AT: &str = "load.example.com/changed-at";

const TICKS_PER_SECOND: u32 = 20;

/// Changes that go on until this is dropped: of ten, eight new states of pods, a pod that is
/// replaced by another (which is two changes), and a heartbeat of a node.
#[derive(Debug)]
pub struct Churn {
    _until_dropped: DropGuard,
}

impl Churn {
    /// Begins so many changes a second among the pods and nodes that are there now.
    pub(crate) fn begin(shared: &Arc<Shared>, changes_per_second: u32) -> Self {
        let ended = CancellationToken::new();
        let changing = Changing {
            shared: Arc::clone(shared),
            pods: keys(&shared.store(), "pods"),
            nodes: keys(&shared.store(), "nodes"),
            count: 0,
        };
        tokio::spawn(ended.clone().run_until_cancelled_owned(changing.run(changes_per_second)));
        Self { _until_dropped: ended.drop_guard() }
    }
}

fn keys(store: &Store, resource: &str) -> Vec<Key> {
    let collection = store.collection(&store.resource(resource));
    collection.into_iter().flat_map(Collection::iter).map(|(key, _)| key.clone()).collect()
}

struct Changing {
    shared: Arc<Shared>,
    pods: Vec<Key>,
    nodes: Vec<Key>,
    count: u64,
}

impl Changing {
    async fn run(mut self, changes_per_second: u32) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / TICKS_PER_SECOND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let began = Instant::now();
        loop {
            ticks.tick().await;
            let due = began.elapsed().as_secs_f64() * f64::from(changes_per_second);
            while u32::try_from(self.count).is_ok_and(|count| f64::from(count) < due) {
                self.change();
            }
        }
    }

    fn change(&mut self) {
        let kind = self.count % 11;
        self.count += 1;
        if self.pods.is_empty() || (kind == 8 && !self.nodes.is_empty()) {
            self.beat();
        } else if kind == 9 {
            self.count += 1;
            self.replace();
        } else {
            self.restart_container();
        }
    }

    fn beat(&mut self) {
        let Some(node) = fastrand::choice(&self.nodes) else { return };
        self.shared.change(|store| {
            store.update_if_there("nodes", node, |node| {
                node["status"]["conditions"][3]["lastHeartbeatTime"] = json!(crate::write::now());
                stamp(node);
            });
        });
    }

    fn restart_container(&mut self) {
        let Some(pod) = fastrand::choice(&self.pods) else { return };
        self.shared.change(|store| {
            store.update_if_there("pods", pod, |pod| {
                let status = &mut pod["status"]["containerStatuses"][0];
                status["restartCount"] = json!(status["restartCount"].as_u64().unwrap_or(0) + 1);
                stamp(pod);
            });
        });
    }

    /// A pod goes, and another of its ReplicaSet comes.
    fn replace(&mut self) {
        let at = fastrand::usize(..self.pods.len());
        let old = &self.pods[at];
        let new = self.shared.change(|store| {
            let mut pod = store.get("pods", old)?;
            store.delete("pods", old);
            let prefix = pod["metadata"]["generateName"].as_str().unwrap_or("pod-").to_owned();
            if let Value::Object(metadata) = &mut pod["metadata"] {
                metadata.remove("name");
            }
            pod["metadata"]["generateName"] = json!(prefix);
            stamp(&mut pod);
            let namespace = pod["metadata"]["namespace"].as_str().unwrap_or("default").to_owned();
            Some(format!("{namespace}/{}", store.create_named("pods", pod)))
        });
        match new {
            Some(new) => self.pods[at] = new,
            None => drop(self.pods.swap_remove(at)),
        }
    }
}

fn stamp(object: &mut Value) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    object["metadata"]["annotations"][CHANGED_AT] = json!(since.as_micros().to_string());
}
