//! Parts of a request's object, by the names on the way to them.

use crate::field::access::Value;
use crate::field::text::Image;
use serde_json::Value as Json;

/// Stands in a path for each value of a list.
const EACH: &str = "*";

/// Stands in a path for the specification of a pod: of the pod itself, or of those that a workload makes.
const POD: &str = "@pod";

/// Stands in a path for each container of a pod's specification, of whatever kind.
const CONTAINERS: &str = "@containers";

/// The lists of containers in a pod's specification.
const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// The way from the root of an object to some of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectPath {
    pub names: &'static [&'static str],
    pub shown: Shown,
}

/// What is shown of the values at a path's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shown {
    /// A text as it is, anything else as JSON.
    Whole,
    /// Of an image's name, what stands before tag and digest.
    Repository,
    /// The names of an object's keys, but for `name`: what kind of volume it is.
    Kind,
}

impl ObjectPath {
    /// Has any number of values; `chosen` is whether one of the first list on the way is chosen.
    pub const fn has_many(&self, chosen: bool) -> bool {
        let (mut place, mut lists) = (0, 0);
        while place < self.names.len() {
            if is_list(self.names[place]) {
                lists += 1;
            }
            place += 1;
        }
        lists > if chosen { 1 } else { 0 }
    }

    /// The values, in the order of the object.
    pub fn values<'v>(&self, object: &'v Json, chosen: Option<usize>) -> Vec<Value<'v>> {
        let mut found = vec![];
        self.collect(object, self.names, chosen, &mut found);
        found
    }

    fn collect<'v>(
        &self,
        at: &'v Json,
        names: &[&str],
        chosen: Option<usize>,
        found: &mut Vec<Value<'v>>,
    ) {
        match (names, at) {
            ([], _) => self.show(at, found),
            ([EACH, rest @ ..], Json::Array(items)) => match chosen {
                Some(place) => {
                    if let Some(item) = items.get(place) {
                        self.collect(item, rest, None, found);
                    }
                }
                None => items.iter().for_each(|item| self.collect(item, rest, None, found)),
            },
            ([POD, rest @ ..], _) => {
                if let Some(pod) = pod_specification(at) {
                    self.collect(pod, rest, chosen, found);
                }
            }
            ([CONTAINERS, rest @ ..], Json::Object(fields)) => {
                let lists = CONTAINER_LISTS.iter().filter_map(|list| fields.get(*list)?.as_array());
                for (place, container) in lists.flatten().enumerate() {
                    if chosen.is_none_or(|chosen| chosen == place) {
                        self.collect(container, rest, None, found);
                    }
                }
            }
            ([name, rest @ ..], Json::Object(fields)) if *name != EACH => {
                if let Some(next) = fields.get(*name) {
                    self.collect(next, rest, chosen, found);
                }
            }
            _ => {}
        }
    }

    fn show<'v>(&self, value: &'v Json, found: &mut Vec<Value<'v>>) {
        match (self.shown, value) {
            (Shown::Whole, _) => found.extend(shown(value)),
            (Shown::Repository, Json::String(image)) => {
                found.push(Value::borrowed(Image::parse(image).repository));
            }
            (Shown::Kind, Json::Object(fields)) => {
                let kinds = fields.keys().filter(|key| *key != "name");
                found.extend(kinds.map(|key| Value::borrowed(key)));
            }
            (Shown::Repository | Shown::Kind, _) => {}
        }
    }
}

/// Comparing texts is not possible in constants.
const fn is_list(name: &str) -> bool {
    matches!(name.as_bytes(), b"*" | b"@containers")
}

/// Of a pod, of what makes pods by a template, and of a cron job, which makes what does.
fn pod_specification(object: &Json) -> Option<&Json> {
    let specification = object.get("spec")?;
    let job = specification.get("jobTemplate").and_then(|template| template.get("spec"));
    let template = job.unwrap_or(specification).get("template");
    template.map_or(Some(specification), |template| template.get("spec"))
}

/// A text as it is, anything else as JSON. `null` is no value.
pub(super) fn shown(value: &Json) -> Option<Value<'_>> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(Value::borrowed(text)),
        Json::Bool(true) => Some(Value::borrowed("true")),
        Json::Bool(false) => Some(Value::borrowed("false")),
        other => Some(Value::owned(other.to_string())),
    }
}
