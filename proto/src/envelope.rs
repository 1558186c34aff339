use crate::wire;
use event_model::{Lane, SourceId};
use prost::bytes::Bytes;
use uuid::Uuid;

/// The last sequence there can be: what stores keep sequences in (SQLite's integers) is signed, and
/// a larger one would be read back as older than all others.
const MAXIMUM_SEQUENCE: u64 = i64::MAX.cast_unsigned();

/// How a payload is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// An encoded `RecordBatch`.
    Protobuf,
    /// The same, compressed with zstd.
    ProtobufZstd,
}

/// A batch of records on its way, with a frame that was checked. Cheap to clone.
///
/// Whoever holds one knows: the source is a UUID, the lane exists, there is at
/// least one record, the sequences begin at 1 and fit in an `i64`, and the payload is what the
/// sender checksummed. What the payload says is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    source: SourceId,
    lane: Lane,
    first_sequence: u64,
    count: u32,
    encoding: Encoding,
    checksum: u32,
    payload: Bytes,
}

/// A frame that no sender of ours makes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum EnvelopeError {
    #[error("source_id has {0} bytes; a UUID has 16")]
    SourceId(usize),
    #[error("lane {0} is not one that this version knows")]
    Lane(i32),
    #[error("encoding {0} is not one that this version knows")]
    Encoding(i32),
    #[error("the batch holds no record")]
    Empty,
    #[error("first_sequence {first} with {count} records passes 2^63 - 1, or begins at 0")]
    Sequence { first: u64, count: u32 },
    #[error("the payload's checksum is {actual:08x}, the frame says {stated:08x}")]
    Checksum { stated: u32, actual: u32 },
}

impl Envelope {
    /// Frames an encoded payload. `first_sequence` begins at 1 and `count` must not be 0.
    pub(crate) fn new(
        source: SourceId,
        lane: Lane,
        first_sequence: u64,
        count: u32,
        encoding: Encoding,
        payload: Bytes,
    ) -> Result<Self, EnvelopeError> {
        check_sequences(first_sequence, count)?;
        let checksum = crc32fast::hash(&payload);
        Ok(Self { source, lane, first_sequence, count, encoding, checksum, payload })
    }

    /// The program that made the records.
    pub const fn source(&self) -> SourceId {
        self.source
    }

    /// The lane of all its records.
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// Sequence of the first record.
    pub const fn first_sequence(&self) -> u64 {
        self.first_sequence
    }

    /// Sequence of the last record.
    pub const fn last_sequence(&self) -> u64 {
        self.first_sequence + self.count as u64 - 1
    }

    /// How many records, at least 1.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// How the payload is encoded.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The payload as it travels.
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }
}

fn check_sequences(first: u64, count: u32) -> Result<(), EnvelopeError> {
    if count == 0 {
        return Err(EnvelopeError::Empty);
    }
    let last = first.checked_add(u64::from(count) - 1);
    if first == 0 || last.is_none_or(|last| last > MAXIMUM_SEQUENCE) {
        return Err(EnvelopeError::Sequence { first, count });
    }
    Ok(())
}

impl TryFrom<wire::Envelope> for Envelope {
    type Error = EnvelopeError;

    fn try_from(raw: wire::Envelope) -> Result<Self, EnvelopeError> {
        let source = Uuid::from_slice(&raw.source_id)
            .map_err(|_| EnvelopeError::SourceId(raw.source_id.len()))?;
        let lane = crate::lane_from_wire(raw.lane).map_err(|_| EnvelopeError::Lane(raw.lane))?;
        let encoding = match raw.encoding() {
            wire::Encoding::Protobuf => Encoding::Protobuf,
            wire::Encoding::ProtobufZstd => Encoding::ProtobufZstd,
            wire::Encoding::Unspecified => return Err(EnvelopeError::Encoding(raw.encoding)),
        };
        let stated = raw.checksum;
        let checked = Self::new(
            SourceId(source),
            lane,
            raw.first_sequence,
            raw.count,
            encoding,
            raw.payload,
        )?;
        if checked.checksum != stated {
            return Err(EnvelopeError::Checksum { stated, actual: checked.checksum });
        }
        Ok(checked)
    }
}

impl From<Envelope> for wire::Envelope {
    fn from(envelope: Envelope) -> Self {
        let encoding = match envelope.encoding {
            Encoding::Protobuf => wire::Encoding::Protobuf,
            Encoding::ProtobufZstd => wire::Encoding::ProtobufZstd,
        };
        Self {
            source_id: envelope.source.0.as_bytes().to_vec(),
            lane: crate::lane_to_wire(envelope.lane).into(),
            first_sequence: envelope.first_sequence,
            count: envelope.count,
            encoding: encoding.into(),
            checksum: envelope.checksum,
            payload: envelope.payload,
        }
    }
}
