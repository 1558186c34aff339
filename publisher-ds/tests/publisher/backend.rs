//! A backend as small as can be: real TLS with client certificates, the real ingest protocol, a store in memory
//! that keeps each record once.

use crate::certificates::{Authority, Pair};
use event_model::{Lane, Loss, Record, SensorStatus, SourceId};
use proto::wire::ingest_server::{Ingest, IngestServer};
use proto::wire::{to_backend, to_publisher_from_backend as answer};
use proto::{Envelope, PROTOCOL_VERSION, decode_batch, lane_to_wire, wire};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use stand_ins::Killable;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

const CREDIT: u64 = 2 << 20;
const MAXIMUM_ENVELOPE: u64 = 1 << 20;

/// No more envelopes than this over one connection; far more than any test sends.
const UNLIMITED: i64 = i64::MAX;

/// A record and its sequence.
type Numbered = (u64, Record);

/// What the backend stored. It outlives the backend, as a disk does.
pub struct Vault {
    stored: Mutex<BTreeMap<(SourceId, Lane), Vec<Numbered>>>,
    /// After so many envelopes, the backend commits one more and drops the connection.
    envelopes_to_drop: AtomicI64,
    /// That last envelope is acknowledged before the end, or not.
    acknowledges_last: Mutex<bool>,
    reject: Mutex<Option<Lane>>,
    is_full: AtomicBool,
    welcomes: AtomicU64,
    failed_handshakes: AtomicU64,
    /// Whoever comes without a certificate must show it.
    token: Mutex<Option<String>>,
}

impl Vault {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            stored: Mutex::default(),
            envelopes_to_drop: AtomicI64::new(UNLIMITED),
            acknowledges_last: Mutex::new(true),
            reject: Mutex::default(),
            is_full: AtomicBool::new(false),
            welcomes: AtomicU64::new(0),
            failed_handshakes: AtomicU64::new(0),
            token: Mutex::default(),
        })
    }

    pub fn drop_connection_after(&self, envelopes: i64, acknowledges_last: bool) {
        *self.acknowledges_last.lock().unwrap() = acknowledges_last;
        self.envelopes_to_drop.store(envelopes, Ordering::SeqCst);
    }

    /// The next envelope of the lane is refused for good.
    pub fn reject_one(&self, lane: Lane) {
        *self.reject.lock().unwrap() = Some(lane);
    }

    /// From now on it stores nothing: each connection is welcomed, and ended at its first envelope.
    pub fn fill(&self) {
        self.is_full.store(true, Ordering::SeqCst);
    }

    /// From now on a certificate is not needed where this token is shown. Counts for backends that start later.
    pub fn take_token(&self, token: &str) {
        *self.token.lock().unwrap() = Some(token.to_owned());
    }

    /// How many TLS handshakes failed.
    pub fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.load(Ordering::SeqCst)
    }

    /// How many connections were welcomed.
    pub fn welcomes(&self) -> u64 {
        self.welcomes.load(Ordering::SeqCst)
    }

    fn takes_token(&self) -> bool {
        self.token.lock().unwrap().is_some()
    }

    fn is_token(&self, authorization: Option<&MetadataValue<Ascii>>) -> bool {
        let expected = self.token.lock().unwrap().as_ref().map(|token| format!("Bearer {token}"));
        expected.is_some() && expected.as_deref() == authorization.and_then(|it| it.to_str().ok())
    }

    /// Stores what it does not hold yet, as the real backend does.
    fn store(&self, envelope: &Envelope) {
        let mut stored = self.stored.lock().unwrap();
        let records = stored.entry((envelope.source(), envelope.lane())).or_default();
        let held = records.last().map_or(0, |(sequence, _)| *sequence);
        let numbered = (envelope.first_sequence()..).zip(decode_batch(envelope).unwrap());
        records.extend(numbered.filter(|(sequence, _)| *sequence > held));
    }

    /// All records of a lane, by source, in the order of their sequences.
    pub fn records(&self, lane: Lane) -> Vec<Record> {
        let stored = self.stored.lock().unwrap();
        let of_lane = stored.iter().filter(|((_, its_lane), _)| *its_lane == lane);
        of_lane.flat_map(|(_, records)| records.iter().map(|(_, record)| record.clone())).collect()
    }

    pub fn count(&self, lane: Lane) -> usize {
        let stored = self.stored.lock().unwrap();
        let of_lane = stored.iter().filter(|((_, its_lane), _)| *its_lane == lane);
        of_lane.map(|(_, records)| records.len()).sum()
    }

    pub fn losses(&self) -> Vec<Loss> {
        let loss = |record| match record {
            Record::Loss(loss) => Some(loss),
            _ => None,
        };
        self.records(Lane::Alert).into_iter().filter_map(loss).collect()
    }

    pub fn statuses(&self) -> Vec<SensorStatus> {
        let status = |record| match record {
            Record::SensorStatus(status) => Some(*status),
            _ => None,
        };
        self.records(Lane::Alert).into_iter().filter_map(status).collect()
    }
}

/// A backend that can be killed.
pub struct Backend {
    pub address: SocketAddr,
    vault: Arc<Vault>,
    tls: Tls,
    server: Killable,
}

/// What the next handshake is done with.
type Tls = Arc<Mutex<Arc<ServerConfig>>>;

impl Backend {
    /// Starts on a free port.
    pub fn start(vault: &Arc<Vault>, certificate: &Pair, clients: &Authority) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), vault, certificate, clients)
    }

    pub fn start_at(
        address: SocketAddr,
        vault: &Arc<Vault>,
        certificate: &Pair,
        clients: &Authority,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = tls(certificate, &[clients], vault.takes_token());
        let tls = Arc::new(Mutex::new(Arc::new(config)));
        let vault = Arc::clone(vault);
        let (its_tls, its_vault) = (Arc::clone(&tls), Arc::clone(&vault));
        let (server, address) = Killable::start(move |ready| async move {
            let listener = bind(address).await;
            ready.send(listener.local_addr().unwrap()).unwrap();
            serve(listener, its_tls, its_vault).await;
        });
        Self { address, vault, tls, server }
    }

    /// From the next handshake on: this certificate, and clients of these authorities.
    pub fn renew(&self, certificate: &Pair, clients: &[&Authority]) {
        let config = tls(certificate, clients, self.vault.takes_token());
        *self.tls.lock().unwrap() = Arc::new(config);
    }

    /// Ends it without a word.
    pub fn kill(self) {
        drop(self.server);
    }
}

/// A port that was in use a moment ago may take a while to be free.
pub async fn bind(address: SocketAddr) -> TcpListener {
    let deadline = std::time::Instant::now() + crate::waiting::PATIENCE;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{address}: {error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

pub fn tls(certificate: &Pair, clients: &[&Authority], takes_token: bool) -> ServerConfig {
    let mut authorities = RootCertStore::empty();
    for authority in clients {
        let authority = CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap();
        authorities.add(authority).unwrap();
    }
    let verifier = WebPkiClientVerifier::builder(Arc::new(authorities));
    let verifier = if takes_token { verifier.allow_unauthenticated() } else { verifier };
    let verifier = verifier.build().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_client_cert_verifier(verifier);
    let mut config = config.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

async fn serve(listener: TcpListener, tls: Tls, vault: Arc<Vault>) {
    let (accepted, incoming) = mpsc::channel::<io::Result<TlsPeer>>(16);
    let watched = Arc::clone(&vault);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(Arc::clone(&tls.lock().unwrap()));
            let (watched, accepted) = (Arc::clone(&watched), accepted.clone());
            tokio::spawn(async move {
                // A handshake that fails is the publisher's to tell of.
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = accepted.send(Ok(TlsPeer(stream))).await;
                } else {
                    watched.failed_handshakes.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    let served = Server::builder()
        .add_service(IngestServer::new(Door(vault)))
        .serve_with_incoming(ReceiverStream::new(incoming))
        .await;
    served.unwrap();
}

pub struct TlsPeer(pub TlsStream<TcpStream>);

#[derive(Clone, Copy)]
pub struct HasCertificate(bool);

impl Connected for TlsPeer {
    type ConnectInfo = HasCertificate;

    fn connect_info(&self) -> HasCertificate {
        HasCertificate(self.0.get_ref().1.peer_certificates().is_some())
    }
}

impl AsyncRead for TlsPeer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsPeer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

struct Door(Arc<Vault>);

type Answers = mpsc::UnboundedSender<Result<wire::ToPublisherFromBackend, Status>>;

#[tonic::async_trait]
impl Ingest for Door {
    type PublishStream = UnboundedReceiverStream<Result<wire::ToPublisherFromBackend, Status>>;

    async fn publish(
        &self,
        request: Request<Streaming<wire::ToBackend>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let has_certificate = request.extensions().get::<HasCertificate>().unwrap().0;
        if !has_certificate && !self.0.is_token(request.metadata().get("authorization")) {
            return Err(Status::unauthenticated("neither a certificate nor the token came"));
        }
        let mut frames = request.into_inner();
        let first = frames.message().await?.and_then(|first| first.message);
        let Some(to_backend::Message::Hello(_)) = first else {
            return Err(Status::failed_precondition("no Hello"));
        };
        let (answers, stream) = mpsc::unbounded_channel();
        self.0.welcomes.fetch_add(1, Ordering::SeqCst);
        say(
            &answers,
            answer::Message::Welcome(wire::Welcome {
                version: PROTOCOL_VERSION,
                maximum_envelope_bytes: MAXIMUM_ENVELOPE,
                initial_credit_bytes: CREDIT,
                already_held: Vec::new(),
            }),
        );
        tokio::spawn(converse(Arc::clone(&self.0), frames, answers));
        Ok(Response::new(UnboundedReceiverStream::new(stream)))
    }
}

fn say(answers: &Answers, message: answer::Message) {
    let _ = answers.send(Ok(wire::ToPublisherFromBackend { message: Some(message) }));
}

async fn converse(vault: Arc<Vault>, mut frames: Streaming<wire::ToBackend>, answers: Answers) {
    let mut credit = CREDIT;
    while let Ok(Some(frame)) = frames.message().await {
        let Some(to_backend::Message::Envelope(raw)) = frame.message else { return };
        if vault.is_full.load(Ordering::SeqCst) {
            let _ = answers.send(Err(Status::unavailable("the test's disk is full")));
            return;
        }
        let bytes = raw.payload.len() as u64;
        assert!(bytes <= credit, "the publisher sent {bytes} bytes with a credit of {credit}");
        credit -= bytes;
        let envelope = Envelope::try_from(raw).expect("the publisher changed an envelope");
        let rejected = vault.reject.lock().unwrap().take_if(|lane| *lane == envelope.lane());
        if rejected.is_some() {
            say(&answers, rejection(&envelope));
        } else {
            vault.store(&envelope);
            let is_last = vault.envelopes_to_drop.fetch_sub(1, Ordering::SeqCst) == 0;
            if !is_last || *vault.acknowledges_last.lock().unwrap() {
                say(&answers, acknowledgement(&envelope));
            }
            if is_last {
                vault.envelopes_to_drop.store(UNLIMITED, Ordering::SeqCst);
                let _ = answers.send(Err(Status::unavailable("the test ends this connection")));
                return;
            }
        }
        credit += bytes;
        say(&answers, answer::Message::Credit(wire::Credit { bytes }));
    }
}

fn acknowledgement(envelope: &Envelope) -> answer::Message {
    answer::Message::Acknowledgement(wire::Acknowledgement {
        source_id: envelope.source().0.as_bytes().to_vec(),
        lane: lane_to_wire(envelope.lane()).into(),
        through_sequence: envelope.last_sequence(),
    })
}

fn rejection(envelope: &Envelope) -> answer::Message {
    answer::Message::Rejection(wire::Rejection {
        source_id: envelope.source().0.as_bytes().to_vec(),
        lane: lane_to_wire(envelope.lane()).into(),
        first_sequence: envelope.first_sequence(),
        reason: "the test wants it so".into(),
    })
}
