//! How an envelope lies on disk: a header of sixteen bytes, then the encoded `wire::Envelope`.
//!
//! ```text
//! [length u32][records u32][CRC-32 of the body u32][CRC-32 of the twelve bytes before u32][body]
//! ```
//! All numbers are little-endian. The header has a checksum of its own, so that a damaged body can be skipped
//! and its records counted.

use crc32fast::hash;
use prost::Message;
use proto::{MAXIMUM_BATCH_BYTES, wire};

/// Size of a frame's header.
pub(crate) const HEADER_BYTES: usize = 16;

/// A payload, and what stands around it.
#[allow(clippy::cast_possible_truncation)] // 17 MiB.
const LONGEST_BODY: u32 = (MAXIMUM_BATCH_BYTES + (1 << 20)) as u32;

/// What a frame's header says of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the body.
    pub(crate) length: u32,
    /// Records in the envelope.
    pub(crate) records: u32,
    checksum: u32,
}

impl Header {
    /// Reads a header. None where its own checksum is wrong, or the body longer than any that was written.
    pub(crate) fn read(bytes: [u8; HEADER_BYTES]) -> Option<Self> {
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let header = Self { length: number(0), records: number(4), checksum: number(8) };
        (hash(&bytes[..12]) == number(12) && header.length <= LONGEST_BODY).then_some(header)
    }

    /// Whether `body` is what was written.
    pub(crate) fn matches(&self, body: &[u8]) -> bool {
        body.len() == self.length as usize && hash(body) == self.checksum
    }

    /// Bytes of header and body together.
    pub(crate) fn frame_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.length)
    }

    fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.records.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.checksum.to_le_bytes());
        let own = hash(&bytes[..12]);
        bytes[12..].copy_from_slice(&own.to_le_bytes());
        bytes
    }
}

/// Bytes that an envelope takes as a frame.
pub(crate) fn frame_bytes(envelope: &wire::Envelope) -> u64 {
    (HEADER_BYTES + envelope.encoded_len()) as u64
}

/// Appends an envelope's frame to a buffer.
pub(crate) fn append(buffer: &mut Vec<u8>, envelope: &wire::Envelope) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER_BYTES]);
    // Encoding fails only where the buffer can't grow, and a Vec can.
    let _ = envelope.encode(buffer);
    let body = &buffer[start + HEADER_BYTES..];
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let header = Header { length, records: envelope.count, checksum: hash(body) };
    buffer[start..start + HEADER_BYTES].copy_from_slice(&header.bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn envelope(payload: Vec<u8>, count: u32) -> wire::Envelope {
        wire::Envelope { count, payload: payload.into(), ..wire::Envelope::default() }
    }

    proptest! {
        #[test]
        fn a_frame_is_read_as_it_was_written(payload in proptest::collection::vec(any::<u8>(), 0..2000), count in 1..9999_u32) {
            let envelope = envelope(payload, count);
            let mut buffer = vec![1, 2, 3];
            append(&mut buffer, &envelope);
            let (header, body) = buffer[3..].split_at(HEADER_BYTES);
            let header = Header::read(header.try_into().unwrap()).expect("the header is whole");
            prop_assert_eq!(header.records, count);
            prop_assert_eq!(header.frame_bytes(), frame_bytes(&envelope));
            prop_assert!(header.matches(body));
            prop_assert_eq!(wire::Envelope::decode(body).unwrap(), envelope);
        }

        #[test]
        fn any_flipped_bit_is_noticed(payload in proptest::collection::vec(any::<u8>(), 1..200), bit in any::<prop::sample::Index>()) {
            let mut buffer = Vec::new();
            append(&mut buffer, &envelope(payload, 7));
            let bit = bit.index(buffer.len() * 8);
            buffer[bit / 8] ^= 1 << (bit % 8);
            let (header, body) = buffer.split_at(HEADER_BYTES);
            let intact = Header::read(header.try_into().unwrap()).is_some_and(|header| header.matches(body));
            prop_assert!(!intact);
        }
    }

    #[test]
    fn zeros_are_no_header() {
        assert_eq!(Header::read([0; HEADER_BYTES]), None);
    }
}
