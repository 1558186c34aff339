use super::TOKEN;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// How the server answers a watch from a version that it has forgotten.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum GoneAs {
    /// 200, then an ERROR event.
    Event,
    /// HTTP 410.
    Response,
}

/// What the server makes of `sendInitialEvents`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Streaming {
    Offered,
    /// 422, as with the feature gate switched off.
    Refused,
    /// As if it had not been asked: no end of the initial events is ever told.
    Ignored,
}

/// One event of the history.
#[derive(Clone)]
pub struct Change {
    pub version: u64,
    pub plural: String,
    pub kind: &'static str,
    pub object: Value,
}

/// The objects, their history, and how the server is to behave.
pub struct Cluster {
    version: u64,
    /// Watches can begin at this version or later.
    oldest: u64,
    objects: BTreeMap<(String, String), Value>,
    history: Vec<Change>,
    /// What is left of paged lists, by continue token, and the version that they show.
    pages: HashMap<String, (u64, Vec<Value>)>,
    pub requests: Vec<(String, String)>,
    pub token: String,
    pub forbidden: BTreeSet<String>,
    pub gone_as: GoneAs,
    pub streaming: Streaming,
    /// So many lists lose their remaining pages after the first.
    pub lists_to_expire: u32,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            version: 1,
            oldest: 0,
            objects: BTreeMap::new(),
            history: Vec::new(),
            pages: HashMap::new(),
            requests: Vec::new(),
            token: TOKEN.to_owned(),
            forbidden: BTreeSet::new(),
            gone_as: GoneAs::Event,
            streaming: Streaming::Offered,
            lists_to_expire: 0,
        }
    }
}

/// `kind` of the objects that the URL calls `plural`.
pub fn kind_of(plural: &str) -> &'static str {
    match plural {
        "pods" => "Pod",
        "nodes" => "Node",
        other => panic!("no such resource: {other}"),
    }
}

impl Cluster {
    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Creates an object, and returns its uid.
    pub fn create(&mut self, plural: &str, mut object: Value) -> String {
        let uid = Uuid::new_v4().to_string();
        object["apiVersion"] = json!("v1");
        object["kind"] = json!(kind_of(plural));
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["managedFields"] = json!([{"manager": "test", "fieldsV1": {"f:a": {}}}]);
        self.record(plural, "ADDED", object);
        uid
    }

    pub fn update(&mut self, plural: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.objects[&(plural.to_owned(), name.to_owned())].clone();
        change(&mut object);
        self.record(plural, "MODIFIED", object);
    }

    pub fn delete(&mut self, plural: &str, name: &str) {
        let object = self.objects[&(plural.to_owned(), name.to_owned())].clone();
        self.record(plural, "DELETED", object);
    }

    /// Forgets the history: watches that stand before now get 410, and so do lists under way.
    pub fn compact(&mut self) {
        self.version += 1;
        self.oldest = self.version;
        self.history.clear();
        self.pages.clear();
    }

    fn record(&mut self, plural: &str, kind: &'static str, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let key = (plural.to_owned(), name);
        match kind {
            "DELETED" => self.objects.remove(&key),
            _ => self.objects.insert(key, object.clone()),
        };
        let plural = plural.to_owned();
        self.history.push(Change { version: self.version, plural, kind, object });
    }

    pub fn objects(&self, plural: &str) -> Vec<Value> {
        let objects = self.objects.iter().filter(|((of, _), _)| of == plural);
        objects.map(|(_, object)| object.clone()).collect()
    }

    /// What happened to `plural` after `version`.
    pub fn changes_after(&self, version: u64, plural: &str) -> Vec<Change> {
        let changes = self.history.iter();
        changes
            .filter(|change| change.version > version && change.plural == plural)
            .cloned()
            .collect()
    }

    /// A page of a list: its first where there is no token. None where the token has expired.
    /// All pages show the cluster as it was at the first.
    pub fn page(&mut self, plural: &str, limit: usize, token: Option<&str>) -> Option<Value> {
        let (version, mut items) = match token {
            Some(token) => self.pages.remove(token)?,
            None => (self.version, self.objects(plural)),
        };
        let rest = items.split_off(limit.min(items.len()));
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if !rest.is_empty() {
            let token = Uuid::new_v4().to_string();
            metadata["continue"] = json!(token);
            metadata["remainingItemCount"] = json!(rest.len());
            if self.lists_to_expire > 0 {
                self.lists_to_expire -= 1;
            } else {
                self.pages.insert(token, (version, rest));
            }
        }
        // Items of a list carry no type.
        for item in &mut items {
            let item = item.as_object_mut().unwrap();
            item.remove("kind");
            item.remove("apiVersion");
        }
        let kind = format!("{}List", kind_of(plural));
        Some(json!({"kind": kind, "apiVersion": "v1", "metadata": metadata, "items": items}))
    }
}
