//! An object cut down to what policies can read, so that objects alike are asked once, and the interpreter, which copies what it
//! passes on, has little to copy.

use super::offence::stand_in::{self, numbered};
use crate::kind::Kind;
use crate::object::items;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The lists of a pod's containers, in the order in which they are numbered.
pub(crate) const CONTAINER_LISTS: [&str; 3] =
    ["containers", "initContainers", "ephemeralContainers"];

/// The template of a workload, or the pod itself: what has `metadata` and `spec`.
pub(crate) fn template(kind: Kind, object: &Value) -> &Value {
    match kind {
        Kind::Pod => object,
        Kind::CronJob => &object["spec"]["jobTemplate"]["spec"]["template"],
        _ => &object["spec"]["template"],
    }
}

/// What the expressions of some policies mention.
pub(crate) struct Mentioned(pub(crate) BTreeSet<String>);

impl Mentioned {
    /// A pod, or what makes pods, with stand-ins for the names of it and its parts.
    pub(crate) fn of_template(&self, kind: Kind, kind_name: &str, object: &Value) -> Value {
        let template = template(kind, object);
        let mut spec = self.fields(
            &template["spec"],
            &["volumes", "containers", "initContainers", "ephemeralContainers"],
        );
        let volumes = self.put_volumes(&template["spec"], &mut spec);
        self.put_containers(&template["spec"], &mut spec, &volumes);
        let annotations = self.annotations(template);
        let (api_version, metadata) = (&object["apiVersion"], self.metadata(object));
        let inner = json!({"metadata": {"annotations": annotations}, "spec": spec});
        match kind {
            Kind::Pod => {
                let mut pod = json!({"apiVersion": api_version, "kind": kind_name, "metadata": metadata, "spec": spec});
                pod["metadata"]["annotations"] = annotations;
                pod
            }
            Kind::CronJob => {
                json!({"apiVersion": api_version, "kind": kind_name, "metadata": metadata,
                "spec": {"jobTemplate": {"spec": {"template": inner}}}})
            }
            _ => {
                json!({"apiVersion": api_version, "kind": kind_name, "metadata": metadata, "spec": {"template": inner}})
            }
        }
    }

    /// A Service, with a stand-in for its name.
    pub(crate) fn of_service(&self, object: &Value) -> Value {
        let mut metadata = self.metadata(object);
        if self.0.contains("annotations") {
            let mut annotations = object["metadata"]["annotations"].clone();
            if let Some(annotations) = annotations.as_object_mut() {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
            metadata["annotations"] = annotations;
        }
        drop_null(&mut metadata);
        json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": metadata,
            "spec": self.pruned(&object["spec"])})
    }

    /// Without what nobody reads and what changes often. The rest is as it is.
    pub(crate) fn of_other(object: &Value) -> Value {
        let mut object = object.clone();
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            for unread in
                ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"]
            {
                metadata.remove(unread);
            }
        }
        object
    }

    fn metadata(&self, object: &Value) -> Value {
        let metadata = &object["metadata"];
        let stand_in = |field: &str, stand_in: char| match metadata[field].as_str() {
            Some(text) if self.0.contains(text) => json!(text),
            Some(_) => json!(stand_in.to_string()),
            None => Value::Null,
        };
        let mut reduced = json!({"name": stand_in("name", stand_in::OBJECT),
            "namespace": stand_in("namespace", stand_in::NAMESPACE),
            "ownerReferences": self.pruned(&metadata["ownerReferences"])});
        drop_null(&mut reduced);
        reduced
    }

    /// Those whose keys begin by a text of the expressions. Where a container's name follows, its stand-in does.
    fn annotations(&self, template: &Value) -> Value {
        let annotations = template["metadata"]["annotations"].as_object().into_iter().flatten();
        let kept = annotations.filter_map(|(key, value)| {
            let texts = self.0.iter().filter(|text| text.contains('/'));
            let text =
                texts.filter(|text| key.starts_with(&***text)).max_by_key(|text| text.len())?;
            let container = position(template, &key[text.len()..]);
            let key = match container {
                Some(number) => format!("{text}{}", numbered(stand_in::CONTAINER, number)),
                None => key.clone(),
            };
            Some((key, value.clone()))
        });
        kept.collect::<Map<_, _>>().into()
    }

    /// All volumes with all their keys, of which the name is a stand-in. Returns their names.
    fn put_volumes(&self, spec: &Value, reduced: &mut Value) -> Vec<String> {
        let Some(volumes) = spec["volumes"].as_array().filter(|_| self.0.contains("volumes"))
        else {
            return vec![];
        };
        let mut names = vec![];
        let volume = |(number, volume): (usize, &Value)| {
            let Some(fields) = volume.as_object() else { return volume.clone() };
            let field = |(key, value): (&String, &Value)| match (key.as_str(), value) {
                ("name", Value::String(name)) => {
                    names.push(name.clone());
                    (key.clone(), json!(numbered(stand_in::VOLUME, number)))
                }
                // Of the other kinds no policy reads more than that they are there.
                (kind, Value::Object(_)) if kind != "hostPath" => (key.clone(), json!({})),
                _ => (key.clone(), self.pruned(value)),
            };
            Value::Object(fields.iter().map(field).collect())
        };
        let volumes: Vec<_> = volumes.iter().enumerate().map(volume).collect();
        // Where one has no name the numbers are not the places: then they keep theirs.
        if names.len() == volumes.len() {
            reduced["volumes"] = volumes.into();
            return names;
        }
        reduced["volumes"] = spec["volumes"].clone();
        vec![]
    }

    fn put_containers(&self, spec: &Value, reduced: &mut Value, volumes: &[String]) {
        let mut number = 0;
        for list in CONTAINER_LISTS {
            let Some(containers) = spec[list].as_array() else {
                if !spec[list].is_null() {
                    reduced[list] = spec[list].clone();
                }
                continue;
            };
            let mut kept = Vec::with_capacity(containers.len());
            for container in containers {
                kept.push(self.container(container, number, volumes));
                number += 1;
            }
            reduced[list] = kept.into();
        }
    }

    fn container(&self, container: &Value, number: usize, volumes: &[String]) -> Value {
        let mut reduced = self.pruned(container);
        if reduced["name"].is_string() {
            reduced["name"] = json!(numbered(stand_in::CONTAINER, number));
        }
        let mounts = reduced.get_mut("volumeMounts").and_then(Value::as_array_mut);
        for mount in mounts.into_iter().flatten() {
            let volume = volumes.iter().position(|name| mount["name"] == **name);
            if let Some(volume) = volume {
                mount["name"] = json!(numbered(stand_in::VOLUME, volume));
            }
        }
        reduced
    }

    fn fields(&self, value: &Value, but: &[&str]) -> Value {
        let kept = value.as_object().into_iter().flatten();
        let kept = kept.filter(|(key, _)| self.0.contains(*key) && !but.contains(&key.as_str()));
        kept.map(|(key, value)| (key.clone(), self.pruned(value))).collect::<Map<_, _>>().into()
    }

    /// A value with the fields alone that are mentioned, at each depth.
    fn pruned(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let kept = fields.iter().filter(|(key, _)| self.0.contains(*key));
                kept.map(|(key, value)| (key.clone(), self.pruned(value)))
                    .collect::<Map<_, _>>()
                    .into()
            }
            Value::Array(items) => items.iter().map(|item| self.pruned(item)).collect(),
            other => other.clone(),
        }
    }
}

/// The number of the container of this name.
fn position(template: &Value, name: &str) -> Option<usize> {
    let lists = CONTAINER_LISTS.iter().flat_map(|list| items(&template["spec"], list));
    lists.into_iter().position(|container| container["name"] == name)
}

/// Absent fields are not fields that are null.
fn drop_null(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}

/// A text with the volumes' names for their stand-ins.
pub(crate) fn with_volumes(text: &str, volumes: &[&str]) -> String {
    let mut text = text.to_owned();
    for (number, name) in volumes.iter().enumerate() {
        text = text.replace(&numbered(stand_in::VOLUME, number), name);
    }
    text
}
