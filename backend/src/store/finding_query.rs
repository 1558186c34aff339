//! Findings and facts of clusters, as lists.

use super::alert_query::{QueryError, optional_body};
use super::body::Body;
use super::conditions::Conditions;
use super::error::StoreError;
use super::page::{List, Page};
use super::timestamp;
use event_model::{
    ClusterFacts, Finding, FindingSeverity, FindingSource, InventoryItem, Timestamp,
};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use uuid::Uuid;

/// Which findings to list. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingFilter {
    /// Of this cluster.
    pub cluster: Option<String>,
    /// Of these sources; empty: all.
    pub sources: Vec<FindingSource>,
    /// Of this policy.
    pub policy: Option<String>,
    /// Of these severities; empty: all.
    pub severities: Vec<FindingSeverity>,
    /// Of an object of this kind.
    pub kind: Option<String>,
    /// Of an object in this namespace.
    pub namespace: Option<String>,
    /// Of an object of this name.
    pub name: Option<String>,
    /// Of the object of this uid.
    pub uid: Option<String>,
    /// That are resolved (true), or open (false).
    pub resolved: Option<bool>,
}

/// A finding's place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingCursor {
    /// Its severity.
    pub severity: i64,
    /// Its number.
    pub number: i64,
}

/// A finding, and since when until when it was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingRecord {
    /// The cluster.
    pub cluster: String,
    /// Its id: the same each time that it is found.
    pub id: Uuid,
    /// The finding as it was told last.
    pub finding: Finding,
    /// When it was first told.
    pub first_seen: Timestamp,
    /// When it was last told to be there.
    pub last_seen: Timestamp,
    /// When it was found to be no more; None: it is open.
    pub resolved_at: Option<Timestamp>,
}

/// What a cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRecord {
    /// Its name, as publishers' certificates say.
    pub cluster: String,
    /// What its collector told.
    pub facts: ClusterFacts,
    /// When it was first told.
    pub first_seen: Timestamp,
    /// When it was last told.
    pub last_seen: Timestamp,
    /// Open findings of each severity that there are any of, the worst first.
    pub open_findings: Vec<(FindingSeverity, u64)>,
}

/// Findings that match, the worst first, from the one after `after`.
pub(crate) fn page(
    state: &Connection,
    filter: &FindingFilter,
    after: Option<&FindingCursor>,
    limit: usize,
) -> Result<Page<FindingRecord, FindingCursor>, QueryError> {
    let list = List {
        select: "SELECT severity, number, cluster, id, first_seen, seen, resolved_at, body FROM findings",
        conditions: conditions(filter, after),
        order: "ORDER BY severity DESC, number DESC",
    };
    let place = |row: &Row<'_>| Ok(FindingCursor { severity: row.get(0)?, number: row.get(1)? });
    list.page(state, limit, place, read_row)
}

fn conditions(filter: &FindingFilter, after: Option<&FindingCursor>) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.add_some("cluster = ?", filter.cluster.clone());
    let sources = filter.sources.iter().map(|source| Value::Text(source.name().to_owned()));
    conditions.add_any_of("source", sources);
    conditions.add_some("policy = ?", filter.policy.clone());
    let severities = filter.severities.iter().map(|severity| Value::Integer(*severity as i64));
    conditions.add_any_of("severity", severities);
    conditions.add_some("kind = ?", filter.kind.clone());
    conditions.add_some("namespace = ?", filter.namespace.clone());
    conditions.add_some("name = ?", filter.name.clone());
    conditions.add_some("object_uid = ?", filter.uid.clone());
    conditions.add_some("(resolved_at IS NOT NULL) = ?", filter.resolved.map(i64::from));
    if let Some(FindingCursor { severity, number }) = after {
        let place = [*severity, *number].map(Value::Integer);
        conditions.add("(severity, number) < (?, ?)", place);
    }
    conditions
}

fn read_row(row: &Row<'_>) -> Result<(FindingRecord, usize), QueryError> {
    let body = row.get_ref(7)?.as_blob().map_err(rusqlite::Error::from)?;
    let InventoryItem::Finding(finding) = InventoryItem::decode(body)? else {
        return Err(StoreError::Record("no finding".to_owned()).into());
    };
    let id: Vec<u8> = row.get(3)?;
    let record = FindingRecord {
        cluster: row.get(2)?,
        id: Uuid::from_slice(&id).unwrap_or_default(),
        finding: *finding,
        first_seen: timestamp(row.get(4)?),
        last_seen: timestamp(row.get(5)?),
        resolved_at: row.get::<_, Option<i64>>(6)?.map(timestamp),
    };
    Ok((record, body.len()))
}

/// All clusters that told what they are, by their names: there are few.
pub(crate) fn clusters(state: &Connection) -> Result<Vec<ClusterRecord>, QueryError> {
    let mut statement = state
        .prepare_cached("SELECT cluster, first_seen, seen, body FROM clusters ORDER BY cluster")?;
    let mut rows = statement.query([])?;
    let mut clusters = Vec::new();
    while let Some(row) = rows.next()? {
        let facts = match optional_body(row, 3)? {
            Some(InventoryItem::Cluster(facts)) => facts,
            _ => ClusterFacts::default(),
        };
        let cluster: String = row.get(0)?;
        clusters.push(ClusterRecord {
            facts,
            first_seen: timestamp(row.get(1)?),
            last_seen: timestamp(row.get(2)?),
            open_findings: open_findings(state, &cluster)?,
            cluster,
        });
    }
    Ok(clusters)
}

fn open_findings(
    state: &Connection,
    cluster: &str,
) -> rusqlite::Result<Vec<(FindingSeverity, u64)>> {
    let mut statement = state.prepare_cached(
        "SELECT severity, count(*) FROM findings WHERE cluster = ?1 AND resolved_at IS NULL
         GROUP BY severity ORDER BY severity DESC",
    )?;
    let rows = statement.query_map([cluster], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let counts = rows.collect::<rusqlite::Result<Vec<(usize, u64)>>>()?;
    let known = |(number, count)| Some((*FindingSeverity::ALL.get(number)?, count));
    Ok(counts.into_iter().filter_map(known).collect())
}
