//! Objects as the API server sends them.

use crate::names::{Name, Names};
use event_model::ObjectReference;
use memchr::memchr2;
use serde_json::Value;
use std::hash::{BuildHasher, RandomState};
use uuid::Uuid;

/// Largest object that is read: an API server stores 1.5 MiB by default.
const LARGEST: usize = 2 << 20;
/// Most memory that an object may take once it is read, as far as its text tells: many small maps take fifty times as much as their text.
const LARGEST_TREE: usize = 8 << 20;

/// Why an object is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Malformed,
    TooLarge,
}

/// The object, if it is one.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.len() > LARGEST || tree_bytes(bytes) > LARGEST_TREE {
        return Err(Refusal::TooLarge);
    }
    let object: Value = serde_json::from_slice(bytes).map_err(|_| Refusal::Malformed)?;
    if object.is_object() { Ok(object) } else { Err(Refusal::Malformed) }
}

/// About how many bytes of memory an object takes as a tree of values, and hardly ever less than it does.
fn tree_bytes(json: &[u8]) -> usize {
    /// The least that a map takes that is not empty: a node of a B-tree, for 11 keys and values.
    const MAP: usize = 656;
    /// The least that a list takes: room for four values.
    const LIST: usize = 144;
    /// One more value of a map whose nodes are half full, or of a list.
    const MORE: usize = 128;
    /// What a text takes beside its bytes.
    const TEXT: usize = 32;
    let (mut total, mut at) = (0, 0);
    while let Some(byte) = json.get(at) {
        at += 1;
        total += match byte {
            b'{' if json.get(at) != Some(&b'}') => MAP,
            b'[' if json.get(at) != Some(&b']') => LIST,
            b',' => MORE,
            b'"' => {
                let length = text_length(&json[at..]);
                at += length + 1;
                TEXT + length
            }
            _ => 0,
        };
    }
    total
}

/// How long a text is that begins here, to its quote.
fn text_length(json: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = json.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += next;
        if json[at] == b'"' {
            return at;
        }
        at += 2;
    }
    json.len()
}

/// A text of an object; empty where there is none.
pub(crate) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// A list of an object; empty where there is none.
pub(crate) fn items<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

/// The texts in a list.
pub(crate) fn texts<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v str> + Clone {
    items(value, field).iter().filter_map(Value::as_str)
}

/// The texts of a mapping, such as labels.
pub(crate) fn entries(value: &Value) -> impl Iterator<Item = (&str, &str)> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// An object's uid in 16 bytes. Those that are no UUIDs, which no API server makes, become numbers that stand for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(Uuid);

/// The version of a UUID that stands for another text: there is none of this number.
const STANDS_FOR_ANOTHER: u8 = 0xf;

impl Key {
    pub(crate) fn of(uid: &str) -> Self {
        let parsed = Uuid::try_parse(uid).ok().filter(|uuid| {
            uuid.get_version_num() != usize::from(STANDS_FOR_ANOTHER)
                && uuid.hyphenated().encode_lower(&mut [0; 36]) == uid
        });
        Self(parsed.unwrap_or_else(|| {
            let mut bytes = *Uuid::new_v5(&Uuid::NAMESPACE_OID, uid.as_bytes()).as_bytes();
            bytes[6] = (bytes[6] & 0x0f) | (STANDS_FOR_ANOTHER << 4);
            Uuid::from_bytes(bytes)
        }))
    }

    /// The uid; empty where it was none that servers make.
    fn text(self) -> String {
        if self.0.get_version_num() == usize::from(STANDS_FOR_ANOTHER) {
            return String::new();
        }
        self.0.to_string()
    }
}

/// Which object something is said of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) api_version: Name,
    pub(crate) kind: Name,
    /// Empty for objects of the cluster.
    pub(crate) namespace: Name,
    pub(crate) name: Name,
    pub(crate) key: Key,
}

impl Subject {
    /// None where it lacks a name or a uid.
    pub(crate) fn of(
        api_version: &str,
        kind: &str,
        object: &Value,
        names: &mut Names,
    ) -> Option<Self> {
        let metadata = &object["metadata"];
        let (name, uid) = (text(metadata, "name"), text(metadata, "uid"));
        if name.is_empty() || uid.is_empty() {
            return None;
        }
        Some(Self {
            api_version: names.of(api_version),
            kind: names.of(kind),
            namespace: names.of(text(metadata, "namespace")),
            name: names.of(name),
            key: Key::of(uid),
        })
    }

    pub(crate) fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: self.api_version.to_string(),
            kind: self.kind.to_string(),
            namespace: (!self.namespace.is_empty()).then(|| self.namespace.to_string()),
            name: self.name.to_string(),
            uid: self.key.text(),
        }
    }

    /// As `Deployment shop/web`.
    pub(crate) fn display(&self) -> String {
        display(&self.kind, &self.namespace, &self.name)
    }
}

/// As `Deployment shop/web`, or `ClusterRole admin`.
pub(crate) fn display(kind: &str, namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        return format!("{kind} {name}");
    }
    format!("{kind} {namespace}/{name}")
}

/// Numbers for the labels of a pod, sorted: enough to tell whether a selector meets them. Keyed at random, so that nobody can make two
/// labels look alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelNumbers(RandomState);

impl LabelNumbers {
    pub(crate) fn of(&self, labels: &Value) -> Box<[u64]> {
        let mut numbers: Vec<_> = entries(labels).map(|label| self.0.hash_one(label)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into()
    }
}

/// Whether all of a selector's labels are among others. An empty selector selects nothing, as a Service's does.
pub(crate) fn selects(selector: &[u64], labels: &[u64]) -> bool {
    !selector.is_empty() && selector.iter().all(|label| labels.binary_search(label).is_ok())
}
