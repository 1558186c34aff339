//! Entries of captures: weighed before they are decoded, as batches are.

use crate::{BatchError, weight, wire};
use prost::Message;

/// The largest entry of a capture, encoded: 16 MiB.
pub const MAXIMUM_ENTRY_BYTES: usize = 16 << 20;

/// Decodes an entry, unless it would take more than [`crate::MAXIMUM_DECODED_BYTES`].
pub fn decode_capture_entry(bytes: &[u8]) -> Result<wire::CaptureEntry, BatchError> {
    if bytes.len() > MAXIMUM_ENTRY_BYTES {
        return Err(BatchError::TooLarge);
    }
    weight::check_entry(bytes)?;
    Ok(wire::CaptureEntry::decode(bytes)?)
}

/// Appends an entry's encoding.
pub fn encode_capture_entry(entry: wire::capture_entry::Entry, bytes: &mut Vec<u8>) {
    let entry = wire::CaptureEntry { entry: Some(entry) };
    // Fails for want of room alone, which a Vec makes.
    let _ = entry.encode(bytes);
}
