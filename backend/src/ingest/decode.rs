use super::rejection::Refusal;
use event_model::Record;
use proto::{BatchError, Envelope, EnvelopeError, wire};

/// Records in one envelope: more would take the writer too long at a time.
const MOST_RECORDS: u32 = 65_536;

/// Checks an envelope's frame against the limits.
pub(super) fn check(raw: wire::Envelope, largest: usize) -> Result<Envelope, Refusal> {
    if raw.payload.len() > largest {
        let bytes = raw.payload.len();
        let message = format!("the payload has {bytes} bytes, at most {largest} are taken");
        return Err(Refusal::new("too_large", message));
    }
    if raw.count > MOST_RECORDS {
        let message =
            format!("the envelope has {} records, at most {MOST_RECORDS} are taken", raw.count);
        return Err(Refusal::new("too_many_records", message));
    }
    Envelope::try_from(raw).map_err(|error| {
        let reason = match error {
            EnvelopeError::Checksum { .. } => "damaged",
            _ => "malformed",
        };
        Refusal::new(reason, error.to_string())
    })
}

/// Decodes an envelope's records, away from the threads that serve connections.
pub(super) async fn decode(envelope: Envelope) -> Result<Vec<Record>, Refusal> {
    let work = tokio::task::spawn_blocking(move || proto::decode_batch(&envelope));
    match work.await {
        Ok(Ok(records)) => Ok(records),
        Ok(Err(error)) => Err(refusal(&error)),
        Err(_) => Err(Refusal::new("undecodable", "decoding the payload failed")),
    }
}

fn refusal(error: &BatchError) -> Refusal {
    let reason = match error {
        BatchError::TooLarge | BatchError::Grows { .. } | BatchError::Heavy { .. } => "too_large",
        BatchError::Compression(_) => "damaged",
        _ => "undecodable",
    };
    Refusal::new(reason, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_much_memory_counts_as_too_large() {
        for error in
            [BatchError::TooLarge, BatchError::Grows { stated: 1 }, BatchError::Heavy { place: 0 }]
        {
            assert_eq!(refusal(&error).reason, "too_large", "{error}");
        }
    }
}
