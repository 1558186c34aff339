//! In which form a client wants its answer.

use crate::status::Refusal;
use crate::stored::Representation;
use http::{HeaderMap, header};

/// Lists and objects from this size on are compressed, if asked.
const COMPRESSED_FROM: usize = 128 * 1024;

/// What the `Accept` header asks for: the first of its kinds that is known here.
pub fn accepted(headers: &HeaderMap) -> Result<Representation, Refusal> {
    let accept =
        headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("*/*");
    accept.split(',').find_map(known).ok_or_else(Refusal::not_acceptable)
}

fn known(kind: &str) -> Option<Representation> {
    let mut parts = kind.split(';').map(str::trim);
    let is_json = matches!(parts.next()?, "application/json" | "application/*" | "*/*");
    let shape = parts.filter(|part| part.starts_with("as=")).find_map(|part| part.split_once('='));
    match shape.map(|(_, shape)| shape) {
        _ if !is_json => None,
        None => Some(Representation::Whole),
        Some("PartialObjectMetadata" | "PartialObjectMetadataList") => {
            Some(Representation::Metadata)
        }
        Some(_) => None,
    }
}

/// Whether an answer of `size` bytes is to be compressed. Lists have no size.
pub fn wants_gzip(headers: &HeaderMap, size: Option<usize>) -> bool {
    let accept = headers.get(header::ACCEPT_ENCODING).and_then(|accept| accept.to_str().ok());
    let is_asked = accept.unwrap_or_default().split(',').any(|one| one.trim() == "gzip");
    is_asked && size.is_none_or(|size| size > COMPRESSED_FROM)
}
