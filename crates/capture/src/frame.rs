//! Length, checksum, entry.

use crate::CaptureError;
use proto::wire::CaptureEntry;
use proto::wire::capture_entry::Entry;
use proto::{MAXIMUM_ENTRY_BYTES, decode_capture_entry, encode_capture_entry};
use std::io::{ErrorKind, Read};

/// Length and checksum.
const HEADER_BYTES: usize = 8;

/// Appends an entry's frame. One that no reader would take is left out, and false returned.
pub(crate) fn append(entry: Entry, bytes: &mut Vec<u8>) -> bool {
    let begin = bytes.len();
    bytes.extend([0; HEADER_BYTES]);
    encode_capture_entry(entry, bytes);
    let content = &bytes[begin + HEADER_BYTES..];
    let length = u32::try_from(content.len()).ok();
    let Some(length) = length.filter(|_| content.len() <= MAXIMUM_ENTRY_BYTES) else {
        bytes.truncate(begin);
        return false;
    };
    let checksum = crc32fast::hash(content);
    bytes[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
    bytes[begin + 4..begin + HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    true
}

/// The entry of the frame at `offset`, and where the next one begins. None at the end of the file.
pub(crate) fn read(
    from: &mut impl Read,
    offset: u64,
) -> Result<Option<(CaptureEntry, u64)>, CaptureError> {
    let unreadable = |source| CaptureError::Unreadable { offset, source };
    let header = read_up_to(from, HEADER_BYTES).map_err(unreadable)?;
    let header: [u8; HEADER_BYTES] = match header.try_into() {
        Ok(header) => header,
        Err(header) if header.is_empty() => return Ok(None),
        Err(_) => return Err(CaptureError::Torn { offset }),
    };
    let [l0, l1, l2, l3, checksum @ ..] = header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let bytes = usize::try_from(length).ok().filter(|bytes| *bytes <= MAXIMUM_ENTRY_BYTES);
    let bytes = bytes.ok_or(CaptureError::Length { offset, length })?;
    let content = read_up_to(from, bytes).map_err(unreadable)?;
    if content.len() < bytes {
        return Err(CaptureError::Torn { offset });
    }
    if crc32fast::hash(&content) != u32::from_le_bytes(checksum) {
        return Err(CaptureError::Checksum { offset });
    }
    let entry = decode_capture_entry(&content)
        .map_err(|source| CaptureError::Undecodable { offset, source })?;
    Ok(Some((entry, offset + (HEADER_BYTES + bytes) as u64)))
}

/// So many bytes, or as many as there are: grows with what is there, not with what a length says.
pub(crate) fn read_up_to(from: &mut impl Read, bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    match from.take(bytes as u64).read_to_end(&mut content) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(content),
        Err(error) => Err(error),
        Ok(_) => Ok(content),
    }
}
