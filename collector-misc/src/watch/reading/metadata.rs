use super::bounded;
use event_model::{OwnerReference, Timestamp};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// More owners than this are of no use to anybody.
const MOST_OWNERS: usize = 16;

/// `metadata` without what makes it long: managed fields, and annotations (which hold whole manifests) but one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) owners: Vec<OwnerReference>,
    /// The annotation that the kubelet puts on the mirror of a static pod: the uid by which the container runtime knows the
    /// pod, where the API server gave the mirror another.
    pub(crate) static_pod_uid: Option<String>,
}

impl Metadata {
    /// The number of the object's state; 0 where it is none.
    pub(crate) fn version(&self) -> u64 {
        self.resource_version.parse().unwrap_or_default()
    }

    /// Whether something else controls the object.
    pub(crate) fn has_controller(&self) -> bool {
        self.owners.iter().any(|owner| owner.controller)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    creation_timestamp: Option<String>,
    #[serde(default, deserialize_with = "bounded::map")]
    labels: BTreeMap<String, String>,
    annotations: Option<Annotations>,
    #[serde(default, deserialize_with = "bounded::list")]
    owner_references: Vec<RawOwner>,
}

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(rename = "kubernetes.io/config.hash")]
    static_pod_uid: Option<String>,
}

#[derive(Deserialize)]
struct RawOwner {
    kind: Option<String>,
    name: Option<String>,
    uid: Option<String>,
    controller: Option<bool>,
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let annotations = raw.annotations.unwrap_or_default();
        let owners = raw.owner_references.into_iter().take(MOST_OWNERS);
        Ok(Self {
            name: raw.name.unwrap_or_default(),
            namespace: raw.namespace.filter(|namespace| !namespace.is_empty()),
            uid: raw.uid.unwrap_or_default(),
            resource_version: raw.resource_version.unwrap_or_default(),
            created_at: raw.creation_timestamp.as_deref().and_then(moment),
            labels: raw.labels,
            owners: owners.map(Into::into).collect(),
            static_pod_uid: annotations.static_pod_uid,
        })
    }
}

impl From<RawOwner> for OwnerReference {
    fn from(raw: RawOwner) -> Self {
        Self {
            kind: raw.kind.unwrap_or_default(),
            name: raw.name.unwrap_or_default(),
            uid: raw.uid.unwrap_or_default(),
            controller: raw.controller.unwrap_or_default(),
        }
    }
}

/// A moment as Kubernetes writes it (RFC 3339).
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_nanosecond()).ok().map(Timestamp)
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

/// Of a whole object, whatever else is in it.
pub(crate) fn read(object: &str) -> Result<Metadata, serde_json::Error> {
    Ok(serde_json::from_str::<Object>(object)?.metadata)
}

/// Of the beginning of an object that is too large to be read, in which the metadata stands.
pub(crate) fn beginning(bytes: &[u8]) -> Option<Metadata> {
    const NAME: &[u8] = b"\"metadata\":";
    let place = memchr::memmem::find(bytes, NAME)? + NAME.len();
    let text = String::from_utf8_lossy(&bytes[place..]);
    serde_json::Deserializer::from_str(&text).into_iter().next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::{beginning, read};

    #[test]
    fn metadata_of_nulls_and_gaps_is_read() {
        let metadata = read(
            r#"{"metadata": {"name": null, "labels": null, "annotations": null, "ownerReferences": null,
            "creationTimestamp": null, "namespace": ""}}"#,
        );
        assert_eq!(metadata.unwrap(), super::Metadata::default());
        assert!(read("{}").is_err());
    }

    #[test]
    fn the_beginning_of_an_object_tells_whose_it_is() {
        let line = format!(
            r#"{{"type":"ADDED","object":{{"kind":"Big","metadata":{{"name":"huge","uid":"7"}},"spec":"{}"#,
            "x".repeat(100)
        );
        let metadata = beginning(line.as_bytes()).unwrap();
        assert_eq!((&*metadata.name, &*metadata.uid), ("huge", "7"));
        assert_eq!(beginning(&line.as_bytes()[..50]), None);
        assert_eq!(beginning(b"\"metadata\":"), None);
    }
}
