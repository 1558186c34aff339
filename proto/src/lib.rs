//! The wire: generated code of the node, ingest and enrolment protocols, the checked
//! [`Envelope`] that every hop moves, and conversions to the event model.

mod acts;
mod batch;
mod capture;
mod envelope;
mod from_wire;
mod held;
mod to_wire;
mod weight;

use std::ops::RangeInclusive;

/// Code generated from `proto/defender/v1/*.proto`.
#[allow(clippy::all, clippy::pedantic, missing_docs)]
pub mod wire {
    tonic::include_proto!("defender.v1");
}

pub use batch::{
    BatchEncoder, BatchError, MAXIMUM_BATCH_BYTES, decode_batch, encode_batch, plain_bytes,
};
pub use capture::{MAXIMUM_ENTRY_BYTES, decode_capture_entry, encode_capture_entry};
pub use envelope::{Encoding, Envelope, EnvelopeError};
pub use from_wire::{ConversionError, component_from_wire, description_from_wire, lane_from_wire};
pub use to_wire::{component_to_wire, description_to_wire, lane_to_wire};
pub use weight::MAXIMUM_DECODED_BYTES;

/// The version of the ingest protocol that this build speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// The versions of the node protocol that this build speaks; `node.proto` tells what each brought. During a rolling
/// update the two sides of the socket are of two releases.
pub const NODE_VERSIONS: RangeInclusive<u32> = 1..=2;

/// The highest version that both sides speak.
pub fn common_version(ours: &RangeInclusive<u32>, theirs: &RangeInclusive<u32>) -> Option<u32> {
    let highest = *ours.end().min(theirs.end());
    (ours.contains(&highest) && theirs.contains(&highest)).then_some(highest)
}

#[cfg(test)]
mod tests {
    use super::common_version;

    #[test]
    fn the_highest_version_in_both_ranges_is_spoken() {
        assert_eq!(common_version(&(1..=2), &(1..=1)), Some(1));
        assert_eq!(common_version(&(1..=2), &(2..=9)), Some(2));
        assert_eq!(common_version(&(1..=2), &(3..=4)), None);
        assert_eq!(common_version(&(3..=4), &(1..=2)), None);
        let (from, to) = (5, 2);
        assert_eq!(common_version(&(1..=9), &(from..=to)), None, "an empty range has none");
    }
}
