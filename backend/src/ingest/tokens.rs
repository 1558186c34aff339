//! Bearer tokens (RFC 6750) of publishers that have no certificate, or whose certificate a proxy keeps from us. The
//! backend holds their hashes only.

use super::identity::{self, ANY_NODE, Credential};
use crate::hexadecimal;
use crate::store::Publisher;
use arc_swap::ArcSwap;
use event_model::Timestamp;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use serde::Deserialize;
use server_credentials::follow;
use service_runtime::read_bounded_text;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Some ten thousand tokens.
const LARGEST_FILE: u64 = 4 << 20;

type Digest = [u8; SHA256_OUTPUT_LEN];

/// The tokens that count, as their file says.
pub(super) struct Tokens {
    path: PathBuf,
    table: ArcSwap<Vec<Known>>,
    changes: watch::Sender<()>,
}

/// A token that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    digest: Digest,
    pub(super) credential: Credential,
}

/// A file of tokens that can't be used, with the way out.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum TokensError {
    #[error("cannot read ingest.tokens_file {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("ingest.tokens_file {}: {problem}", path.display())]
    Format { path: PathBuf, problem: String },
    #[error("ingest.tokens_file {}: tokens[{place}].{key} {problem}", path.display())]
    Entry { path: PathBuf, place: usize, key: &'static str, problem: &'static str },
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unknown,
    Expired,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    tokens: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The cluster that its holders speak for.
    cluster: String,
    /// The node, where it is one's alone.
    node: Option<String>,
    /// Of the token without a line's end, in hexadecimal digits.
    sha256: String,
    /// RFC 3339.
    expires: Option<jiff::Timestamp>,
}

impl Tokens {
    /// Reads the file for the first time.
    pub(super) fn read(path: &Path) -> Result<Self, TokensError> {
        let table = ArcSwap::from_pointee(load(path)?);
        Ok(Self { path: path.to_owned(), table, changes: watch::Sender::new(()) })
    }

    /// What is known of this token. The time that it takes tells how many tokens there are, and no more.
    pub(super) fn find(&self, presented: &str) -> Result<Known, Refusal> {
        let presented = digest(&SHA256, presented.as_bytes());
        let table = self.table.load();
        let mut found = None;
        for known in table.iter() {
            if known.digest.ct_eq(presented.as_ref()).into() {
                found = Some(known);
            }
        }
        let known = found.ok_or(Refusal::Unknown)?;
        if known.credential.valid_until <= Timestamp::now() {
            return Err(Refusal::Expired);
        }
        Ok(known.clone())
    }

    /// Resolves when a token counts no more as it did: it was taken out of the file, replaced, or says another thing.
    pub(super) async fn withdrawn(&self, token: &Known) {
        let mut changes = self.changes.subscribe();
        while self.table.load().iter().any(|known| known == token) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Follows the file until shutdown. While it can't be used, what was read last stays.
    pub(super) async fn follow(&self, shutdown: CancellationToken) {
        follow("tokens of publishers", &self.path, shutdown, || self.look()).await;
    }

    fn look(&self) -> Result<bool, TokensError> {
        let table = load(&self.path)?;
        let has_changed = table != **self.table.load();
        if has_changed {
            self.table.store(table.into());
            self.changes.send_replace(());
        }
        Ok(has_changed)
    }
}

fn load(path: &Path) -> Result<Vec<Known>, TokensError> {
    let unreadable = |source| TokensError::Read { path: path.to_owned(), source };
    let text = read_bounded_text(path, LARGEST_FILE).map_err(unreadable)?;
    parse(&text, path)
}

/// What the holders of a file's tokens may say that they are; `path` is where problems are told to be.
pub fn holders(text: &str, path: &Path) -> Result<Vec<Credential>, TokensError> {
    Ok(parse(text, path)?.into_iter().map(|known| known.credential).collect())
}

/// What a file of tokens says; `path` is where problems are told to be.
fn parse(text: &str, path: &Path) -> Result<Vec<Known>, TokensError> {
    let document: Document = serde_saphyr::from_str(text).map_err(|error| TokensError::Format {
        path: path.to_owned(),
        problem: error.to_string(),
    })?;
    check(document, path)
}

fn check(document: Document, path: &Path) -> Result<Vec<Known>, TokensError> {
    let mut seen = HashSet::new();
    let mut table = Vec::with_capacity(document.tokens.len());
    for (place, entry) in document.tokens.into_iter().enumerate() {
        let wrong =
            |(key, problem)| TokensError::Entry { path: path.to_owned(), place, key, problem };
        let known = entry.check().map_err(wrong)?;
        if !seen.insert(known.digest) {
            return Err(wrong(("sha256", "is that of another token too: each is one holder's")));
        }
        table.push(known);
    }
    Ok(table)
}

impl Entry {
    fn check(self) -> Result<Known, (&'static str, &'static str)> {
        const NO_NAME: &str = "must be 1 to 253 letters, digits, '.', '-' and '_'";
        let node = self.node.as_deref().unwrap_or(ANY_NODE);
        if !identity::valid(&self.cluster) {
            return Err(("cluster", NO_NAME));
        }
        if !identity::valid(node) {
            return Err(("node", NO_NAME));
        }
        let digest = hexadecimal::decode(&self.sha256.to_ascii_lowercase());
        let digest = digest.and_then(|bytes| Digest::try_from(bytes).ok()).ok_or((
            "sha256",
            "must be 64 hexadecimal digits; get them by: tr -d '\\n' < token | sha256sum",
        ))?;
        let expires = self.expires.map_or(i128::MAX, jiff::Timestamp::as_nanosecond);
        let valid_until = Timestamp(u64::try_from(expires.max(0)).unwrap_or(u64::MAX));
        let certified = Publisher { cluster: self.cluster.as_str().into(), node: node.into() };
        Ok(Known { digest, credential: Credential { certified, valid_until, certificate: None } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "dGhpcyBpcyBhIHRlc3Q=";

    fn sha256_of(token: &str) -> String {
        hexadecimal::encode(digest(&SHA256, token.as_bytes()).as_ref())
    }

    fn read(text: &str) -> Result<Tokens, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.yaml");
        std::fs::write(&path, text).unwrap();
        Tokens::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_says_who_its_holder_is() {
        let text = format!("tokens:\n- {{ cluster: edge-7, sha256: {} }}\n", sha256_of(TOKEN));
        let tokens = read(&text).unwrap();
        let credential = tokens.find(TOKEN).unwrap().credential;
        assert_eq!(credential.certified.to_string(), "edge-7/any");
        assert_eq!(credential.publisher("node-1").unwrap().to_string(), "edge-7/node-1");
        for other in ["", "dGhpcyBpcyBhIHRlc3Q", "dGhpcyBpcyBhIHRlc3Q=\n", &sha256_of(TOKEN)] {
            assert_eq!(tokens.find(other), Err(Refusal::Unknown), "{other:?}");
        }
    }

    #[test]
    fn the_published_hash_is_that_of_sha256sum() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of("abc"), abc);
    }

    #[test]
    fn a_token_of_a_node_is_believed_over_its_holder_and_ends_when_it_says() {
        let entry = |expires: &str| {
            let hash = sha256_of(TOKEN);
            format!("tokens: [{{ cluster: c, node: n, sha256: {hash}, expires: '{expires}' }}]")
        };
        let tokens = read(&entry("2999-01-01T00:00:00Z")).unwrap();
        let credential = tokens.find(TOKEN).unwrap().credential;
        assert_eq!(credential.publisher("another").unwrap().to_string(), "c/n");
        let tokens = read(&entry("2020-01-01T00:00:00Z")).unwrap();
        assert_eq!(tokens.find(TOKEN), Err(Refusal::Expired));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let hash = sha256_of(TOKEN);
        for (text, expected) in [
            ("tokens: [{ cluster: 'a b', sha256: '' }]".to_owned(), "tokens[0].cluster"),
            ("tokens: [{ cluster: a, sha256: abc }]".to_owned(), "tokens[0].sha256"),
            (format!("tokens: [{{ cluster: a, token: {hash} }}]"), "token"),
            (
                format!("tokens: [{{cluster: a, sha256: {hash}}}, {{cluster: b, sha256: {hash}}}]"),
                "tokens[1].sha256 is that of another",
            ),
            (format!("tokens: [{{ cluster: a, node: '/', sha256: {hash} }}]"), "tokens[0].node"),
            ("nothing".to_owned(), "tokens.yaml"),
        ] {
            let error = read(&text).err().unwrap_or_else(|| panic!("taken: {text}"));
            assert!(error.contains(expected), "{error}");
        }
    }
}
