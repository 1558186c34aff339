//! What a collector sends to the publisher, and the publisher to the backend.

use event_model::{Lane, Record};
use prost::Message;
use proto::wire::{self, to_publisher};
use proto::{BatchError, Envelope, MAXIMUM_BATCH_BYTES, decode_batch, lane_to_wire, plain_bytes};

/// Reads the bytes as a message of the node protocol; then as the payload of an envelope whose frame is in order: changed
/// bytes are to reach what decodes records. The first byte chooses lane, encoding and count.
pub fn message(bytes: &[u8]) {
    if let Ok(message) = wire::ToPublisher::decode(bytes) {
        match message.message {
            Some(to_publisher::Message::Envelope(raw)) => frame(&raw),
            Some(to_publisher::Message::Hello(hello)) => greeting(hello),
            None => {}
        }
    }
    if let Some((choice, payload)) = bytes.split_first() {
        frame(&framed(*choice, payload));
    }
}

fn framed(choice: u8, payload: &[u8]) -> wire::Envelope {
    let lane = Lane::ALL[usize::from(choice) % Lane::ALL.len()];
    wire::Envelope {
        source_id: vec![7; 16],
        lane: lane_to_wire(lane).into(),
        first_sequence: 1,
        count: u32::from(choice / 8) + 1,
        encoding: if choice & 4 == 0 {
            wire::Encoding::Protobuf.into()
        } else {
            wire::Encoding::ProtobufZstd.into()
        },
        checksum: crc32fast::hash(payload),
        payload: payload.to_vec().into(),
    }
}

/// A frame that is taken says what it said before, and what its payload holds is bounded.
fn frame(raw: &wire::Envelope) {
    let Ok(envelope) = Envelope::try_from(raw.clone()) else { return };
    assert_eq!(wire::Envelope::from(envelope.clone()), *raw);
    assert!(envelope.count() > 0 && envelope.first_sequence() > 0);
    assert!(envelope.last_sequence() >= envelope.first_sequence());
    let stated = plain_bytes(&envelope);
    assert!(stated <= MAXIMUM_BATCH_BYTES.max(envelope.payload().len()));
    match decode_batch(&envelope) {
        Ok(records) => taken(&envelope, &records),
        Err(BatchError::Count { actual, .. }) => assert_ne!(actual, envelope.count() as usize),
        Err(_) => {}
    }
}

/// What was taken can be sent on, and is the same at the other end.
fn taken(envelope: &Envelope, records: &[Record]) {
    assert_eq!(records.len(), envelope.count() as usize);
    let (source, lane, first) = (envelope.source(), envelope.lane(), envelope.first_sequence());
    let again = match proto::encode_batch(source, lane, first, records) {
        Ok(again) => again,
        // Defaults that were left out may stand there now.
        Err(BatchError::TooLarge) => return,
        Err(error) => panic!("what was decoded can't be encoded: {error}"),
    };
    match decode_batch(&again) {
        Ok(read) => assert_eq!(format!("{read:?}"), format!("{records:?}")),
        Err(BatchError::Heavy { .. } | BatchError::TooLarge) => {}
        Err(error) => panic!("what was encoded can't be decoded: {error}"),
    }
}

/// A description that is taken names who sent it, as it came.
fn greeting(hello: wire::Hello) {
    let Some(raw) = hello.source else { return };
    let Ok(source) = proto::description_from_wire(raw.clone()) else { return };
    assert_eq!(proto::description_to_wire(&source), raw);
}
