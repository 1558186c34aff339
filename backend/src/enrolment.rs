//! How nodes get their certificates: by a bootstrap token the first, by the one before each further.
//!
//! A request comes to `service`, on the port where publishers connect. `token` and `request` read what it brings,
//! `known` decides, `authority` signs; what was decided is durable in the store before anybody hears of it.
//! Each connection of a publisher is then asked for here too: a certificate that is denied is refused at once,
//! and ends the streams that were opened with it.

mod authority;
mod command_line;
mod config;
mod failures;
mod known;
mod refusal;
mod request;
mod service;
mod token;

pub use command_line::run as run_command;
pub use config::{AuthorityConfig, EnrolmentConfig, ExistingNodes};
pub use request::{RequestError, key_hash};
pub(crate) use service::EnrolmentService;

use crate::ingest::Credential;
use crate::store::enrolment as kept;
use crate::store::{EnrolmentRecord, Intake, Publisher, StoreError, TokenRecord};
use anyhow::Context;
use authority::{Authority, Issued};
use event_model::Timestamp;
use failures::Failures;
use known::Known;
use refusal::Refusal;
use request::PublicKey;
use rusqlite::{Connection, TransactionBehavior};
use rustls_pki_types::CertificateDer;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use token::BootstrapToken;
use tokio::sync::watch;

/// Bootstrap tokens that are kept at a time, expired ones among them.
const MOST_TOKENS: usize = 1000;

/// Enrols nodes, and knows which certificates may be believed.
pub struct Enrolment {
    authority: Authority,
    life: Duration,
    existing_nodes: ExistingNodes,
    intake: Intake,
    known: Mutex<Known>,
    /// Tells that certificates were denied.
    denials: watch::Sender<()>,
    failures: Failures,
}

/// Who asks for a certificate, proven.
enum Asker {
    /// By a bootstrap token, for this node of the token's cluster.
    Token(BootstrapToken, Publisher),
    /// By its certificate.
    Certificate(EnrolmentRecord),
}

/// What a new token is to be good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewToken {
    pub(crate) cluster: String,
    pub(crate) note: String,
    pub(crate) life: Duration,
    pub(crate) maximum_uses: Option<u32>,
}

/// A token that cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NewTokenError {
    #[error("{0:?} is no cluster's name: letters, digits, '.', '-' and '_'")]
    Cluster(String),
    #[error(
        "there are {MOST_TOKENS} tokens: they are forgotten 30 days after they expired or were revoked"
    )]
    TooMany,
    #[error(transparent)]
    Random(#[from] token::NoRandomness),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Enrolment {
    /// Opens the authority, and reads what was decided before. None where enrolment is off.
    pub(crate) async fn open(
        config: &EnrolmentConfig,
        directory: &Path,
        intake: Intake,
    ) -> anyhow::Result<Option<Arc<Self>>> {
        if !config.enabled {
            return Ok(None);
        }
        let authority = Authority::open(&config.authority, directory)
            .context("enrolment.authority cannot be used")?;
        let kept = intake.change(|state| kept::load(state, Timestamp::now())).await?;
        Ok(Some(Arc::new(Self {
            authority,
            life: config.certificate_life(),
            existing_nodes: config.existing_nodes,
            intake,
            known: Mutex::new(Known::of(kept)),
            denials: watch::Sender::new(()),
            failures: Failures::default(),
        })))
    }

    /// The authority's certificate: what it signed is believed of clients.
    pub(crate) fn authority(&self) -> CertificateDer<'static> {
        self.authority.certificate()
    }

    /// Whether the holder of a certificate that was verified may come in. What other authorities issued always may.
    pub(crate) fn admit(&self, credential: &Credential) -> Result<(), Refusal> {
        if !self.has_issued(credential) {
            return Ok(());
        }
        self.known().admit(credential).map(drop)
    }

    /// Whether a certificate says who the holder is, and names this authority as its issuer.
    fn has_issued(&self, credential: &Credential) -> bool {
        let certificate = credential.certificate.as_ref();
        certificate.is_some_and(|certificate| self.authority.is_issuer(&certificate.issuer))
    }

    /// Resolves when the holder of a certificate must leave.
    pub(crate) async fn denied(&self, credential: &Credential) -> Refusal {
        let mut denials = self.denials.subscribe();
        loop {
            if let Err(refusal) = self.admit(credential) {
                return refusal;
            }
            if denials.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Issues a node's first certificate, or its first after it lost the one before.
    async fn enrol(
        self: &Arc<Self>,
        token: &str,
        cluster: &str,
        node: &str,
        request: &[u8],
        address: SocketAddr,
    ) -> Result<Issued, Refusal> {
        let token = BootstrapToken::parse(token).ok_or(Refusal::Token)?;
        let publisher = self.known().publisher(&token, cluster, node, Timestamp::now())?;
        let key = PublicKey::of_request(request)?;
        self.issue(Asker::Token(token, publisher), key, address).await
    }

    /// Issues the certificate that follows the one that was shown.
    async fn renew(
        self: &Arc<Self>,
        credential: &Credential,
        node: &str,
        request: &[u8],
        address: SocketAddr,
    ) -> Result<Issued, Refusal> {
        if !self.has_issued(credential) {
            return Err(Refusal::Foreign);
        }
        let shown = self.known().admit(credential)?.clone();
        if *shown.publisher.node != *node {
            let says = node.chars().take(LONGEST_SHOWN).collect();
            return Err(Refusal::OtherNode { publisher: shown.publisher, says });
        }
        let key = PublicKey::of_request(request)?;
        self.issue(Asker::Certificate(shown), key, address).await
    }

    async fn issue(
        self: &Arc<Self>,
        asker: Asker,
        key: PublicKey,
        address: SocketAddr,
    ) -> Result<Issued, Refusal> {
        let enrolment = Arc::clone(self);
        // The store makes one change after another, also where the asker has gone: so what is known stays what is kept.
        let issue = move |state: &mut Connection| enrolment.issue_in(state, &asker, &key, address);
        self.intake.change(issue).await?
    }

    fn issue_in(
        &self,
        state: &mut Connection,
        asker: &Asker,
        key: &PublicKey,
        address: SocketAddr,
    ) -> rusqlite::Result<Result<Issued, Refusal>> {
        let now = Timestamp::now();
        let transaction = state.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if kept::knows_key(&transaction, &key.hash())? {
            return Ok(Err(Refusal::Replayed));
        }
        let decided = self.known().decide(asker, self.existing_nodes, now);
        let known::Decision { publisher, token, kind, replaces } = match decided {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let issued = match self.authority.issue(&publisher, key.key(), self.life, now) {
            Ok(issued) => issued,
            Err(error) => return Ok(Err(error.into())),
        };
        let mut record = EnrolmentRecord {
            number: 0,
            serial: issued.serial.to_vec(),
            public_key: key.hash(),
            publisher,
            token,
            kind: kind.to_owned(),
            address: address.ip().to_canonical().to_string(),
            issued_at: now,
            not_after: issued.not_after,
            denied: None,
        };
        if let Asker::Token(token, _) = asker {
            kept::use_token(&transaction, token.id())?;
        }
        record.number = kept::put(&transaction, &record)?;
        for serial in &replaces {
            kept::deny(&transaction, serial, now, known::REPLACED)?;
        }
        transaction.commit()?;
        Self::tell(&record, replaces.len());
        self.known().note(record, &replaces, now);
        if !replaces.is_empty() {
            self.denials.send_replace(());
        }
        Ok(Ok(issued))
    }

    fn tell(record: &EnrolmentRecord, replaced: usize) {
        let EnrolmentRecord { publisher, token, kind, address, not_after, .. } = record;
        metrics::counter!("defender_enrolments_total", "kind" => known::kind(kind)).increment(1);
        if kind == known::REPLACEMENT {
            tracing::warn!(%publisher, token, address, replaced, %not_after,
                "a node that had a valid certificate got another by a bootstrap token: was it installed anew?");
        } else {
            tracing::info!(%publisher, token, address, kind, %not_after, "certificate issued");
        }
    }

    /// Makes a bootstrap token. It is shown this once.
    pub(crate) async fn create_token(
        self: &Arc<Self>,
        wanted: NewToken,
    ) -> Result<(TokenRecord, String), NewTokenError> {
        if !crate::ingest::is_name(&wanted.cluster) {
            return Err(NewTokenError::Cluster(wanted.cluster));
        }
        let token = BootstrapToken::generate()?;
        let now = Timestamp::now();
        let life = u64::try_from(wanted.life.as_nanos()).unwrap_or(u64::MAX);
        let record = TokenRecord {
            id: token.id().to_owned(),
            secret_hash: token.secret_hash(),
            cluster: wanted.cluster,
            note: wanted.note,
            created_at: now,
            expires_at: Timestamp(now.0.saturating_add(life)),
            maximum_uses: wanted.maximum_uses,
            uses: 0,
            revoked_at: None,
        };
        let enrolment = Arc::clone(self);
        let (kept_record, put) = (record.clone(), record.clone());
        let change = move |state: &mut Connection| {
            kept::forget_tokens(state, now)?;
            if kept::tokens(state)?.len() >= MOST_TOKENS {
                return Ok(false);
            }
            kept::put_token(state, &put)?;
            enrolment.known().set_tokens(kept::tokens(state)?);
            Ok(true)
        };
        if !self.intake.change(change).await? {
            return Err(NewTokenError::TooMany);
        }
        let (id, cluster) = (&record.id, &record.cluster);
        tracing::info!(token = id, cluster, expires_at = %record.expires_at, "bootstrap token created");
        Ok((kept_record, token.reveal()))
    }

    /// Revokes a token and, where asked, the certificates that came of it. Tells how many those were; None where
    /// there is no such token.
    pub(crate) async fn revoke_token(
        self: &Arc<Self>,
        id: String,
        with_certificates: bool,
    ) -> Result<Option<usize>, StoreError> {
        let enrolment = Arc::clone(self);
        self.intake
            .change(move |state| {
                if !enrolment.known().has_token(&id) {
                    return Ok(None);
                }
                let now = Timestamp::now();
                let serials = if with_certificates {
                    enrolment.known().living(|record| record.token == id, now)
                } else {
                    Vec::new()
                };
                let transaction = state.transaction()?;
                kept::revoke_token(&transaction, &id, now)?;
                for serial in &serials {
                    kept::deny(&transaction, serial, now, known::REVOKED)?;
                }
                let tokens = kept::tokens(&transaction)?;
                transaction.commit()?;
                enrolment.known().set_tokens(tokens);
                enrolment.deny(&serials, now);
                tracing::warn!(token = id, certificates = serials.len(), "bootstrap token revoked");
                Ok(Some(serials.len()))
            })
            .await
    }

    /// Denies a node's certificates from now on, and bars it from getting others. Tells how many they were.
    pub(crate) async fn revoke_node(
        self: &Arc<Self>,
        publisher: Publisher,
    ) -> Result<usize, StoreError> {
        let enrolment = Arc::clone(self);
        self.intake
            .change(move |state| {
                let now = Timestamp::now();
                let serials = enrolment.known().living(|record| record.publisher == publisher, now);
                let transaction = state.transaction()?;
                kept::bar(&transaction, &publisher, now)?;
                for serial in &serials {
                    kept::deny(&transaction, serial, now, known::REVOKED)?;
                }
                transaction.commit()?;
                enrolment.known().bar(publisher.clone());
                enrolment.deny(&serials, now);
                tracing::warn!(%publisher, certificates = serials.len(), "node revoked");
                Ok(serials.len())
            })
            .await
    }

    /// Lets a node that was revoked enrol again. False where it was not.
    pub(crate) async fn allow_node(
        self: &Arc<Self>,
        publisher: Publisher,
    ) -> Result<bool, StoreError> {
        let enrolment = Arc::clone(self);
        self.intake
            .change(move |state| {
                kept::unbar(state, &publisher)?;
                let was_barred = enrolment.known().unbar(&publisher);
                tracing::info!(%publisher, was_barred, "node allowed");
                Ok(was_barred)
            })
            .await
    }

    fn deny(&self, serials: &[Vec<u8>], now: Timestamp) {
        self.known().deny(serials, now, known::REVOKED);
        self.denials.send_replace(());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NANOSECONDS: u64 = 1_000_000_000;
/// What is shown of a name that a peer chose.
const LONGEST_SHOWN: usize = 253;
