//! Reports of loss in alert frames that are about to be dropped: they are carried over into a new report.

use super::scan::Found;
use bytes::Bytes;
use event_model::{Loss, Record};
use prost::Message;
use proto::{Envelope, decode_batch, wire};

/// The reports of loss in a frame of a segment that is in memory.
pub(crate) fn in_frame(file: &Bytes, found: &Found) -> Vec<Loss> {
    let envelope = wire::Envelope::decode(found.body(file)).ok();
    let envelope = envelope.and_then(|raw| Envelope::try_from(raw).ok());
    let records = envelope.and_then(|envelope| decode_batch(&envelope).ok());
    let loss = |record| match record {
        Record::Loss(loss) => Some(loss),
        _ => None,
    };
    records.unwrap_or_default().into_iter().filter_map(loss).collect()
}
