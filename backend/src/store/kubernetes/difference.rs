use event_model::KubernetesObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Parts that are named of one change.
const MOST_PARTS: usize = 64;
/// Images that are told of one change.
const MOST_IMAGES: usize = 32;

/// In what two states differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Such as `labels`, `containers`, `attributes.phase` or `configuration.spec`.
    pub parts: Vec<String>,
    /// Containers that have another image.
    pub images: Vec<ImageChange>,
}

/// A container's image before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageChange {
    /// The container's name.
    pub container: String,
    /// The image before; None: there was no such container.
    pub before: Option<String>,
    /// The image after; None: there is no such container any more.
    pub after: Option<String>,
}

impl Difference {
    /// What is other in `after` than in `before`.
    pub(super) fn between(before: &KubernetesObject, after: &KubernetesObject) -> Self {
        let mut parts = Vec::new();
        let mut add = |name: &str, differs: bool| {
            if differs {
                parts.push(name.to_owned());
            }
        };
        add("api_version", before.api_version != after.api_version);
        add("name", (&before.kind, &before.name) != (&after.kind, &after.name));
        add("namespace", before.namespace != after.namespace);
        add("created_at", before.created_at != after.created_at);
        add("owners", before.owners != after.owners);
        add("labels", before.labels != after.labels);
        add("node", before.node != after.node);
        add("service_account", before.service_account != after.service_account);
        add("containers", before.containers != after.containers);
        add_keys(&mut parts, "attributes", &before.attributes, &after.attributes);
        if before.configuration != after.configuration {
            let [before, after] = [before, after].map(configuration);
            add_keys(&mut parts, "configuration", &before, &after);
        }
        parts.truncate(MOST_PARTS);
        Self { parts, images: images(before, after) }
    }
}

/// The keys that have another value, each behind the name of the part.
fn add_keys<T: PartialEq>(
    parts: &mut Vec<String>,
    part: &str,
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
) {
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    let other = after.iter().filter(|(key, value)| before.get(*key) != Some(*value));
    let mut keys: Vec<_> = gone.chain(other.map(|(key, _)| key)).collect();
    keys.sort_unstable();
    parts.extend(keys.into_iter().map(|key| format!("{part}.{key}")));
}

/// What is no JSON object differs as a whole.
fn configuration(object: &KubernetesObject) -> BTreeMap<String, Value> {
    let Some(text) = &object.configuration else { return BTreeMap::new() };
    serde_json::from_str(text).unwrap_or_else(|_| [("*".to_owned(), text.as_str().into())].into())
}

fn images(before: &KubernetesObject, after: &KubernetesObject) -> Vec<ImageChange> {
    let [before, after] = [before, after].map(by_container);
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let change = |name: &&str| {
        let of = |images: &BTreeMap<&str, &str>| images.get(name).map(ToString::to_string);
        let (before, after) = (of(&before), of(&after));
        let container = (*name).to_owned();
        (before != after).then_some(ImageChange { container, before, after })
    };
    names.into_iter().filter_map(change).take(MOST_IMAGES).collect()
}

/// The images that were asked for.
fn by_container(object: &KubernetesObject) -> BTreeMap<&str, &str> {
    object
        .containers
        .iter()
        .map(|container| (container.name.as_str(), container.image.as_str()))
        .collect()
}
