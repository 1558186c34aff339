//! The resources that are served: the built-in ones, and those of CustomResourceDefinitions.

use crate::resource::{Resource, built_in, subresource};
use serde_json::{Value, json};
use std::sync::Arc;

/// All resources of a server.
#[derive(Clone, Debug)]
pub struct Catalogue {
    built_in: Vec<Arc<Resource>>,
    /// With the name of the definition that declares it.
    custom: Vec<(String, Arc<Resource>)>,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self { built_in: built_in(), custom: Vec::new() }
    }
}

impl Catalogue {
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.built_in.iter().chain(self.custom.iter().map(|(_, resource)| resource))
    }

    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.resources().find(|resource| {
            (resource.plural.as_str(), resource.group.as_str(), resource.version.as_str())
                == (plural, group, version)
        })
    }

    pub fn has_version(&self, group: &str, version: &str) -> bool {
        self.resources().any(|resource| resource.group == group && resource.version == version)
    }

    pub fn has_group(&self, group: &str) -> bool {
        self.resources().any(|resource| resource.group == group)
    }

    /// By `pods` or `deployments.apps`; for a short form of the latter, `deployments` does where
    /// no other group has such a name.
    pub fn named(&self, name: &str) -> Option<&Arc<Resource>> {
        let full = self.resources().find(|resource| resource.full_name() == name);
        full.or_else(|| self.resources().find(|resource| resource.plural == name))
    }

    /// By the `apiVersion` and `kind` that an object states.
    pub fn of_type(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.resources()
            .find(|resource| resource.kind == kind && resource.api_version() == api_version)
    }

    /// What the definition declares is served from now on, in place of what it declared before.
    /// Returns the status that it now has.
    pub fn define(&mut self, definition: &Value) -> Value {
        let name = definition["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        self.withdraw(&name);
        let declared = declared(&definition["spec"]);
        if let Some(taken) = declared.iter().find_map(|resource| self.collides(resource)) {
            return status(definition, Some(&taken));
        }
        self.custom.extend(declared.into_iter().map(|resource| (name.clone(), Arc::new(resource))));
        status(definition, None)
    }

    /// What the definition declared is no longer served. Returns under which name its objects
    /// are stored, where it declared anything.
    pub fn withdraw(&mut self, definition: &str) -> Option<String> {
        let of = |(name, _): &&(String, Arc<Resource>)| name == definition;
        let stored = self.custom.iter().find(of).map(|(_, resource)| resource.full_name());
        self.custom.retain(|entry| !of(&entry));
        stored
    }

    /// A name of `resource` that another of its group has.
    fn collides(&self, resource: &Resource) -> Option<String> {
        let mut others = self.resources().filter(|other| other.group == resource.group);
        others.find_map(|other| {
            let is_taken = other.plural == resource.plural || other.kind == resource.kind;
            is_taken.then(|| format!("{:?} is already in use", resource.plural))
        })
    }
}

/// The resources of a definition, the storage version first.
fn declared(spec: &Value) -> Vec<Resource> {
    let none = Vec::new();
    let versions = spec["versions"].as_array().unwrap_or(&none);
    let served = versions.iter().filter(|version| version["served"] == true);
    let mut declared: Vec<(bool, Resource)> =
        served.map(|version| (version["storage"] != true, declared_in(spec, version))).collect();
    declared.sort_by_key(|(is_not_stored, _)| *is_not_stored);
    declared.into_iter().map(|(_, resource)| resource).collect()
}

fn declared_in(spec: &Value, version: &Value) -> Resource {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect();
    let names = &spec["names"];
    let kind = text(&names["kind"]);
    let or = |value: &Value, otherwise: String| value.as_str().map_or(otherwise, str::to_owned);
    let has_status = version["subresources"]["status"].is_object();
    Resource {
        group: text(&spec["group"]),
        version: text(&version["name"]),
        plural: text(&names["plural"]),
        singular: or(&names["singular"], kind.to_lowercase()),
        list_kind: or(&names["listKind"], format!("{kind}List")),
        is_namespaced: spec["scope"] == "Namespaced",
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        subresources: has_status.then(|| subresource("status", &kind)).into_iter().collect(),
        is_custom: true,
        kind,
    }
}

/// The status of a definition whose names are accepted, or are not and why.
fn status(definition: &Value, refused: Option<&str>) -> Value {
    let since = &definition["metadata"]["creationTimestamp"];
    let condition = |kind: &str, is: bool, reason: &str, message: &str| {
        let is = if is { "True" } else { "False" };
        json!({
            "type": kind, "status": is, "lastTransitionTime": since,
            "reason": reason, "message": message,
        })
    };
    let spec = &definition["spec"];
    let storage = spec["versions"].as_array().into_iter().flatten();
    let stored: Vec<&Value> = storage
        .filter(|version| version["storage"] == true)
        .map(|version| &version["name"])
        .collect();
    let conditions = match refused {
        None => [
            condition("NamesAccepted", true, "NoConflicts", "no conflicts found"),
            condition(
                "Established",
                true,
                "InitialNamesAccepted",
                "the initial names have been accepted",
            ),
        ],
        Some(why) => [
            condition("NamesAccepted", false, "PluralConflict", why),
            condition("Established", false, "NotAccepted", "not all names are accepted"),
        ],
    };
    let accepted =
        if refused.is_none() { &spec["names"] } else { &json!({"plural": "", "kind": ""}) };
    json!({"conditions": conditions, "acceptedNames": accepted, "storedVersions": stored})
}
