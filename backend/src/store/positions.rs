//! Which sequences of a stream are held already: the rule that makes delivery
//! at least once into storage exactly once.

use super::sources::SourceRow;
use event_model::{Lane, Timestamp};
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;

/// Gaps of a stream that are kept one by one; older ones are only counted.
const GAPS_KEPT: u32 = 16;
/// Streams whose positions are kept in memory. Beyond, all are read again.
const MOST_CACHED: usize = 100_000;

/// What a stream is held up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// All sequences up to this one are held, or known to be missing.
    through: u64,
    records: u64,
    repeated: u64,
    gaps: u64,
    missing: u64,
}

/// What is to be done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advance {
    /// All of it is held.
    Held,
    /// The first `skip` records are held; the sequences of `gap` were never received.
    Fresh { skip: u64, gap: Option<(u64, u64)> },
}

impl Position {
    /// Takes note of a batch. `count` is at least 1 and the sequences do not overflow.
    fn advance(&mut self, first: u64, count: u64) -> Advance {
        let last = first + (count - 1);
        if last <= self.through {
            self.repeated += count;
            return Advance::Held;
        }
        let next = self.through + 1;
        let gap = (first > next).then(|| (next, first - 1));
        let skip = next.saturating_sub(first);
        if let Some((from, to)) = gap {
            self.gaps += 1;
            self.missing = self.missing.saturating_add(to - from + 1);
        }
        self.records += count - skip;
        self.repeated += skip;
        self.through = last;
        Advance::Fresh { skip, gap }
    }
}

/// The positions of all streams. The database is the truth; memory saves asking it.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    held: HashMap<(SourceRow, Lane), Position>,
    /// Changed since the last commit.
    changed: HashMap<(SourceRow, Lane), Position>,
}

impl Positions {
    /// Takes note of a batch in the transaction under way.
    pub(crate) fn advance(
        &mut self,
        state: &Connection,
        stream: (SourceRow, Lane),
        first: u64,
        count: u64,
        now: Timestamp,
    ) -> rusqlite::Result<Advance> {
        let mut position = self.get(state, stream)?;
        let advance = position.advance(first, count);
        self.changed.insert(stream, position);
        if let Advance::Fresh { gap: Some(gap), .. } = advance {
            note_gap(state, stream, gap, now)?;
        }
        Ok(advance)
    }

    /// How far the stream is held, the transaction under way included.
    pub(crate) fn through(
        &mut self,
        state: &Connection,
        stream: (SourceRow, Lane),
    ) -> rusqlite::Result<u64> {
        self.get(state, stream).map(|position| position.through)
    }

    /// Writes what changed. To be called at the end of a transaction.
    pub(crate) fn write(&self, state: &Connection) -> rusqlite::Result<()> {
        let mut statement = state.prepare_cached(
            "INSERT INTO positions (source, lane, position, records, repeated, gaps, missing)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET position = ?3, records = ?4, repeated = ?5, gaps = ?6, missing = ?7",
        )?;
        for ((source, lane), position) in &self.changed {
            statement.execute((
                source,
                lane.name(),
                position.through.cast_signed(),
                position.records.cast_signed(),
                position.repeated.cast_signed(),
                position.gaps.cast_signed(),
                position.missing.cast_signed(),
            ))?;
        }
        Ok(())
    }

    /// The transaction is durable.
    pub(crate) fn committed(&mut self) {
        if self.held.len() > MOST_CACHED {
            self.held.clear();
        }
        self.held.extend(self.changed.drain());
    }

    /// The transaction came to nothing.
    pub(crate) fn rolled_back(&mut self) {
        self.changed.clear();
    }

    /// Forgets what memory holds, as when sources were removed.
    pub(crate) fn forget(&mut self) {
        self.held.clear();
    }

    fn get(&self, state: &Connection, stream: (SourceRow, Lane)) -> rusqlite::Result<Position> {
        if let Some(position) = self.changed.get(&stream).or_else(|| self.held.get(&stream)) {
            return Ok(*position);
        }
        let mut statement = state.prepare_cached(
            "SELECT position, records, repeated, gaps, missing FROM positions
             WHERE source = ?1 AND lane = ?2",
        )?;
        let number = |row: &rusqlite::Row<'_>, column| row.get(column).map(i64::cast_unsigned);
        let stored = statement.query_row((stream.0, stream.1.name()), |row| {
            Ok(Position {
                through: number(row, 0)?,
                records: number(row, 1)?,
                repeated: number(row, 2)?,
                gaps: number(row, 3)?,
                missing: number(row, 4)?,
            })
        });
        stored.optional().map(Option::unwrap_or_default)
    }
}

fn note_gap(
    state: &Connection,
    (source, lane): (SourceRow, Lane),
    (first, last): (u64, u64),
    now: Timestamp,
) -> rusqlite::Result<()> {
    state
        .prepare_cached("INSERT OR REPLACE INTO sequence_gaps VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((
            source,
            lane.name(),
            first.cast_signed(),
            last.cast_signed(),
            super::moment(now),
        ))?;
    state
        .prepare_cached(
            "DELETE FROM sequence_gaps WHERE source = ?1 AND lane = ?2 AND first_missing NOT IN (
                SELECT first_missing FROM sequence_gaps WHERE source = ?1 AND lane = ?2
                ORDER BY first_missing DESC LIMIT ?3)",
        )?
        .execute((source, lane.name(), GAPS_KEPT))?;
    Ok(())
}

/// How far each lane of a source is held.
pub(crate) fn held(state: &Connection, source: SourceRow) -> rusqlite::Result<Vec<(Lane, u64)>> {
    let mut statement =
        state.prepare_cached("SELECT lane, position FROM positions WHERE source = ?1")?;
    let rows = statement.query_map([source], |row| {
        let name: String = row.get(0)?;
        let lane = Lane::ALL.into_iter().find(|lane| lane.name() == name);
        Ok(lane.zip(Some(row.get::<_, i64>(1)?.cast_unsigned())))
    })?;
    rows.filter_map(Result::transpose).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_held_is_not_taken_again() {
        let mut position = Position::default();
        assert_eq!(position.advance(1, 10), Advance::Fresh { skip: 0, gap: None });
        assert_eq!(position.advance(1, 10), Advance::Held);
        assert_eq!(position.advance(3, 2), Advance::Held);
        assert_eq!(position.advance(8, 5), Advance::Fresh { skip: 3, gap: None });
        assert_eq!(position.through, 12);
    }

    #[test]
    fn a_jump_in_the_sequences_is_noted() {
        let mut position = Position::default();
        assert_eq!(position.advance(5, 1), Advance::Fresh { skip: 0, gap: Some((1, 4)) });
        assert_eq!((position.gaps, position.missing), (1, 4));
    }

    proptest! {
        #[test]
        fn each_sequence_is_taken_at_most_once_and_none_is_passed_over_in_silence(
            batches in prop::collection::vec((1_u64..200, 1_u64..30), 1..60),
        ) {
            let mut position = Position::default();
            let (mut taken, mut missing) = (BTreeSet::new(), BTreeSet::new());
            for (first, count) in batches {
                if let Advance::Fresh { skip, gap } = position.advance(first, count) {
                    for sequence in first + skip..first + count {
                        prop_assert!(taken.insert(sequence), "{sequence} was taken twice");
                    }
                    missing.extend(gap.into_iter().flat_map(|(from, to)| from..=to));
                }
            }
            prop_assert!(taken.is_disjoint(&missing));
            prop_assert_eq!((taken.len() + missing.len()) as u64, position.through);
            prop_assert_eq!(missing.len() as u64, position.missing);
            prop_assert_eq!(taken.len() as u64, position.records);
        }
    }
}
