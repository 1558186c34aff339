//! Objects that no API server would hold are not evaluated.

use serde_json::Value;

/// Deepest nesting: that of a CronJob's affinity is 15.
pub const DEEPEST: usize = 64;
/// Most values of all kinds in an object. A pod has some hundreds.
pub const MOST_NODES: usize = 20_000;
/// Longest list: expressions that pick from a list take time by the square of its length.
pub const LONGEST_LIST: usize = 1_024;
/// Most bytes of all texts and keys: an API server takes requests of 3 MiB.
pub const LONGEST_TEXTS: usize = 4 << 20;

/// Why an object is not evaluated, if so.
pub(crate) fn problem(object: &Value) -> Option<String> {
    let (mut nodes, mut bytes) = (0_usize, 0_usize);
    let mut rest = vec![(object, 0_usize)];
    while let Some((value, depth)) = rest.pop() {
        nodes += 1;
        match value {
            Value::String(text) => bytes += text.len(),
            Value::Array(items) if items.len() > LONGEST_LIST => {
                return Some(format!("a list of more than {LONGEST_LIST} items"));
            }
            Value::Array(items) => rest.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(entries) if entries.len() > LONGEST_LIST => {
                return Some(format!("a mapping of more than {LONGEST_LIST} entries"));
            }
            Value::Object(entries) => {
                bytes += entries.keys().map(String::len).sum::<usize>();
                rest.extend(entries.values().map(|entry| (entry, depth + 1)));
            }
            _ => {}
        }
        if depth > DEEPEST {
            return Some(format!("nested deeper than {DEEPEST} levels"));
        }
        if nodes + rest.len() > MOST_NODES {
            return Some(format!("more than {MOST_NODES} values"));
        }
        if bytes > LONGEST_TEXTS {
            return Some(format!("more than {LONGEST_TEXTS} bytes of text"));
        }
    }
    None
}
