//! Values worth searching for, each with its type and where it stands in the finding.

use crate::object::{Choice, Object};
use serde_json::Value;

/// Attributes by the end of their way, and their types in the schema.
const TYPES: [(&str, Choice); 15] = [
    ("process.name", (9, "Process Name")),
    ("process.cmd_line", (13, "Command Line")),
    ("process.pid", (15, "Process ID")),
    ("process.file.path", (45, "File Path")),
    ("user.name", (4, "User Name")),
    ("user.uid", (31, "User Object: uid")),
    ("file.path", (45, "File Path")),
    ("query.hostname", (1, "Hostname")),
    ("src_endpoint.ip", (2, "IP Address")),
    ("dst_endpoint.ip", (2, "IP Address")),
    ("src_endpoint.port", (11, "Port")),
    ("dst_endpoint.port", (11, "Port")),
    ("container.uid", (27, "Container")),
    ("device.hostname", (1, "Hostname")),
    ("http_request.user_agent", (16, "HTTP User-Agent")),
];
/// Observables of one finding: what a long query adds is no help to a reader.
const MOST: usize = 64;

/// The observables of a finding: what it says of the actor, the evidence and the device.
pub fn observables(finding: &Object) -> Vec<Value> {
    let mut found = Found::default();
    for top in ["actor", "evidences", "device", "resources"] {
        if let Some(value) = finding.get(top) {
            found.look(top, value);
        }
    }
    found.0
}

#[derive(Default)]
struct Found(Vec<Value>);

impl Found {
    fn look(&mut self, way: &str, value: &Value) {
        match value {
            Value::Object(attributes) => {
                for (name, value) in attributes {
                    if !matches!(name.as_str(), "ancestry" | "parent_process" | "data") {
                        self.look(&format!("{way}.{name}"), value);
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.look(&format!("{way}[]"), item);
                }
            }
            Value::String(text) => self.add(way, text.clone()),
            Value::Number(number) => self.add(way, number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn add(&mut self, way: &str, value: String) {
        let ends_so = |(end, _): &&(&str, Choice)| {
            way.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let Some((_, kind)) = TYPES.iter().find(ends_so) else { return };
        let is_known =
            |known: &Value| known["value"] == value.as_str() && known["type_id"] == kind.0;
        if self.0.len() < MOST && !self.0.iter().any(is_known) {
            let observable = Object::new().with("name", way).with("value", value);
            self.0.push(observable.with_choice("type", *kind).into());
        }
    }
}
