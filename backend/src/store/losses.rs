use super::sources::SourceRow;
use event_model::Loss;
use rusqlite::Connection;

/// Different (lane, kind, reason) of a source that are counted apart. Beyond, kinds are counted
/// together: a kind is a text that the sender chooses.
const MOST_KINDS: u32 = 128;
const LONGEST_KIND: usize = 64;

/// Adds what a source lost to what it lost before.
pub(crate) fn add(state: &Connection, source: SourceRow, loss: &Loss) -> rusqlite::Result<()> {
    let kind = bounded_kind(state, source, loss)?;
    state
        .prepare_cached(
            "INSERT INTO losses (source, lane, kind, reason, count, since, until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET
                count = min(count, 9223372036854775807 - ?5) + ?5,
                since = min(since, ?6), until = max(until, ?7)",
        )?
        .execute((
            source,
            loss.lane.name(),
            kind,
            loss.reason.name(),
            i64::try_from(loss.count).unwrap_or(i64::MAX),
            super::moment(loss.since),
            super::moment(loss.until),
        ))?;
    Ok(())
}

fn bounded_kind<'a>(
    state: &Connection,
    source: SourceRow,
    loss: &'a Loss,
) -> rusqlite::Result<&'a str> {
    if loss.kind.len() > LONGEST_KIND {
        return Ok("other");
    }
    let (others, known): (u32, bool) = state
        .prepare_cached("SELECT count(*), total(kind = ?2) > 0 FROM losses WHERE source = ?1")?
        .query_row((source, &loss.kind), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(if known || others < MOST_KINDS { &loss.kind } else { "other" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;
    use event_model::{Lane, LossReason, Timestamp};

    fn loss(kind: &str, count: u64, at: u64) -> Loss {
        let moment = Timestamp(at);
        Loss {
            lane: Lane::Telemetry,
            kind: kind.to_owned(),
            reason: LossReason::RingFull,
            count,
            since: moment,
            until: moment,
        }
    }

    #[test]
    fn losses_of_a_kind_add_up_and_never_overflow() {
        let (_folder, state) = testing::state();
        for (count, at) in [(3, 20), (4, 10), (u64::MAX, 30)] {
            add(&state, SourceRow(1), &loss("exec", count, at)).unwrap();
        }
        let row = state.query_row("SELECT count, since, until FROM losses", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        });
        assert_eq!(row.unwrap(), (i64::MAX, 10, 30));
    }

    #[test]
    fn a_sender_that_invents_kinds_fills_no_table() {
        let (_folder, state) = testing::state();
        for number in 0..1000 {
            add(&state, SourceRow(1), &loss(&format!("kind-{number}"), 1, 1)).unwrap();
        }
        add(&state, SourceRow(1), &loss(&"x".repeat(10_000), 1, 1)).unwrap();
        let (rows, sum): (u32, u32) = state
            .query_row("SELECT count(*), sum(count) FROM losses", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!((rows, sum), (MOST_KINDS + 1, 1001));
    }
}
