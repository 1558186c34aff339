//! Bootstrap tokens, the certificates that were issued, and the nodes that get none.

use super::alert_query::QueryError;
use super::page::{Page, PageBuilder};
use super::publisher::Publisher;
use super::{moment, timestamp};
use event_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

/// Records of certificates, and tokens, are kept for so long after their end.
const KEPT_NANOSECONDS: u64 = 30 * 86_400_000_000_000;
/// Beyond the newest so many, records of certificates that nobody is let in with are kept no longer.
const MOST_ENDED: u32 = 200_000;
/// Records that are removed with each certificate that is issued.
const REMOVED_AT_ONCE: u32 = 64;

/// A bootstrap token, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// Names it; no secret.
    pub id: String,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// The only cluster whose nodes it enrols.
    pub cluster: String,
    /// What whoever made it wrote to it.
    pub note: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it enrols nobody.
    pub expires_at: Timestamp,
    /// How many certificates it may bring. None: any number.
    pub maximum_uses: Option<u32>,
    /// How many it brought.
    pub uses: u32,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A certificate that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentRecord {
    /// In the order of issue.
    pub number: i64,
    /// The certificate's serial number.
    pub serial: Vec<u8>,
    /// SHA-256 of its public key's SubjectPublicKeyInfo.
    pub public_key: [u8; 32],
    /// Whose it is.
    pub publisher: Publisher,
    /// The token of the node's first certificate.
    pub token: String,
    /// `token`, `replacement` (by a token, while the node had another) or `renewal`.
    pub kind: String,
    /// From where it was asked for.
    pub address: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Until when it may be believed.
    pub not_after: Timestamp,
    /// Since when it is not believed all the same, and why: `revoked` or `replaced`.
    pub denied: Option<(Timestamp, String)>,
}

/// Which certificates to list. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnrolmentFilter {
    /// Of this cluster.
    pub cluster: Option<String>,
    /// Of this node.
    pub node: Option<String>,
    /// That this token brought, or renewals of such.
    pub token: Option<String>,
}

/// A place in the list: the number of the certificate before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnrolmentCursor(pub i64);

/// All that must be known to let a publisher in or not.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) tokens: Vec<TokenRecord>,
    /// Those that have not expired.
    pub(crate) certificates: Vec<EnrolmentRecord>,
    pub(crate) barred: Vec<Publisher>,
}

/// Reads all that is needed to decide.
pub(crate) fn load(state: &Connection, now: Timestamp) -> rusqlite::Result<Kept> {
    let mut barred = state.prepare("SELECT cluster, node FROM barred_nodes")?;
    let barred =
        barred.query_map([], |row| Ok(Publisher { cluster: row.get(0)?, node: row.get(1)? }))?;
    let mut certificates =
        state.prepare(&format!("SELECT {COLUMNS} FROM enrolments WHERE not_after > ?1"))?;
    let certificates = certificates.query_map([moment(now)], read_enrolment)?;
    Ok(Kept {
        tokens: tokens(state)?,
        certificates: certificates.collect::<rusqlite::Result<_>>()?,
        barred: barred.collect::<rusqlite::Result<_>>()?,
    })
}

/// All bootstrap tokens, the oldest first.
pub(crate) fn tokens(state: &Connection) -> rusqlite::Result<Vec<TokenRecord>> {
    let mut statement = state.prepare_cached(
        "SELECT id, secret_hash, cluster, note, created_at, expires_at, maximum_uses, uses, revoked_at
         FROM bootstrap_tokens ORDER BY created_at, id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(TokenRecord {
            id: row.get(0)?,
            secret_hash: row.get(1)?,
            cluster: row.get(2)?,
            note: row.get(3)?,
            created_at: timestamp(row.get(4)?),
            expires_at: timestamp(row.get(5)?),
            maximum_uses: row.get(6)?,
            uses: row.get(7)?,
            revoked_at: row.get::<_, Option<i64>>(8)?.map(timestamp),
        })
    })?;
    rows.collect()
}

/// Forgets tokens whose end is long ago.
pub(crate) fn forget_tokens(state: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let forget =
        "DELETE FROM bootstrap_tokens WHERE min(expires_at, coalesce(revoked_at, expires_at)) < ?1";
    state.execute(forget, [long_ago(now)]).map(drop)
}

fn long_ago(now: Timestamp) -> i64 {
    moment(Timestamp(now.0.saturating_sub(KEPT_NANOSECONDS)))
}

/// Keeps a new token.
pub(crate) fn put_token(state: &Connection, token: &TokenRecord) -> rusqlite::Result<()> {
    state.execute(
        "INSERT INTO bootstrap_tokens
            (id, secret_hash, cluster, note, created_at, expires_at, maximum_uses, uses, revoked_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, NULL)",
        (
            &token.id,
            token.secret_hash,
            &token.cluster,
            &token.note,
            moment(token.created_at),
            moment(token.expires_at),
            token.maximum_uses,
        ),
    )?;
    Ok(())
}

/// Counts a use of a token.
pub(crate) fn use_token(state: &Connection, id: &str) -> rusqlite::Result<()> {
    state.execute("UPDATE bootstrap_tokens SET uses = uses + 1 WHERE id = ?1", [id]).map(drop)
}

/// Revokes a token; one that is revoked already stays as it was.
pub(crate) fn revoke_token(state: &Connection, id: &str, now: Timestamp) -> rusqlite::Result<()> {
    let revoke = "UPDATE bootstrap_tokens SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1";
    state.execute(revoke, (id, moment(now))).map(drop)
}

/// Whether a certificate was issued to this public key before, as far as is remembered.
pub(crate) fn knows_key(state: &Connection, public_key: &[u8; 32]) -> rusqlite::Result<bool> {
    let found = state
        .prepare_cached("SELECT 1 FROM enrolments WHERE public_key = ?1")?
        .query_row([public_key], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// Takes note of a certificate that is about to be handed out, and gives it its number.
pub(crate) fn put(state: &Connection, record: &EnrolmentRecord) -> rusqlite::Result<i64> {
    let now = record.issued_at;
    state.execute(
        "DELETE FROM enrolments WHERE number IN (
            SELECT number FROM enrolments WHERE not_after < ?1 ORDER BY not_after LIMIT ?2)",
        (long_ago(now), REMOVED_AT_ONCE),
    )?;
    state.execute(
        "DELETE FROM enrolments WHERE number IN (
            SELECT number FROM enrolments
            WHERE number < (SELECT max(number) FROM enrolments) - ?1
                AND (denied_at IS NOT NULL OR not_after < ?2)
            ORDER BY number LIMIT ?3)",
        (MOST_ENDED, moment(now), REMOVED_AT_ONCE),
    )?;
    state.execute(
        "INSERT INTO enrolments
            (serial, public_key, cluster, node, token, kind, address, issued_at, not_after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        (
            &record.serial,
            record.public_key,
            &record.publisher.cluster,
            &record.publisher.node,
            &record.token,
            &record.kind,
            &record.address,
            moment(record.issued_at),
            moment(record.not_after),
        ),
    )?;
    Ok(state.last_insert_rowid())
}

/// Denies a certificate from now on.
pub(crate) fn deny(
    state: &Connection,
    serial: &[u8],
    now: Timestamp,
    because: &str,
) -> rusqlite::Result<()> {
    state
        .prepare_cached(
            "UPDATE enrolments SET denied_at = ?2, denied_because = ?3
             WHERE serial = ?1 AND denied_at IS NULL",
        )?
        .execute((serial, moment(now), because))?;
    Ok(())
}

/// From now on the node gets no certificate.
pub(crate) fn bar(
    state: &Connection,
    Publisher { cluster, node }: &Publisher,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let bar = "INSERT OR IGNORE INTO barred_nodes (cluster, node, barred_at) VALUES (?1, ?2, ?3)";
    state.execute(bar, (cluster, node, moment(now))).map(drop)
}

/// From now on the node may get certificates again.
pub(crate) fn unbar(
    state: &Connection,
    Publisher { cluster, node }: &Publisher,
) -> rusqlite::Result<()> {
    let unbar = "DELETE FROM barred_nodes WHERE cluster = ?1 AND node = ?2";
    state.execute(unbar, (cluster, node)).map(drop)
}

const COLUMNS: &str = "number, serial, public_key, cluster, node, token, kind, address, issued_at, \
    not_after, denied_at, denied_because";

fn read_enrolment(row: &Row<'_>) -> rusqlite::Result<EnrolmentRecord> {
    let denied_at: Option<i64> = row.get(10)?;
    let because: Option<String> = row.get(11)?;
    Ok(EnrolmentRecord {
        number: row.get(0)?,
        serial: row.get(1)?,
        public_key: row.get(2)?,
        publisher: Publisher { cluster: row.get(3)?, node: row.get(4)? },
        token: row.get(5)?,
        kind: row.get(6)?,
        address: row.get(7)?,
        issued_at: timestamp(row.get(8)?),
        not_after: timestamp(row.get(9)?),
        denied: denied_at.map(|at| (timestamp(at), because.unwrap_or_default())),
    })
}

/// Certificates that match, the newest first, from the one after `after`.
pub(crate) fn page(
    state: &Connection,
    filter: &EnrolmentFilter,
    after: Option<EnrolmentCursor>,
    limit: usize,
) -> Result<Page<EnrolmentRecord, EnrolmentCursor>, QueryError> {
    let page = PageBuilder::new(limit);
    let mut statement = state.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM enrolments
         WHERE (?1 IS NULL OR cluster = ?1) AND (?2 IS NULL OR node = ?2)
            AND (?3 IS NULL OR token = ?3) AND (?4 IS NULL OR number < ?4)
         ORDER BY number DESC LIMIT ?5"
    ))?;
    let rows = statement.query((
        &filter.cluster,
        &filter.node,
        &filter.token,
        after.map(|after| after.0),
        page.rows_wanted(),
    ))?;
    page.fill(rows, |row| row.get(0).map(EnrolmentCursor), |row| Ok((read_enrolment(row)?, 0)))
}
