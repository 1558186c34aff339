use super::identity::{Credential, IdentityError};
use super::listener::Peer;
use super::session::{Limits, Session, Withdrawal};
use super::tokens::{Known, Refusal, Tokens};
use crate::enrolment::Enrolment;
use crate::store::{Intake, Publisher};
use proto::wire::ToBackend;
use proto::wire::ToPublisherFromBackend;
use proto::wire::ingest_server::Ingest;
use rustls_pki_types::{CertificateDer, UnixTime};
use server_credentials::Clients;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

/// Streams of one node at a time: a publisher has one, and a second while the backend has not
/// noticed that the first is dead.
const STREAMS_A_NODE: usize = 4;
/// Answers that wait for a peer to read them.
const ANSWERS_WAITING: usize = 64;

/// The ingest service of the protocol.
pub(super) struct IngestService {
    intake: Intake,
    enrolment: Option<Arc<Enrolment>>,
    /// The tokens of peers without a certificate; None where a certificate is a must.
    tokens: Option<Arc<Tokens>>,
    clients: watch::Receiver<Clients>,
    limits: Limits,
    streams: Arc<Streams>,
    sessions: TaskTracker,
    shutdown: CancellationToken,
}

/// How many streams each node has.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<Publisher, usize>>);

/// A stream's place among those of its node.
pub(super) struct Place {
    streams: Arc<Streams>,
    publisher: Publisher,
}

impl IngestService {
    pub(super) fn new(
        intake: Intake,
        enrolment: Option<Arc<Enrolment>>,
        tokens: Option<Arc<Tokens>>,
        clients: watch::Receiver<Clients>,
        limits: Limits,
        sessions: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let streams = Arc::default();
        Self { intake, enrolment, tokens, clients, limits, streams, sessions, shutdown }
    }

    /// Who a peer is that showed no certificate.
    fn read_token(&self, metadata: &MetadataMap) -> Result<Known, IdentityError> {
        let tokens = self.tokens.as_ref().ok_or(IdentityError::NoCertificate)?;
        let presented = bearer(metadata).ok_or(IdentityError::NoCertificate)?;
        tokens.find(presented).map_err(|refusal| match refusal {
            Refusal::Unknown => IdentityError::UnknownToken,
            Refusal::Expired => IdentityError::ExpiredToken,
        })
    }

    /// Who a peer is, by its certificate or else its token; and what resolves when that counts no more, and says why.
    fn identify(
        &self,
        peer: &Peer,
        metadata: &MetadataMap,
    ) -> Result<(Credential, Withdrawal), IdentityError> {
        if !matches!(peer.credential, Err(IdentityError::NoCertificate)) {
            let withdrawal = distrusted(self.clients.clone(), Arc::clone(&peer.chain));
            return Ok((peer.credential.clone()?, Box::pin(withdrawal)));
        }
        let token = self.read_token(metadata)?;
        peer.is_known();
        let credential = token.credential.clone();
        let tokens = self.tokens.clone();
        let withdrawal = async move {
            match tokens {
                Some(tokens) => tokens.withdrawn(&token).await,
                None => std::future::pending().await,
            }
            "the client's token was withdrawn"
        };
        Ok((credential, Box::pin(withdrawal)))
    }
}

type Certificate = CertificateDer<'static>;

/// Resolves when the authorities are others, and none of them vouches for the certificate.
async fn distrusted(
    mut clients: watch::Receiver<Clients>,
    chain: Arc<[Certificate]>,
) -> &'static str {
    loop {
        let now = Arc::clone(&clients.borrow_and_update());
        if let Some((certificate, between)) = chain.split_first()
            && now.verify_client_cert(certificate, between, UnixTime::now()).is_err()
        {
            return "the authority of the client's certificate is trusted no more";
        }
        if clients.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

impl Streams {
    /// A place for one more, or what to tell who finds none. Streams that have not said yet of
    /// which node they are, are bounded by the connections.
    pub(super) fn enter(self: &Arc<Self>, publisher: &Publisher) -> Result<Place, Status> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = streams.entry(publisher.clone()).or_default();
        if *count >= STREAMS_A_NODE {
            return Err(too_many(publisher));
        }
        *count += 1;
        Ok(Place { streams: Arc::clone(self), publisher: publisher.clone() })
    }
}

/// The credentials of the `authorization` metadata (RFC 6750, section 2.1); the scheme in capitals or small letters.
fn bearer(metadata: &MetadataMap) -> Option<&str> {
    let (scheme, token) = metadata.get("authorization")?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// What to tell a peer that is not known to be a publisher.
pub(super) fn unidentified(error: &IdentityError) -> Status {
    metrics::counter!("defender_ingest_rejected_total", "reason" => "identity").increment(1);
    let message = error.to_string();
    match error {
        IdentityError::NoCertificate
        | IdentityError::UnknownToken
        | IdentityError::ExpiredToken => Status::unauthenticated(message),
        _ => Status::permission_denied(message),
    }
}

fn too_many(publisher: &Publisher) -> Status {
    metrics::counter!("defender_ingest_rejected_total", "reason" => "too_many_streams")
        .increment(1);
    Status::resource_exhausted(format!(
        "{publisher} has {STREAMS_A_NODE} streams already: does another publisher use its certificate, or its node's name?"
    ))
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = streams.get_mut(&self.publisher) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.publisher);
            }
        }
    }
}

#[tonic::async_trait]
impl Ingest for IngestService {
    type PublishStream = ReceiverStream<Result<ToPublisherFromBackend, Status>>;

    async fn publish(
        &self,
        request: Request<Streaming<ToBackend>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let peer = request.extensions().get::<Peer>().cloned();
        let peer = peer.ok_or_else(|| Status::internal("the connection has no peer"))?;
        let open = peer.streams.open();
        let identified = self.identify(&peer, request.metadata());
        let (credential, withdrawal) = identified.map_err(|error| {
            tracing::warn!(peer = %peer.address, %error, "publisher refused");
            unidentified(&error)
        })?;
        let (answers, answered) = mpsc::channel(ANSWERS_WAITING);
        let session = Session {
            publisher: credential.certified.clone(),
            credential,
            intake: self.intake.clone(),
            enrolment: self.enrolment.clone(),
            limits: self.limits,
            inbound: request.into_inner(),
            answers,
            shutdown: self.shutdown.clone(),
            streams: Arc::clone(&self.streams),
            place: None,
        };
        self.sessions.spawn(async move {
            let _open = open;
            session.run(peer.address, withdrawal).await;
        });
        Ok(Response::new(ReceiverStream::new(answered)))
    }
}
