//! Alerts that sensors counted instead of sending them.

use super::publisher::Publisher;
use super::sources::SourceRow;
use super::{moment, timestamp};
use event_model::{HeldAlerts, HeldReason, Timestamp};
use rusqlite::Connection;

/// Different (rule, reason, suppression) of a source that are counted apart. Beyond, and where a name is too long, they
/// are counted together: names are texts that the sender chooses.
const MOST_KINDS: u32 = 2048;
const LONGEST_NAME: usize = 256;
const OTHER: &str = "other";
/// Counts that are listed with a sensor, the newest.
const LISTED: u32 = 200;

/// How many alerts of a rule a sensor counted instead of sending them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRecord {
    /// The rule's name.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// The name of the suppression, where that is why.
    pub suppression: Option<String>,
    /// How many.
    pub count: u64,
    /// When the first of their acts happened.
    pub since: Timestamp,
    /// When the last of their acts happened.
    pub until: Timestamp,
}

/// What an alert stands for beside itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldCounts {
    /// Alerts that told the same.
    pub repeated: u64,
    /// Alerts of its rule in its place that passed the limit.
    pub rate_limited: u64,
    /// When the last of them happened.
    pub until: Option<Timestamp>,
}

/// Adds what a source counted: to the alert that stands for it, and to what the source counted before.
pub(crate) fn add(
    state: &Connection,
    source: SourceRow,
    held: &HeldAlerts,
) -> rusqlite::Result<()> {
    add_to_alert(state, source, held)?;
    let (rule, suppression) = bounded_names(state, source, held)?;
    state
        .prepare_cached(
            "INSERT INTO held_alerts (source, rule, reason, suppression, count, since, until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET
                count = min(count, 9223372036854775807 - ?5) + ?5,
                since = min(since, ?6), until = max(until, ?7)",
        )?
        .execute((
            source,
            rule,
            held.reason.name(),
            suppression,
            count(held),
            moment(held.since),
            moment(held.until),
        ))?;
    Ok(())
}

/// Only to an alert of the same source: nobody counts for others.
fn add_to_alert(state: &Connection, source: SourceRow, held: &HeldAlerts) -> rusqlite::Result<()> {
    let (repeated, rate_limited) = match &held.reason {
        HeldReason::Repeated { .. } => (count(held), 0),
        HeldReason::RateLimited { .. } => (0, count(held)),
        HeldReason::Suppressed { .. } => return Ok(()),
    };
    let id = held.reason.alert().unwrap_or_default();
    state
        .prepare_cached(
            "UPDATE alerts SET
                repeated = min(repeated, 9223372036854775807 - ?3) + ?3,
                rate_limited = min(rate_limited, 9223372036854775807 - ?4) + ?4,
                held_until = max(coalesce(held_until, 0), ?5)
             WHERE id = ?1 AND source = ?2",
        )?
        .execute((id.as_bytes(), source, repeated, rate_limited, moment(held.until)))?;
    Ok(())
}

fn count(held: &HeldAlerts) -> i64 {
    i64::try_from(held.count).unwrap_or(i64::MAX)
}

fn bounded_names<'a>(
    state: &Connection,
    source: SourceRow,
    held: &'a HeldAlerts,
) -> rusqlite::Result<(&'a str, &'a str)> {
    let suppression = match &held.reason {
        HeldReason::Suppressed { suppression } => suppression.as_str(),
        HeldReason::Repeated { .. } | HeldReason::RateLimited { .. } => "",
    };
    let others = (OTHER, if suppression.is_empty() { "" } else { OTHER });
    if held.rule.len() > LONGEST_NAME || suppression.len() > LONGEST_NAME {
        return Ok(others);
    }
    let (kinds, known): (u32, bool) = state
        .prepare_cached(
            "SELECT count(*), total(rule = ?2 AND reason = ?3 AND suppression = ?4) > 0
             FROM held_alerts WHERE source = ?1",
        )?
        .query_row((source, &held.rule, held.reason.name(), suppression), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(if known || kinds < MOST_KINDS { (&held.rule, suppression) } else { others })
}

/// What the runs of a component on a node counted, the newest first.
pub(crate) fn of_component(
    state: &Connection,
    publisher: &Publisher,
    component: &str,
) -> rusqlite::Result<Vec<HeldRecord>> {
    let mut statement = state.prepare_cached(
        "SELECT h.rule, h.reason, h.suppression, total(h.count), min(h.since), max(h.until)
         FROM sources s JOIN held_alerts h ON h.source = s.id
         WHERE s.cluster = ?1 AND s.node = ?2 AND coalesce(s.component, '') = ?3
         GROUP BY h.rule, h.reason, h.suppression
         ORDER BY max(h.until) DESC, h.rule, h.reason, h.suppression LIMIT ?4",
    )?;
    let key = (&publisher.cluster, &publisher.node, component, LISTED);
    let rows = statement.query_map(key, |row| {
        let suppression: String = row.get(2)?;
        Ok(HeldRecord {
            rule: row.get(0)?,
            reason: row.get(1)?,
            suppression: Some(suppression).filter(|name| !name.is_empty()),
            count: super::sensors::whole(row.get(3)?),
            since: timestamp(row.get(4)?),
            until: timestamp(row.get(5)?),
        })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::alert_query;
    use crate::store::alerts::{Origin, insert};
    use crate::store::testing::{self, alert, publisher};
    use event_model::{Alert, Priority};

    const SOURCE: SourceRow = SourceRow(1);

    fn stored(state: &Connection, rule: &str) -> Alert {
        let publisher = publisher();
        let received_at = Timestamp::now();
        let origin = Origin { publisher: &publisher, source: SOURCE, sequence: 1, received_at };
        let alert = alert(rule, Priority::Notice, None);
        assert!(insert(state, &origin, &alert).unwrap());
        alert
    }

    fn held(rule: &str, reason: HeldReason, count: u64, until: u64) -> HeldAlerts {
        HeldAlerts {
            rule: rule.to_owned(),
            reason,
            count,
            since: Timestamp(until - 1),
            until: Timestamp(until),
        }
    }

    fn counts(state: &Connection, alert: &Alert) -> HeldCounts {
        alert_query::by_id(state, alert.id).unwrap().unwrap().held
    }

    #[test]
    fn counts_are_added_to_the_alert_that_stands_for_them() {
        let (_folder, state) = testing::state();
        let (first, other) = (stored(&state, "R"), stored(&state, "R"));
        let repeated = HeldReason::Repeated { alert: first.id };
        let limited = HeldReason::RateLimited { alert: first.id };
        for (reason, count, until) in
            [(repeated.clone(), 4, 20), (limited, 7, 30), (repeated, 1, 25)]
        {
            add(&state, SOURCE, &held("R", reason, count, until)).unwrap();
        }
        let expected = HeldCounts { repeated: 5, rate_limited: 7, until: Some(Timestamp(30)) };
        assert_eq!(counts(&state, &first), expected);
        assert_eq!(counts(&state, &other), HeldCounts::default());
    }

    #[test]
    fn nobody_counts_for_an_alert_of_another_source() {
        let (_folder, state) = testing::state();
        let alert = stored(&state, "R");
        let reason = HeldReason::Repeated { alert: alert.id };
        add(&state, SourceRow(2), &held("R", reason, 4, 20)).unwrap();
        assert_eq!(counts(&state, &alert), HeldCounts::default());
    }

    #[test]
    fn a_sender_that_invents_names_or_counts_fills_no_table_and_overflows_nothing() {
        let (_folder, state) = testing::state();
        let suppressed = |name: String| HeldReason::Suppressed { suppression: name };
        for number in 0..MOST_KINDS + 100 {
            let reason = suppressed(format!("S{number}"));
            add(&state, SOURCE, &held("R", reason, 1, 9)).unwrap();
        }
        let long = "x".repeat(10_000);
        add(&state, SOURCE, &held(&long, suppressed(long.clone()), u64::MAX, 9)).unwrap();
        let (rows, most): (u32, i64) = state
            .query_row("SELECT count(*), max(count) FROM held_alerts", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!((rows, most), (MOST_KINDS + 1, i64::MAX));
    }
}
