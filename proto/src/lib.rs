//! The wire: generated code of the node and ingest protocols, the checked
//! [`Envelope`] that every hop moves, and conversions to the event model.

mod acts;
mod batch;
mod capture;
mod envelope;
mod from_wire;
mod held;
mod to_wire;
mod weight;

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

/// The version of the node and ingest protocols that this build speaks.
pub const PROTOCOL_VERSION: u32 = 1;
