//! A publisher as small as can be: the real protocol over real mutual TLS.

use crate::authority::Identity;
use crate::running::{Backend, PATIENCE};
use event_model::{Component, Lane, Record, SourceDescription, SourceId};
use hyper_util::rt::TokioIo;
use proto::wire::ingest_client::IngestClient;
use proto::wire::to_backend::Message;
use proto::wire::to_publisher_from_backend::Message as Answer;
use proto::wire::{self, ToBackend, ToPublisherFromBackend};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use uuid::Uuid;

/// A connection on which greetings were exchanged.
pub struct Publisher {
    frames: mpsc::Sender<ToBackend>,
    answers: Streaming<ToPublisherFromBackend>,
    pub welcome: wire::Welcome,
    /// The greatest sequence that was acknowledged, by lane.
    pub acknowledged: [u64; 4],
}

impl Publisher {
    /// Connects as the publisher of this node.
    pub async fn connect(backend: &Backend, node: &str) -> Self {
        let identity = backend.authority.publisher(node);
        Self::connect_as(backend, Some(&identity)).await.unwrap()
    }

    /// Connects with this certificate, or none.
    pub async fn connect_as(
        backend: &Backend,
        identity: Option<&Identity>,
    ) -> Result<Self, Status> {
        let channel = channel(backend, identity).await?;
        Self::greet(channel, hello(1, 1)).await
    }

    /// Begins a stream with this message.
    pub async fn greet(channel: Channel, first: ToBackend) -> Result<Self, Status> {
        Self::greet_by(channel, first, None).await
    }

    /// The same with an `authorization`.
    pub async fn greet_by(
        channel: Channel,
        first: ToBackend,
        authorization: Option<&str>,
    ) -> Result<Self, Status> {
        let (frames, stream) = mpsc::channel(16);
        frames.send(first).await.unwrap();
        let mut request = Request::new(ReceiverStream::new(stream));
        if let Some(authorization) = authorization {
            request.metadata_mut().insert("authorization", authorization.parse().unwrap());
        }
        let answer = IngestClient::new(channel).publish(request).await?;
        let mut answers = answer.into_inner();
        match answers.message().await?.and_then(|first| first.message) {
            Some(Answer::Welcome(welcome)) => {
                Ok(Self { frames, answers, welcome, acknowledged: [0; 4] })
            }
            other => panic!("the first answer is {other:?}"),
        }
    }

    pub async fn send(&self, source: SourceId, first_sequence: u64, records: &[Record]) {
        let lane = records[0].lane();
        let envelope = proto::encode_batch(source, lane, first_sequence, records).unwrap();
        self.send_raw(envelope.into()).await;
    }

    pub async fn send_raw(&self, envelope: wire::Envelope) {
        self.send_message(Message::Envelope(envelope)).await;
    }

    /// Sends anything. Where the backend has hung up, the next answer says why.
    pub async fn send_message(&self, message: Message) {
        let _ = self.frames.send(ToBackend { message: Some(message) }).await;
    }

    /// Whether the backend has hung up.
    pub fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }

    /// Waits for more credit.
    pub async fn credit(&mut self) -> u64 {
        loop {
            let answer = self.answers.message().await.unwrap().expect("the stream goes on");
            match answer.message {
                Some(Answer::Credit(credit)) => return credit.bytes,
                Some(Answer::Acknowledgement(answer)) => self.note(&answer),
                other => panic!("expected credit, came {other:?}"),
            }
        }
    }

    fn note(&mut self, acknowledgement: &wire::Acknowledgement) {
        let lane = proto::lane_from_wire(acknowledgement.lane).unwrap().index();
        self.acknowledged[lane] = self.acknowledged[lane].max(acknowledgement.through_sequence);
    }

    /// The next answer that is no credit.
    pub async fn answer(&mut self) -> Result<Option<Answer>, Status> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.answers.message());
            let answer = next.await.expect("an answer in time")?;
            match answer.and_then(|answer| answer.message) {
                Some(Answer::Credit(_)) => {}
                Some(Answer::Acknowledgement(acknowledgement)) => {
                    self.note(&acknowledgement);
                    return Ok(Some(Answer::Acknowledgement(acknowledgement)));
                }
                other => return Ok(other),
            }
        }
    }

    /// Waits until a lane is acknowledged up to a sequence.
    pub async fn acknowledged(&mut self, lane: Lane, through: u64) {
        while self.acknowledged[lane.index()] < through {
            match self.answer().await {
                Ok(Some(Answer::Acknowledgement(_))) => {}
                other => panic!("expected {lane} {through} to be acknowledged, came {other:?}"),
            }
        }
    }

    /// The rejection that is to come next.
    pub async fn rejected(&mut self) -> wire::Rejection {
        match self.answer().await {
            Ok(Some(Answer::Rejection(rejection))) => rejection,
            other => panic!("expected a rejection, came {other:?}"),
        }
    }

    /// The status with which the backend ends the stream.
    pub async fn ended(&mut self) -> Status {
        loop {
            match self.answer().await {
                Err(status) => return status,
                Ok(Some(Answer::Acknowledgement(_))) => {}
                other => panic!("expected the stream to end with an error, came {other:?}"),
            }
        }
    }
}

/// A greeting that offers these versions.
pub fn hello(minimum_version: u32, maximum_version: u32) -> ToBackend {
    hello_of("what the payload says", minimum_version, maximum_version)
}

/// A greeting that says it is of this node.
pub fn hello_of(node: &str, minimum_version: u32, maximum_version: u32) -> ToBackend {
    let description = SourceDescription {
        id: SourceId(Uuid::from_u128(0xbeef)),
        component: Component::PublisherDs,
        version: "1.2.3".into(),
        node: node.into(),
        boot_id: Uuid::from_u128(1),
    };
    let source = Some(proto::description_to_wire(&description));
    ToBackend {
        message: Some(Message::Hello(wire::Hello { minimum_version, maximum_version, source })),
    }
}

pub async fn channel(backend: &Backend, identity: Option<&Identity>) -> Result<Channel, Status> {
    let connector = TlsConnector::from(Arc::new(client(backend, identity)));
    let port = backend.ingest_port;
    let endpoint = Endpoint::from_static("http://localhost");
    let connect = tower::service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
            let name = ServerName::try_from("localhost").unwrap();
            std::io::Result::Ok(TokioIo::new(connector.connect(name, tcp).await?))
        }
    });
    let connected = endpoint.connect_with_connector(connect).await;
    connected.map_err(|error| Status::unknown(format!("{error:?}")))
}

fn client(backend: &Backend, identity: Option<&Identity>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(backend.authority.pem.as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => {
            builder.with_client_auth_cert(identity.chain(), identity.private_key()).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}
