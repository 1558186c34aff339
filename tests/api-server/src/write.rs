//! Creation, update, patch and deletion, with what the server adds and refuses.

use crate::history::{ChangeKind, key};
use crate::resource::Resource;
use crate::status::Refusal;
use crate::store::Store;
use crate::stored::{Object, Stored};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// How an object is created.
pub struct Creation<'a> {
    /// The namespace of the request.
    pub namespace: Option<&'a str>,
    /// Who manages its fields.
    pub manager: &'a str,
    pub dry_run: bool,
}

/// What part of an object a request writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it, as only tests can.
    Whole,
    /// All but its status, where it has a status of its own.
    Main,
    Status,
}

/// The present time as the API writes it.
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Creates `object`, with uid, time and version of the server.
pub fn create(
    store: &mut Store,
    resource: &Resource,
    object: Value,
    creation: &Creation,
) -> Result<Stored, Refusal> {
    let mut object = fields(resource, object)?;
    let metadata = metadata_of(&mut object);
    place(resource, metadata, creation.namespace)?;
    let name = name(resource, metadata)?;
    metadata.insert("uid".to_owned(), json!(Uuid::new_v4().to_string()));
    metadata.insert("creationTimestamp".to_owned(), json!(now()));
    metadata.remove("deletionTimestamp");
    if object.contains_key("spec") && resource.kind != "Node" {
        object["metadata"]["generation"] = json!(1);
    }
    set_manager(&mut object, resource, creation.manager);
    let key = Store::key_of(resource, creation.namespace, &name);
    if store.found(resource, &key).is_ok() {
        return Err(Refusal::already_exists(resource, &name));
    }
    if creation.dry_run {
        return Ok(Stored::new(&object, store.next_version()));
    }
    Ok(store.record(resource, ChangeKind::Added, &key, object))
}

/// Replaces a part of an object by that of `object`. Where this states a version, it must be the
/// present one.
pub fn update(
    store: &mut Store,
    resource: &Resource,
    (namespace, name): (Option<&str>, &str),
    object: Value,
    (part, manager, dry_run): (Part, &str, bool),
) -> Result<Stored, Refusal> {
    let key = key(namespace.filter(|_| resource.is_namespaced), name);
    let stored = store.found(resource, &key)?.clone();
    let before = stored.object(resource);
    let mut object = fields(resource, object)?;
    check_identity(resource, name, &before["metadata"], &object["metadata"], stored.version())?;
    keep(&mut object, &before, part, resource);
    if is_same(&object, &before) {
        return Ok(stored);
    }
    let is_status = part == Part::Status;
    if !is_status && object.get("spec") != before.get("spec") {
        let generation = before["metadata"]["generation"].as_u64().unwrap_or(1);
        object["metadata"]["generation"] = json!(generation + 1);
    }
    set_manager(&mut object, resource, manager);
    if dry_run {
        return Ok(Stored::new(&object, store.next_version()));
    }
    if is_ready_to_go(&object) {
        return Ok(store.record(resource, ChangeKind::Deleted, &key, object));
    }
    Ok(store.record(resource, ChangeKind::Modified, &key, object))
}

/// What a deletion demands of the object.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeleteOptions {
    pub preconditions: Preconditions,
    pub dry_run: Vec<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Preconditions {
    pub uid: Option<String>,
    pub resource_version: Option<String>,
}

/// Deletes an object, or marks it as to be deleted where finalizers hold it.
pub fn delete(
    store: &mut Store,
    resource: &Resource,
    (namespace, name): (Option<&str>, &str),
    options: &DeleteOptions,
) -> Result<Stored, Refusal> {
    let key = key(namespace.filter(|_| resource.is_namespaced), name);
    let stored = store.found(resource, &key)?.clone();
    let mut object = stored.object(resource);
    check_preconditions(resource, name, &object["metadata"], &options.preconditions)?;
    if !options.dry_run.is_empty() {
        return Ok(stored);
    }
    let is_held = object["metadata"]["finalizers"].as_array().is_some_and(|held| !held.is_empty());
    if !is_held {
        return store.remove(resource, &key);
    }
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Ok(stored);
    }
    object["metadata"]["deletionTimestamp"] = json!(now());
    object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
    Ok(store.record(resource, ChangeKind::Modified, &key, object))
}

fn fields(resource: &Resource, object: Value) -> Result<Object, Refusal> {
    let Value::Object(mut object) = object else {
        return Err(Refusal::bad_request("the body of the request is not an object"));
    };
    for (field, expected) in
        [("kind", resource.kind.clone()), ("apiVersion", resource.api_version())]
    {
        let stated = object.get(field).and_then(Value::as_str).unwrap_or_default();
        if !stated.is_empty() && stated != expected {
            let why = format!(
                "the {field} in the data ({stated}) does not match the expected {field} ({expected})"
            );
            return Err(Refusal::bad_request(why));
        }
        object.insert(field.to_owned(), json!(expected));
    }
    metadata_of(&mut object);
    Ok(object)
}

/// The object's metadata, made where it has none.
fn metadata_of(object: &mut Object) -> &mut Map<String, Value> {
    let metadata = object.entry("metadata").or_insert_with(|| json!({}));
    if !metadata.is_object() {
        *metadata = json!({});
    }
    match metadata {
        Value::Object(metadata) => metadata,
        _ => unreachable!("it was made an object"),
    }
}

/// Puts the object into the namespace of the request.
fn place(
    resource: &Resource,
    metadata: &mut Map<String, Value>,
    namespace: Option<&str>,
) -> Result<(), Refusal> {
    let stated = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    let Some(namespace) = namespace.filter(|_| resource.is_namespaced) else {
        metadata.remove("namespace");
        return Ok(());
    };
    if !stated.is_empty() && stated != namespace {
        let why =
            "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Refusal::bad_request(why));
    }
    metadata.insert("namespace".to_owned(), json!(namespace));
    Ok(())
}

/// The object's name, made from `generateName` where it has none.
fn name(resource: &Resource, metadata: &mut Map<String, Value>) -> Result<String, Refusal> {
    let text = |field: &str| metadata.get(field).and_then(Value::as_str).unwrap_or_default();
    let (mut name, prefix) = (text("name").to_owned(), text("generateName"));
    if name.is_empty() && !prefix.is_empty() {
        let suffix = std::iter::repeat_with(fastrand::lowercase).take(5);
        name = prefix.chars().chain(suffix).collect();
        metadata.insert("name".to_owned(), json!(name));
    }
    let invalid = |why: &str| Err(Refusal::invalid(&resource.kind, &resource.group, &name, why));
    if name.is_empty() {
        return invalid("metadata.name: Required value: name or generateName is required");
    }
    if matches!(name.as_str(), "." | "..") || name.contains(['/', '%']) || name.len() > 253 {
        return invalid("metadata.name: Invalid value: may not contain '/' or '%', nor be long");
    }
    Ok(name)
}

/// Refuses an object that is another, or that was read before somebody else changed it.
fn check_identity(
    resource: &Resource,
    name: &str,
    before: &Value,
    after: &Value,
    version: u64,
) -> Result<(), Refusal> {
    if after["name"].as_str().is_some_and(|stated| stated != name) {
        let why = format!(
            "the name of the object ({}) does not match the name on the URL ({name})",
            after["name"]
        );
        return Err(Refusal::bad_request(why));
    }
    let uid = &after["uid"];
    if !uid.is_null() && *uid != before["uid"] {
        let why = format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            uid.as_str().unwrap_or_default(),
            before["uid"].as_str().unwrap_or_default()
        );
        return Err(Refusal::conflict(resource, name, &why));
    }
    let stated = after["resourceVersion"].as_str().unwrap_or_default();
    if stated.is_empty() && resource.full_name() == "leases.coordination.k8s.io" {
        let why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
        return Err(Refusal::invalid(&resource.plural, &resource.group, name, why));
    }
    if !stated.is_empty() && stated != version.to_string() {
        return Err(Refusal::modified(resource, name));
    }
    Ok(())
}

/// Sets what the request does not write to what it was.
fn keep(object: &mut Object, before: &Object, part: Part, resource: &Resource) {
    let set = |object: &mut Object, field: &str| match before.get(field) {
        Some(value) => {
            object.insert(field.to_owned(), value.clone());
        }
        None => {
            object.remove(field);
        }
    };
    if part == Part::Status {
        let status = object.remove("status");
        object.clone_from(before);
        object.extend(status.map(|status| ("status".to_owned(), status)));
        return;
    }
    if part == Part::Main && resource.has_status() {
        set(object, "status");
    }
    let kept = [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
        "resourceVersion",
    ];
    for field in kept {
        let value = before["metadata"].get(field).cloned();
        let metadata = metadata_of(object);
        match value {
            Some(value) => metadata.insert(field.to_owned(), value),
            None => metadata.remove(field),
        };
    }
}

fn is_same(after: &Object, before: &Object) -> bool {
    after == before
}

/// Whether the last finalizer of an object that is to be deleted is gone.
fn is_ready_to_go(object: &Object) -> bool {
    let metadata = &object["metadata"];
    let is_held = metadata["finalizers"].as_array().is_some_and(|held| !held.is_empty());
    !metadata["deletionTimestamp"].is_null() && !is_held
}

fn check_preconditions(
    resource: &Resource,
    name: &str,
    metadata: &Value,
    preconditions: &Preconditions,
) -> Result<(), Refusal> {
    let fields = [
        ("uid", "UID", &preconditions.uid),
        ("resourceVersion", "ResourceVersion", &preconditions.resource_version),
    ];
    for (field, told, demanded) in fields {
        let is = metadata[field].as_str().unwrap_or_default();
        if let Some(demanded) = demanded.as_ref().filter(|demanded| *demanded != is) {
            let why = format!(
                "Precondition failed: {told} in precondition: {demanded}, {told} in object meta: {is}"
            );
            return Err(Refusal::conflict(resource, name, &why));
        }
    }
    Ok(())
}

/// Writes down who set which fields, as one manager.
fn set_manager(object: &mut Object, resource: &Resource, manager: &str) {
    let mut owned = Map::new();
    let rest = object
        .iter()
        .filter(|(field, _)| !matches!(field.as_str(), "kind" | "apiVersion" | "metadata"));
    owned.extend(rest.map(|(field, value)| (format!("f:{field}"), owned_fields(value))));
    let metadata = ["annotations", "labels", "ownerReferences", "finalizers"];
    let metadata: Map<String, Value> = metadata
        .iter()
        .filter_map(|field| {
            object["metadata"].get(*field).map(|value| (format!("f:{field}"), owned_fields(value)))
        })
        .collect();
    if !metadata.is_empty() {
        owned.insert("f:metadata".to_owned(), Value::Object(metadata));
    }
    object["metadata"]["managedFields"] = json!([{
        "manager": manager, "operation": "Update", "apiVersion": resource.api_version(),
        "time": now(), "fieldsType": "FieldsV1", "fieldsV1": owned,
    }]);
}

/// Fields of an object one by one; all else as one.
fn owned_fields(value: &Value) -> Value {
    let Value::Object(fields) = value else { return json!({}) };
    Value::Object(
        fields.iter().map(|(name, value)| (format!("f:{name}"), owned_fields(value))).collect(),
    )
}
