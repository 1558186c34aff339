//! Objects as the store keeps them: their JSON, shared by all who send it.

use crate::resource::Resource;
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// An object's fields.
pub type Object = Map<String, Value>;

const METADATA_KEY: &str = "\"metadata\":";

/// An object without its kind and version, which depend on how it is asked for: its JSON from
/// `"metadata":` to the last brace. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct Stored {
    body: Bytes,
    metadata_end: u32,
    version: u64,
}

/// How objects are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    Whole,
    /// `PartialObjectMetadata` of meta.k8s.io/v1.
    Metadata,
}

impl Stored {
    /// Writes `object`, whose metadata already holds `version`.
    pub fn new(object: &Object, version: u64) -> Self {
        let mut body = METADATA_KEY.as_bytes().to_vec();
        let empty = Value::Object(Map::new());
        write(&mut body, object.get("metadata").unwrap_or(&empty));
        let metadata_end = u32::try_from(body.len()).expect("metadata below 4 GiB");
        let is_rest = |key: &str| !matches!(key, "metadata" | "kind" | "apiVersion");
        for (key, value) in object.iter().filter(|(key, _)| is_rest(key)) {
            body.push(b',');
            write(&mut body, &json!(key));
            body.push(b':');
            write(&mut body, value);
        }
        body.push(b'}');
        // A copy has no room to spare, of which many objects would have much.
        Self { body: Bytes::copy_from_slice(&body), metadata_end, version }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    /// The bytes that this object keeps in memory.
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// The JSON of its metadata.
    pub fn metadata(&self) -> &[u8] {
        &self.body[METADATA_KEY.len()..self.metadata_end as usize]
    }

    /// Its metadata, read. Null where it was spoiled.
    pub fn metadata_value(&self) -> Value {
        serde_json::from_slice(self.metadata()).unwrap_or_default()
    }

    pub fn labels(&self) -> Map<String, Value> {
        #[derive(serde::Deserialize)]
        struct Labels {
            #[serde(default)]
            labels: Map<String, Value>,
        }
        let read: Result<Labels, _> = serde_json::from_slice(self.metadata());
        read.map(|metadata| metadata.labels).unwrap_or_default()
    }

    /// All fields, as `resource` serves them. Empty where it was spoiled.
    pub fn object(&self, resource: &Resource) -> Object {
        let mut json = Vec::new();
        self.write(&mut json, resource, Representation::Whole);
        serde_json::from_slice(&json).unwrap_or_default()
    }

    /// Appends the object as it is sent alone.
    pub fn write(&self, to: &mut Vec<u8>, resource: &Resource, representation: Representation) {
        match representation {
            Representation::Whole => {
                write_type(to, &resource.kind, &resource.api_version());
                to.extend_from_slice(&self.body);
            }
            Representation::Metadata => {
                write_type(to, "PartialObjectMetadata", "meta.k8s.io/v1");
                to.extend_from_slice(&self.body[..self.metadata_end as usize]);
                to.push(b'}');
            }
        }
    }

    /// Appends the object as an item of a list: those of built-in kinds carry no type.
    pub fn write_item(&self, to: &mut Vec<u8>, resource: &Resource, as_: Representation) {
        if as_ == Representation::Whole && !resource.is_custom {
            to.push(b'{');
            to.extend_from_slice(&self.body);
        } else {
            self.write(to, resource, as_);
        }
    }

    /// The object with its first `from` replaced, whatever that makes of it; none where it has
    /// no such bytes.
    pub fn spoiled(&self, from: &[u8], to: &[u8]) -> Option<Self> {
        let at = self.body.windows(from.len()).position(|window| window == from)?;
        let mut body = self.body[..at].to_vec();
        body.extend_from_slice(to);
        body.extend_from_slice(&self.body[at + from.len()..]);
        let mut metadata_end = self.metadata_end as usize;
        if at < metadata_end {
            metadata_end = metadata_end + to.len() - from.len();
        }
        let metadata_end = u32::try_from(metadata_end).ok()?;
        Some(Self { body: body.into(), metadata_end, version: self.version })
    }
}

fn write_type(to: &mut Vec<u8>, kind: &str, api_version: &str) {
    to.extend_from_slice(b"{\"kind\":");
    write(to, &json!(kind));
    to.extend_from_slice(b",\"apiVersion\":");
    write(to, &json!(api_version));
    to.push(b',');
}

fn write(to: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(to, value).expect("a value is written to memory");
}
