use crate::store::body::Body;
use crate::store::error::StoreError;
use event_model::KubernetesObject;
use std::cmp::Reverse;
use std::io::Read;

/// The fastest that zstd has to offer with a good ratio: contents are of a few kilobytes.
const LEVEL: i32 = 3;
/// No content was larger before it was compressed: records have a bound, too.
const MOST_BYTES: u64 = 64 << 20;

/// Whether two states differ in nothing but their versions.
pub(super) fn is_same(one: &KubernetesObject, other: &KubernetesObject) -> bool {
    let KubernetesObject {
        api_version,
        kind,
        namespace,
        name,
        uid,
        resource_version: _,
        created_at,
        owners,
        labels,
        node,
        service_account,
        containers,
        attributes,
        configuration,
        deleted: _,
    } = one;
    *attributes == other.attributes
        && *configuration == other.configuration
        && *labels == other.labels
        && *containers == other.containers
        && *owners == other.owners
        && *node == other.node
        && *service_account == other.service_account
        && *created_at == other.created_at
        && (api_version, kind, uid) == (&other.api_version, &other.kind, &other.uid)
        && (namespace, name) == (&other.namespace, &other.name)
}

/// Whether the first of two tellings of one state counts: the longer one, or by chance but always the same.
pub(super) fn tells_more(one: &KubernetesObject, other: &KubernetesObject) -> bool {
    let rank = |object: &KubernetesObject| {
        let text = format!("{object:?}");
        (Reverse(object.kind.is_empty()), text.len(), text)
    };
    one != other && rank(one) > rank(other)
}

/// A content as the log keeps it.
pub(super) fn compress(object: &KubernetesObject) -> Vec<u8> {
    let body = object.encode();
    // To compress into memory does not fail.
    zstd::bulk::compress(&body, LEVEL).unwrap_or_default()
}

/// What [`compress`] compressed.
pub(super) fn decompress(bytes: &[u8]) -> Result<KubernetesObject, StoreError> {
    let read = || {
        let mut body = Vec::new();
        zstd::Decoder::new(bytes)?.take(MOST_BYTES).read_to_end(&mut body)?;
        std::io::Result::Ok(body)
    };
    let body = read().map_err(|error| StoreError::Record(error.to_string()))?;
    KubernetesObject::decode(&body)
}
