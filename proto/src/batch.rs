use crate::weight::{self, MAXIMUM_DECODED_BYTES};
use crate::{ConversionError, Encoding, Envelope, EnvelopeError, wire};
use event_model::{Lane, Record, SourceId};
use prost::Message;
use prost::bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, message};
use std::io::Read;
use zstd::bulk::Compressor;

/// The largest batch, decompressed, that [`decode_batch`] takes: 16 MiB, so that a
/// small payload can't be made to fill the backend's memory.
pub const MAXIMUM_BATCH_BYTES: usize = 16 << 20;

/// Payloads below this many bytes are not worth the compressor's time.
const COMPRESS_FROM_BYTES: usize = 512;

/// Memory that an encoder keeps between batches.
const KEPT_BYTES: usize = 256 << 10;

/// The fastest of zstd's standard levels: the collector has 360m of CPU for everything.
const COMPRESSION_LEVEL: i32 = 1;

/// The base-2 logarithm of the largest window that a payload may ask the decompressor for: no batch
/// needs a larger one than itself.
const LARGEST_WINDOW_LOG: u32 = MAXIMUM_BATCH_BYTES.ilog2();

/// The number of `RecordBatch.records` in record.proto.
const RECORDS_TAG: u32 = 1;

/// A payload that can't be read or made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum BatchError {
    #[error("the payload does not decompress: {0}")]
    Compression(#[source] std::io::Error),
    #[error("the payload has over {MAXIMUM_BATCH_BYTES} bytes once decompressed")]
    TooLarge,
    #[error("the payload says it has {stated} bytes once decompressed, and has more")]
    Grows { stated: usize },
    #[error("the payload is not a RecordBatch: {0}")]
    Protobuf(#[from] prost::DecodeError),
    #[error("the frame says {stated} records, the payload holds {actual}")]
    Count { stated: u32, actual: usize },
    #[error(
        "with record {place}, the batch takes over {MAXIMUM_DECODED_BYTES} bytes of memory once decoded: its lists and maps have too many entries"
    )]
    Heavy { place: usize },
    #[error("record {place} of the batch: {source}")]
    Record { place: usize, source: ConversionError },
    #[error("record {place} of the batch is a {kind}, which does not travel in the {lane} lane")]
    Lane { place: usize, kind: &'static str, lane: Lane },
    #[error(transparent)]
    Frame(#[from] EnvelopeError),
}

/// Encodes batches one after another, in memory that it keeps.
#[derive(Default)]
pub struct BatchEncoder {
    plain: Vec<u8>,
    compressed: Vec<u8>,
    /// Made with the first batch that is worth it.
    compressor: Option<Compressor<'static>>,
}

impl BatchEncoder {
    /// Encodes records of one lane, and compresses them where that pays. What [`decode_batch`] would refuse for its
    /// size alone is refused here.
    pub fn encode(
        &mut self,
        source: SourceId,
        lane: Lane,
        first_sequence: u64,
        records: &[Record],
    ) -> Result<Envelope, BatchError> {
        let count = u32::try_from(records.len())
            .map_err(|_| EnvelopeError::Sequence { first: first_sequence, count: u32::MAX })?;
        self.encode_plain(records)?;
        let (encoding, payload) = if self.plain.len() < COMPRESS_FROM_BYTES {
            (Encoding::Protobuf, &self.plain)
        } else {
            self.compress().map_err(BatchError::Compression)?;
            (Encoding::ProtobufZstd, &self.compressed)
        };
        // A copy, since what the compressor writes to has room for the worst case.
        let payload = Bytes::copy_from_slice(payload);
        Ok(Envelope::new(source, lane, first_sequence, count, encoding, payload)?)
    }

    /// Encodes a `RecordBatch`, record by record: all of them at once would take as much memory again as they do.
    fn encode_plain(&mut self, records: &[Record]) -> Result<(), BatchError> {
        self.plain.clear();
        // A batch that was much larger than most leaves no more behind than they need.
        self.plain.shrink_to(KEPT_BYTES);
        for record in records {
            let record = wire::Record::from(record);
            let bytes = message::encoded_len(RECORDS_TAG, &record);
            if self.plain.len() + bytes > MAXIMUM_BATCH_BYTES {
                return Err(BatchError::TooLarge);
            }
            message::encode(RECORDS_TAG, &record, &mut self.plain);
        }
        Ok(())
    }

    fn compress(&mut self) -> std::io::Result<()> {
        let compressor = match &mut self.compressor {
            Some(made) => made,
            none => none.insert(Compressor::new(COMPRESSION_LEVEL)?),
        };
        self.compressed.clear();
        self.compressed.shrink_to(KEPT_BYTES);
        self.compressed.reserve_exact(zstd::zstd_safe::compress_bound(self.plain.len()));
        compressor.compress_to_buffer(&self.plain, &mut self.compressed)?;
        Ok(())
    }
}

/// Encodes one batch, as [`BatchEncoder::encode`] does many.
pub fn encode_batch(
    source: SourceId,
    lane: Lane,
    first_sequence: u64,
    records: &[Record],
) -> Result<Envelope, BatchError> {
    BatchEncoder::default().encode(source, lane, first_sequence, records)
}

/// How many bytes the payload takes once decompressed, before it is: [`decode_batch`] takes no
/// payload that grows beyond what this says. A compressed one that does not say it counts as the maximum.
pub fn plain_bytes(envelope: &Envelope) -> usize {
    match envelope.encoding() {
        Encoding::Protobuf => envelope.payload().len(),
        Encoding::ProtobufZstd => stated_bytes(envelope.payload()).unwrap_or(MAXIMUM_BATCH_BYTES),
    }
}

/// What the header of a zstd frame says (RFC 8878, 3.1.1.1.4), as far as a batch may have.
fn stated_bytes(payload: &[u8]) -> Option<usize> {
    let stated = zstd::zstd_safe::get_frame_content_size(payload).ok()??;
    Some(usize::try_from(stated).unwrap_or(usize::MAX).min(MAXIMUM_BATCH_BYTES))
}

/// Decodes an envelope's payload: exactly as many records as its frame says, all of its lane. Nothing is made of a
/// payload over [`MAXIMUM_BATCH_BYTES`] or [`MAXIMUM_DECODED_BYTES`].
pub fn decode_batch(envelope: &Envelope) -> Result<Vec<Record>, BatchError> {
    let plain = match envelope.encoding() {
        Encoding::Protobuf => envelope.payload().clone(),
        Encoding::ProtobufZstd => decompress(envelope.payload())?,
    };
    check_count(&plain, envelope.count())?;
    weight::check(&plain)?;
    let batch = wire::RecordBatch::decode(plain)?;
    let lane = envelope.lane();
    let records = batch.records.into_iter().enumerate();
    records.map(|(place, raw)| read_record(place, raw, lane)).collect()
}

/// Counts the records before any is decoded: what the frame says of them is what room was found for.
fn check_count(plain: &Bytes, stated: u32) -> Result<(), BatchError> {
    let mut rest = plain.clone();
    let mut actual = 0;
    while rest.has_remaining() {
        let (tag, wire_type) = prost::encoding::decode_key(&mut rest)?;
        prost::encoding::skip_field(wire_type, tag, &mut rest, DecodeContext::default())?;
        actual += usize::from(tag == RECORDS_TAG);
    }
    if actual == stated as usize { Ok(()) } else { Err(BatchError::Count { stated, actual }) }
}

/// Grows with what arrives, so that a sender can't make the reader allocate the maximum at will.
fn decompress(payload: &[u8]) -> Result<Bytes, BatchError> {
    let bound = stated_bytes(payload).unwrap_or(MAXIMUM_BATCH_BYTES);
    let plain = read_frames(payload, bound as u64 + 1).map_err(BatchError::Compression)?;
    match plain.len() {
        bytes if bytes > MAXIMUM_BATCH_BYTES => Err(BatchError::TooLarge),
        bytes if bytes > bound => Err(BatchError::Grows { stated: bound }),
        _ => Ok(plain.into()),
    }
}

fn read_frames(payload: &[u8], at_most: u64) -> std::io::Result<Vec<u8>> {
    let mut decoder = zstd::stream::read::Decoder::new(payload)?;
    decoder.window_log_max(LARGEST_WINDOW_LOG)?;
    let mut plain = Vec::new();
    decoder.take(at_most).read_to_end(&mut plain)?;
    Ok(plain)
}

fn read_record(place: usize, raw: wire::Record, lane: Lane) -> Result<Record, BatchError> {
    let record = Record::try_from(raw).map_err(|source| BatchError::Record { place, source })?;
    if record.lane() != lane {
        return Err(BatchError::Lane { place, kind: record.kind(), lane });
    }
    Ok(record)
}
