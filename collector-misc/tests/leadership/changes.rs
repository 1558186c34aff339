//! Objects that change all the time, and the list of all their states.

use api_server::{ApiServer, Store};
use event_model::KubernetesObject;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// So many pods live at once.
const PODS: usize = 50;
const NODES: u64 = 5;

/// A state that an object had.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// With this resource version.
    Version {
        uid: String,
        version: String,
    },
    Deleted {
        uid: String,
    },
}

impl State {
    pub fn of(object: &KubernetesObject) -> Self {
        let uid = object.uid.clone();
        if object.deleted {
            return Self::Deleted { uid };
        }
        Self::Version { uid, version: object.resource_version.clone() }
    }
}

/// Pods that are made, changed and deleted, and nodes that change.
pub struct Changes {
    states: Arc<Mutex<BTreeSet<State>>>,
    task: JoinHandle<()>,
}

impl Changes {
    /// So many changes in a second, until this is stopped.
    pub fn begin(server: &Arc<ApiServer>, per_second: u32) -> Self {
        let states = Arc::<Mutex<BTreeSet<State>>>::default();
        let mut cluster = Cluster::new(server, Arc::clone(&states));
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
            loop {
                ticks.tick().await;
                cluster.change();
            }
        });
        Self { states, task }
    }

    /// All states that there were.
    pub async fn stop(self) -> BTreeSet<State> {
        self.task.abort();
        // A change that was under way is made.
        let _ = self.task.await;
        self.states.lock().unwrap().clone()
    }
}

struct Cluster {
    server: Arc<ApiServer>,
    states: Arc<Mutex<BTreeSet<State>>>,
    uids: BTreeMap<String, String>,
    pods: VecDeque<String>,
    turn: u64,
}

impl Cluster {
    fn new(server: &Arc<ApiServer>, states: Arc<Mutex<BTreeSet<State>>>) -> Self {
        let (uids, pods) = (BTreeMap::new(), VecDeque::new());
        let mut cluster = Self { server: Arc::clone(server), states, uids, pods, turn: 0 };
        for number in 0..NODES {
            let name = format!("worker-{number}");
            cluster.create("nodes", name, &json!({}));
        }
        cluster
    }

    fn change(&mut self) {
        self.turn += 1;
        match self.turn % 5 {
            0 if self.pods.len() >= PODS => self.delete_oldest_pod(),
            0 | 1 => self.create_pod(),
            2 => self.label("nodes", &format!("worker-{}", self.turn % NODES)),
            _ => {
                let place = usize::try_from(self.turn).unwrap() % self.pods.len().max(1);
                if let Some(pod) = self.pods.get(place).cloned() {
                    self.label("pods", &pod);
                }
            }
        }
    }

    fn create_pod(&mut self) {
        let name = format!("shop-{}", self.turn);
        let spec = json!({"containers": [{"name": "web", "image": "nginx"}]});
        self.create("pods", name.clone(), &spec);
        self.pods.push_back(format!("default/{name}"));
    }

    fn create(&mut self, plural: &str, name: String, spec: &serde_json::Value) {
        let object = json!({"metadata": {"name": name}, "spec": spec});
        let key = if plural == "pods" { format!("default/{name}") } else { name };
        let states = Arc::clone(&self.states);
        let uid = self.server.change(|store| {
            let uid = store.create(plural, object);
            note(&states, store, &uid);
            uid
        });
        self.uids.insert(key, uid);
    }

    fn label(&self, plural: &str, key: &str) {
        let (uid, turn) = (&self.uids[key], self.turn.to_string());
        self.server.change(|store| {
            store.update(plural, key, |object| object["metadata"]["labels"]["turn"] = json!(turn));
            note(&self.states, store, uid);
        });
    }

    fn delete_oldest_pod(&mut self) {
        let Some(pod) = self.pods.pop_front() else { return };
        let uid = self.uids[&pod].clone();
        self.server.change(|store| store.delete("pods", &pod));
        self.states.lock().unwrap().insert(State::Deleted { uid });
    }
}

fn note(states: &Mutex<BTreeSet<State>>, store: &Store, uid: &str) {
    let version = store.version().to_string();
    states.lock().unwrap().insert(State::Version { uid: uid.to_owned(), version });
}
