//! What is known of tokens, certificates and nodes, in memory: whoever connects is asked for here, and whoever
//! guesses tokens costs no query. The store holds the same; it is changed first.

use super::refusal::Refusal;
use super::token::BootstrapToken;
use super::{Asker, ExistingNodes, LONGEST_SHOWN};
use crate::hexadecimal;
use crate::ingest::{self, Credential};
use crate::store::enrolment::Kept;
use crate::store::{EnrolmentRecord, Publisher, TokenRecord};
use event_model::Timestamp;
use std::collections::{HashMap, HashSet};

/// Certificates that are known at a time, by each of which a publisher could connect.
const MOST_CERTIFICATES: usize = 100_000;

/// Kinds of enrolments, in records and metrics.
const BY_TOKEN: &str = "token";
pub(super) const REPLACEMENT: &str = "replacement";
const RENEWAL: &str = "renewal";

/// Why certificates are denied.
pub(super) const REPLACED: &str = "replaced";
pub(super) const REVOKED: &str = "revoked";

/// The value of the `kind` label in metrics.
pub(super) fn kind(kind: &str) -> &'static str {
    [REPLACEMENT, RENEWAL].into_iter().find(|one| *one == kind).unwrap_or(BY_TOKEN)
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Known {
    tokens: HashMap<String, TokenRecord>,
    /// By serial number.
    certificates: HashMap<Vec<u8>, EnrolmentRecord>,
    /// The serial numbers of each node's.
    of_node: HashMap<Publisher, Vec<Vec<u8>>>,
    barred: HashSet<Publisher>,
}

/// What is to be issued.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) publisher: Publisher,
    pub(super) token: String,
    pub(super) kind: &'static str,
    /// Certificates that are denied from then on.
    pub(super) replaces: Vec<Vec<u8>>,
}

impl Known {
    pub(super) fn of(kept: Kept) -> Self {
        let mut known = Self { barred: kept.barred.into_iter().collect(), ..Self::default() };
        known.set_tokens(kept.tokens);
        kept.certificates.into_iter().for_each(|record| known.insert(record));
        known
    }

    pub(super) fn set_tokens(&mut self, tokens: Vec<TokenRecord>) {
        self.tokens = tokens.into_iter().map(|token| (token.id.clone(), token)).collect();
    }

    pub(super) fn has_token(&self, id: &str) -> bool {
        self.tokens.contains_key(id)
    }

    /// Whom a token would enrol, where it is good. Only who has the secret is told more than that it is not.
    pub(super) fn publisher(
        &self,
        token: &BootstrapToken,
        cluster: &str,
        node: &str,
        now: Timestamp,
    ) -> Result<Publisher, Refusal> {
        let kept = self.tokens.get(token.id());
        let is_right = token.matches(kept.map(|kept| &kept.secret_hash));
        let Some(kept) = kept.filter(|_| is_right) else { return Err(Refusal::Token) };
        usable(kept, now)?;
        if !cluster.is_empty() && cluster != kept.cluster {
            return Err(Refusal::OtherCluster {
                id: kept.id.clone(),
                token: kept.cluster.clone(),
                cluster: shown(cluster),
            });
        }
        if !ingest::is_node_name(node) {
            return Err(Refusal::Node(shown(node)));
        }
        Ok(Publisher { cluster: kept.cluster.as_str().into(), node: node.into() })
    }

    /// Whether an asker gets a certificate, at the moment when it is to be issued.
    pub(super) fn decide(
        &mut self,
        asker: &Asker,
        existing_nodes: ExistingNodes,
        now: Timestamp,
    ) -> Result<Decision, Refusal> {
        if !self.has_room(now) {
            return Err(Refusal::TooMany(MOST_CERTIFICATES));
        }
        match asker {
            Asker::Token(token, publisher) => {
                let kept = self.tokens.get(token.id()).ok_or(Refusal::Token)?;
                usable(kept, now)?;
                self.decide_by_token(&kept.id, publisher, existing_nodes, now)
            }
            Asker::Certificate(shown) => {
                let shown = self.certificates.get(&shown.serial).unwrap_or(shown);
                believed(shown)?;
                Ok(Decision {
                    publisher: shown.publisher.clone(),
                    token: shown.token.clone(),
                    kind: RENEWAL,
                    replaces: Vec::new(),
                })
            }
        }
    }

    fn decide_by_token(
        &self,
        token: &str,
        publisher: &Publisher,
        existing_nodes: ExistingNodes,
        now: Timestamp,
    ) -> Result<Decision, Refusal> {
        if self.barred.contains(publisher) {
            return Err(Refusal::Barred(publisher.clone()));
        }
        let serials = self.of_node.get(publisher).into_iter().flatten();
        let records = serials.filter_map(|serial| self.certificates.get(serial));
        let living: Vec<_> = records.filter(|record| is_living(record, now)).collect();
        let until = living.iter().map(|record| record.not_after).max();
        if let (ExistingNodes::Refuse, Some(until)) = (existing_nodes, until) {
            return Err(Refusal::ExistingNode { publisher: publisher.clone(), until });
        }
        Ok(Decision {
            publisher: publisher.clone(),
            token: token.to_owned(),
            kind: if living.is_empty() { BY_TOKEN } else { REPLACEMENT },
            replaces: living.iter().map(|record| record.serial.clone()).collect(),
        })
    }

    /// The record of a certificate that may be believed.
    pub(super) fn admit(&self, credential: &Credential) -> Result<&EnrolmentRecord, Refusal> {
        let name = credential.certificate.as_ref().ok_or(Refusal::NoCertificate)?;
        let serial = &*name.serial;
        let record = self.certificates.get(serial).ok_or_else(|| Refusal::Unknown {
            serial: hexadecimal::encode(serial),
            publisher: credential.certified.clone(),
        })?;
        believed(record)?;
        Ok(record)
    }

    /// Takes note of a certificate that was issued, and of those that it replaces.
    pub(super) fn note(&mut self, record: EnrolmentRecord, replaces: &[Vec<u8>], now: Timestamp) {
        if record.kind != RENEWAL
            && let Some(token) = self.tokens.get_mut(&record.token)
        {
            token.uses = token.uses.saturating_add(1);
        }
        self.deny(replaces, now, REPLACED);
        self.insert(record);
    }

    /// The serial numbers of certificates that may be believed.
    pub(super) fn living(
        &self,
        which: impl Fn(&EnrolmentRecord) -> bool,
        now: Timestamp,
    ) -> Vec<Vec<u8>> {
        let living =
            self.certificates.values().filter(|record| is_living(record, now) && which(record));
        living.map(|record| record.serial.clone()).collect()
    }

    pub(super) fn deny(&mut self, serials: &[Vec<u8>], now: Timestamp, because: &str) {
        for serial in serials {
            if let Some(record) = self.certificates.get_mut(serial) {
                record.denied.get_or_insert((now, because.to_owned()));
            }
        }
    }

    pub(super) fn bar(&mut self, publisher: Publisher) {
        self.barred.insert(publisher);
    }

    pub(super) fn unbar(&mut self, publisher: &Publisher) -> bool {
        self.barred.remove(publisher)
    }

    fn insert(&mut self, record: EnrolmentRecord) {
        self.of_node.entry(record.publisher.clone()).or_default().push(record.serial.clone());
        self.certificates.insert(record.serial.clone(), record);
    }

    /// Whether another certificate finds room. Where there are many, those that nobody is let in with are
    /// forgotten: they are refused as unknown then.
    fn has_room(&mut self, now: Timestamp) -> bool {
        if self.certificates.len() < MOST_CERTIFICATES {
            return true;
        }
        self.certificates.retain(|_, record| is_living(record, now));
        let certificates = &self.certificates;
        self.of_node.retain(|_, serials| {
            serials.retain(|serial| certificates.contains_key(serial));
            !serials.is_empty()
        });
        self.certificates.len() < MOST_CERTIFICATES
    }
}

fn is_living(record: &EnrolmentRecord, now: Timestamp) -> bool {
    record.denied.is_none() && record.not_after > now
}

fn believed(record: &EnrolmentRecord) -> Result<(), Refusal> {
    let Some((at, because)) = &record.denied else { return Ok(()) };
    Err(Refusal::Denied {
        serial: hexadecimal::encode(&record.serial),
        publisher: record.publisher.clone(),
        because: because.clone(),
        at: *at,
    })
}

fn usable(token: &TokenRecord, now: Timestamp) -> Result<(), Refusal> {
    let id = token.id.clone();
    if let Some(at) = token.revoked_at {
        return Err(Refusal::TokenRevoked { id, at });
    }
    if token.expires_at <= now {
        return Err(Refusal::TokenExpired { id, at: token.expires_at });
    }
    match token.maximum_uses {
        Some(maximum) if token.uses >= maximum => {
            Err(Refusal::TokenUsedUp { id, uses: token.uses })
        }
        _ => Ok(()),
    }
}

fn shown(name: &str) -> String {
    name.chars().take(LONGEST_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn publisher(node: &str) -> Publisher {
        Publisher { cluster: "c".into(), node: node.into() }
    }

    fn record(number: usize, node: &str, not_after: u64) -> EnrolmentRecord {
        EnrolmentRecord {
            number: 0,
            serial: number.to_be_bytes().to_vec(),
            public_key: [0; 32],
            publisher: publisher(node),
            token: "id".into(),
            kind: BY_TOKEN.into(),
            address: "192.0.2.1".into(),
            issued_at: Timestamp(1),
            not_after: Timestamp(not_after),
            denied: None,
        }
    }

    fn token() -> (BootstrapToken, Known) {
        let token = BootstrapToken::generate().unwrap();
        let kept = TokenRecord {
            id: token.id().to_owned(),
            secret_hash: token.secret_hash(),
            cluster: "c".into(),
            note: String::new(),
            created_at: Timestamp(1),
            expires_at: Timestamp(NOW.0 + 1),
            maximum_uses: Some(1),
            uses: 0,
            revoked_at: None,
        };
        (token, Known::of(Kept { tokens: vec![kept], ..Kept::default() }))
    }

    #[test]
    fn a_token_ends_at_its_moment_and_with_its_last_use() {
        let (token, mut known) = token();
        assert!(known.publisher(&token, "c", "n", NOW).is_ok());
        let later = known.publisher(&token, "c", "n", Timestamp(NOW.0 + 1));
        assert_eq!(later.unwrap_err().reason(), "token_expired");
        let used = EnrolmentRecord { token: token.id().to_owned(), ..record(1, "n", 2_000) };
        let renewal = EnrolmentRecord { kind: RENEWAL.into(), ..used.clone() };
        known.note(renewal, &[], NOW);
        assert!(known.publisher(&token, "c", "n", NOW).is_ok(), "a renewal is no use of it");
        known.note(used, &[], NOW);
        let refused = known.publisher(&token, "c", "n", NOW);
        assert_eq!(refused.unwrap_err().reason(), "token_used_up");
    }

    #[test]
    fn only_certificates_that_would_be_believed_are_replaced() {
        let (token, mut known) = token();
        let gone = EnrolmentRecord { denied: Some((NOW, REVOKED.into())), ..record(2, "n", 2_000) };
        let others = [record(1, "n", NOW.0), gone, record(3, "m", 2_000)];
        for record in others {
            known.note(record, &[], NOW);
        }
        let asker = Asker::Token(token, publisher("n"));
        let decide = |known: &mut Known, existing| known.decide(&asker, existing, NOW);
        let decided = decide(&mut known, ExistingNodes::Refuse).unwrap();
        assert_eq!((decided.kind, decided.replaces.len()), (BY_TOKEN, 0));
        known.note(record(4, "n", 2_000), &[], NOW);
        let decided = decide(&mut known, ExistingNodes::Replace).unwrap();
        assert_eq!(
            (decided.kind, decided.replaces),
            (REPLACEMENT, vec![4_usize.to_be_bytes().to_vec()])
        );
        let refused = decide(&mut known, ExistingNodes::Refuse).unwrap_err();
        assert_eq!(refused.reason(), "existing_node");
        known.bar(publisher("n"));
        assert_eq!(decide(&mut known, ExistingNodes::Replace).unwrap_err().reason(), "barred");
    }

    #[test]
    fn a_flood_of_certificates_is_bounded_and_those_that_ended_make_room() {
        let (token, mut known) = token();
        let asker = Asker::Token(token, publisher("new"));
        for number in 0..MOST_CERTIFICATES {
            known.insert(record(number, &format!("n-{number}"), 2_000));
        }
        let refused = known.decide(&asker, ExistingNodes::Replace, NOW).unwrap_err();
        assert_eq!(refused.reason(), "too_many");
        known.deny(&[7_usize.to_be_bytes().to_vec()], NOW, REVOKED);
        assert!(known.decide(&asker, ExistingNodes::Replace, NOW).is_ok());
        assert_eq!(known.certificates.len(), MOST_CERTIFICATES - 1);
        assert_eq!(known.of_node.len(), MOST_CERTIFICATES - 1);
    }
}
