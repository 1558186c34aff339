//! JSON as values of the expression language.

use kube_cel::cel::Value;
use kube_cel::cel::objects::{Key, Map};
use std::collections::HashMap;
use std::sync::Arc;

/// As the API server hands objects to admission policies: by the names that stand in the JSON, numbers whole where they are.
pub fn from_json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => of_number(number),
        serde_json::Value::String(text) => Value::String(Arc::new(text.clone())),
        serde_json::Value::Array(items) => {
            Value::List(Arc::new(items.iter().map(from_json).collect()))
        }
        serde_json::Value::Object(entries) => of_entries(
            entries
                .iter()
                .map(|(key, value)| (Key::String(Arc::new(key.clone())), from_json(value))),
        ),
    }
}

fn of_number(number: &serde_json::Number) -> Value {
    number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Int)
}

fn of_entries(entries: impl Iterator<Item = (Key, Value)>) -> Value {
    Value::Map(Map { map: Arc::new(entries.collect::<HashMap<_, _>>()) })
}
