//! All objects, and the one number that counts their changes.

use crate::catalogue::Catalogue;
use crate::history::{ChangeKind, Collection, Key, key, split};
use crate::resource::Resource;
use crate::status::Refusal;
use crate::stored::{Object, Stored};
use crate::write;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The objects of a cluster. Its methods for tests name resources as kubectl does (`pods`,
/// `deployments.apps`) and objects by `name` or `namespace/name`; they panic where there is no such
/// resource or object.
#[derive(Debug)]
pub struct Store {
    version: u64,
    collections: HashMap<String, Collection>,
    catalogue: Catalogue,
    /// Changes remembered of each resource.
    history: usize,
    /// Counts changes of roles and their bindings.
    rights_version: u64,
}

impl Store {
    /// A store that remembers so many changes of each resource.
    pub fn new(history: usize) -> Self {
        Self {
            version: 1,
            collections: HashMap::new(),
            catalogue: Catalogue::default(),
            history,
            rights_version: 0,
        }
    }

    /// The version of the last change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The resources that are served.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    pub(crate) fn rights_version(&self) -> u64 {
        self.rights_version
    }

    /// The objects of a resource, where it ever had any.
    pub fn collection(&self, resource: &Resource) -> Option<&Collection> {
        self.collections.get(&resource.full_name())
    }

    pub(crate) fn found(&self, resource: &Resource, key: &str) -> Result<&Stored, Refusal> {
        let object = self.collection(resource).and_then(|collection| collection.get(key));
        object.ok_or_else(|| Refusal::not_found(resource, split(key).1))
    }

    /// How many objects a resource has.
    pub fn count(&self, resource: &str) -> usize {
        self.collection(&self.resource(resource)).map_or(0, Collection::len)
    }

    /// The resource of a name, as kubectl takes it.
    pub fn resource(&self, name: &str) -> Arc<Resource> {
        let resource = self.catalogue.named(name);
        Arc::clone(resource.unwrap_or_else(|| panic!("no resource is called {name:?}")))
    }

    /// Creates an object, with its status, and returns its uid. Without a namespace, those that
    /// need one come into `default`.
    pub fn create(&mut self, resource: &str, object: Value) -> String {
        uid(&self.create_stored(resource, object))
    }

    /// Creates an object, and returns its name.
    pub(crate) fn create_named(&mut self, resource: &str, object: Value) -> String {
        let created = self.create_stored(resource, object).metadata_value();
        created["name"].as_str().unwrap_or_default().to_owned()
    }

    fn create_stored(&mut self, resource: &str, object: Value) -> Stored {
        let resource = self.resource(resource);
        let namespace = resource
            .is_namespaced
            .then(|| object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned());
        let creation =
            write::Creation { namespace: namespace.as_deref(), manager: "test", dry_run: false };
        let created = write::create(self, &resource, object, &creation);
        created.unwrap_or_else(|refusal| panic!("{}", refusal.message))
    }

    /// Creates the objects of a manifest, each in the resource that its `apiVersion` and `kind` name.
    pub fn apply(&mut self, objects: impl IntoIterator<Item = Value>) {
        for object in objects {
            let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
            let (api_version, kind) = (text("apiVersion"), text("kind"));
            let resource = self.catalogue.of_type(&api_version, &kind);
            let resource =
                resource.unwrap_or_else(|| panic!("no resource of {api_version} {kind}"));
            self.create(&resource.full_name(), object);
        }
    }

    /// Changes an object, whatever part of it.
    pub fn update(&mut self, resource: &str, key: &str, change: impl FnOnce(&mut Value)) {
        let resource = self.resource(resource);
        let before =
            self.found(&resource, key).unwrap_or_else(|refusal| panic!("{}", refusal.message));
        let mut object = Value::Object(before.object(&resource));
        change(&mut object);
        let Value::Object(object) = object else { panic!("{key} is no longer an object") };
        self.record(&resource, ChangeKind::Modified, key, object);
    }

    /// Changes an object where it is there.
    pub(crate) fn update_if_there(
        &mut self,
        resource: &str,
        key: &str,
        change: impl FnOnce(&mut Value),
    ) {
        if self.found(&self.resource(resource), key).is_ok() {
            self.update(resource, key, change);
        }
    }

    /// Deletes an object, whatever its finalizers.
    pub fn delete(&mut self, resource: &str, key: &str) {
        let resource = self.resource(resource);
        self.remove(&resource, key).unwrap_or_else(|refusal| panic!("{}", refusal.message));
    }

    /// The object as it is.
    pub fn get(&self, resource: &str, key: &str) -> Option<Value> {
        let resource = self.resource(resource);
        let object = self.collection(&resource)?.get(key)?;
        Some(Value::Object(object.object(&resource)))
    }

    /// Replaces the first `from` in the bytes of an object: what a server that is broken sends.
    pub fn spoil(&mut self, resource: &str, key: &str, from: &[u8], to: &[u8]) {
        let resource = self.resource(resource);
        let before =
            self.found(&resource, key).unwrap_or_else(|refusal| panic!("{}", refusal.message));
        let spoiled = before.spoiled(from, to);
        let spoiled = spoiled.unwrap_or_else(|| panic!("{key} does not hold these bytes"));
        self.collections.entry(resource.full_name()).or_default().load(key.to_owned(), spoiled);
    }

    /// Forgets the history: what stands at an older version than the present gets 410.
    pub fn compact(&mut self) {
        self.version += 1;
        for collection in self.collections.values_mut() {
            collection.forget(self.version);
        }
    }

    /// The version that the next change will have.
    pub(crate) fn next_version(&self) -> u64 {
        self.version + 1
    }

    /// Puts an object in place without any history, as a cluster has it that ran before.
    pub(crate) fn load(&mut self, resource: &Resource, key: Key, mut object: Object) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let stored = Stored::new(&object, self.version);
        let collection = self.collections.entry(resource.full_name()).or_default();
        collection.load(key, stored);
        collection.forget(self.version);
    }

    /// Takes a change in, under the next version.
    pub(crate) fn record(
        &mut self,
        resource: &Resource,
        kind: ChangeKind,
        key: &str,
        mut object: Object,
    ) -> Stored {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if resource.group == "rbac.authorization.k8s.io" {
            self.rights_version += 1;
        }
        let defines = resource.plural == "customresourcedefinitions" && !resource.is_custom;
        if defines && kind != ChangeKind::Deleted {
            self.define(&mut object);
        }
        let stored = Stored::new(&object, self.version);
        let collection = self.collections.entry(resource.full_name()).or_default();
        collection.record(kind, key.to_owned(), stored.clone(), self.history);
        if kind == ChangeKind::Deleted {
            self.clear_up_after(resource, key);
        }
        stored
    }

    fn define(&mut self, definition: &mut Object) {
        let mut value = Value::Object(std::mem::take(definition));
        value["status"] = self.catalogue.define(&value);
        if let Value::Object(defined) = value {
            *definition = defined;
        }
    }

    /// Deletes an object for good.
    pub(crate) fn remove(&mut self, resource: &Resource, key: &str) -> Result<Stored, Refusal> {
        let object = self.found(resource, key)?.object(resource);
        Ok(self.record(resource, ChangeKind::Deleted, key, object))
    }

    /// With a namespace goes what is in it, with a definition what it declared.
    fn clear_up_after(&mut self, resource: &Resource, key: &str) {
        match resource.full_name().as_str() {
            "namespaces" => self.remove_all(&format!("{key}/"), None),
            "customresourcedefinitions.apiextensions.k8s.io" => {
                let declared = self.catalogue.clone().withdraw(key);
                self.remove_all("", declared.as_deref());
                self.catalogue.withdraw(key);
            }
            _ => {}
        }
    }

    /// Removes the objects whose key begins with `prefix`, of `only` that resource where named.
    fn remove_all(&mut self, prefix: &str, only: Option<&str>) {
        if prefix.is_empty() && only.is_none() {
            return;
        }
        let mut doomed = Vec::new();
        for resource in self.catalogue.resources() {
            let is_meant = only.is_none_or(|only| only == resource.full_name());
            let collection = self.collection(resource).filter(|_| is_meant);
            let keys = collection.into_iter().flat_map(Collection::iter).map(|(key, _)| key);
            let keys = keys.filter(|key| key.starts_with(prefix));
            doomed.extend(keys.map(|key| (Arc::clone(resource), key.clone())));
        }
        for (resource, key) in doomed {
            // Those of a resource with two versions are named twice.
            let _ = self.remove(&resource, &key);
        }
    }

    /// The key of an object of `resource`.
    pub fn key_of(resource: &Resource, namespace: Option<&str>, name: &str) -> Key {
        key(namespace.filter(|_| resource.is_namespaced), name)
    }
}

/// The uid of a stored object.
pub(crate) fn uid(stored: &Stored) -> String {
    stored.metadata_value()["uid"].as_str().unwrap_or_default().to_owned()
}
