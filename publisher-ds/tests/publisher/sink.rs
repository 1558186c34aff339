//! A receiver of OTLP logs that a test can make answer as it likes, over gRPC and HTTP, with and without TLS. It keeps
//! what it took, as a disk does when it is killed.

use crate::backend::{TlsPeer, bind, tls};
use crate::certificates::{Authority, Pair};
use flate2::read::GzDecoder;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;
use prost::bytes::Bytes;
use stand_ins::Killable;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// What a request is answered instead of being taken whole.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Taken, but for so many.
    Partly(i64),
    /// A status of HTTP, and headers.
    Http(u16, Vec<(&'static str, String)>),
    /// A status of gRPC, and a pause to ask again after.
    Grpc(Code, Option<Duration>),
}

/// What was taken, and how requests are answered.
#[derive(Default)]
pub struct Kept {
    records: Mutex<Vec<(BTreeMap<String, String>, LogRecord)>>,
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<(Instant, HeaderMap)>>,
}

impl Kept {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The next requests are answered so, one each.
    pub fn answer(&self, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().unwrap().extend(replies);
    }

    pub fn has_answered_all(&self) -> bool {
        self.replies.lock().unwrap().is_empty()
    }

    /// When each request came, and with which headers.
    pub fn requests(&self) -> Vec<(Instant, HeaderMap)> {
        self.requests.lock().unwrap().clone()
    }

    /// All log records with the attributes of their resources, in the order in which they came.
    pub fn records(&self) -> Vec<(BTreeMap<String, String>, LogRecord)> {
        self.records.lock().unwrap().clone()
    }

    /// The log records of one kind.
    pub fn of_kind(&self, kind: &str) -> Vec<LogRecord> {
        let records = self.records.lock().unwrap();
        let is_it = |record: &&LogRecord| text(record, "defender.kind").as_deref() == Some(kind);
        records.iter().map(|(_, record)| record).filter(is_it).cloned().collect()
    }

    /// The numbers of the tests' events, each once.
    pub fn numbers(&self) -> BTreeSet<u64> {
        let records = self.records.lock().unwrap();
        let is_event =
            |record: &&LogRecord| text(record, "defender.lane").as_deref() == Some("telemetry");
        let events = records.iter().map(|(_, record)| record).filter(is_event);
        events.map(|record| record.time_unix_nano).collect()
    }

    fn take(&self, headers: &HeaderMap, request: ExportLogsServiceRequest) -> Option<Reply> {
        self.requests.lock().unwrap().push((Instant::now(), headers.clone()));
        let reply = self.replies.lock().unwrap().pop_front();
        if matches!(reply, None | Some(Reply::Partly(_))) {
            let mut records = self.records.lock().unwrap();
            for of_resource in request.resource_logs {
                let resource = texts(&of_resource.resource.unwrap().attributes);
                let logs = of_resource.scope_logs.into_iter().flat_map(|it| it.log_records);
                records.extend(logs.map(|record| (resource.clone(), record)));
            }
        }
        reply
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |it: &KeyValue| match it.value.as_ref().and_then(|it| it.value.as_ref()) {
        Some(Value::StringValue(text)) => Some((it.key.clone(), text.clone())),
        _ => None,
    };
    attributes.iter().filter_map(text).collect()
}

/// A text among the attributes of a log record.
pub fn text(record: &LogRecord, name: &str) -> Option<String> {
    texts(&record.attributes).remove(name)
}

/// A value in the body of a log record, by its way.
pub fn in_body(record: &LogRecord, way: &[&str]) -> Option<Value> {
    let mut value: Option<AnyValue> = record.body.clone();
    for name in way {
        let Some(Value::KvlistValue(list)) = value?.value else { return None };
        value = list.values.into_iter().find(|it| it.key == *name)?.value;
    }
    value?.value
}

/// A receiver that can be killed.
pub struct Sink {
    pub address: SocketAddr,
    server: Killable,
}

impl Sink {
    /// Over gRPC, on a free port.
    pub fn grpc(kept: &Arc<Kept>) -> Self {
        Self::grpc_at("127.0.0.1:0".parse().unwrap(), kept)
    }

    pub fn grpc_at(address: SocketAddr, kept: &Arc<Kept>) -> Self {
        Self::grpc_over(address, service(Arc::clone(kept)))
    }

    /// Over gRPC, behind a receiver that makes batches of its own: those may be larger than any that we send.
    pub fn behind_a_receiver(kept: &Arc<Kept>) -> Self {
        let service = service(Arc::clone(kept)).max_decoding_message_size(256 << 20);
        Self::grpc_over("127.0.0.1:0".parse().unwrap(), service)
    }

    fn grpc_over(address: SocketAddr, service: LogsServiceServer<Door>) -> Self {
        let (server, address) = Killable::start(move |ready| async move {
            let listener = bind(address).await;
            ready.send(listener.local_addr().unwrap()).unwrap();
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        });
        Self { address, server }
    }

    /// Over gRPC and TLS, for clients with a certificate of an authority.
    pub fn grpc_with_tls(kept: &Arc<Kept>, certificate: &Pair, clients: &Authority) -> Self {
        let kept = Arc::clone(kept);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let acceptor = TlsAcceptor::from(Arc::new(tls(certificate, &[clients], false)));
        let (server, address) = Killable::start(move |ready| async move {
            let listener = bind("127.0.0.1:0".parse().unwrap()).await;
            ready.send(listener.local_addr().unwrap()).unwrap();
            let server = tonic::transport::Server::builder().add_service(service(kept));
            server.serve_with_incoming(encrypted(listener, acceptor)).await.unwrap();
        });
        Self { address, server }
    }

    /// Over HTTP, on a free port.
    pub fn http(kept: &Arc<Kept>) -> Self {
        Self::http_at("127.0.0.1:0".parse().unwrap(), kept)
    }

    pub fn http_at(address: SocketAddr, kept: &Arc<Kept>) -> Self {
        Self::http_over(address, kept, None)
    }

    /// Over HTTP and TLS, for clients with a certificate of an authority.
    pub fn http_with_tls(kept: &Arc<Kept>, certificate: &Pair, clients: &Authority) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = tls(certificate, &[clients], false);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::http_over("127.0.0.1:0".parse().unwrap(), kept, Some(acceptor))
    }

    fn http_over(address: SocketAddr, kept: &Arc<Kept>, acceptor: Option<TlsAcceptor>) -> Self {
        let kept = Arc::clone(kept);
        let (server, address) = Killable::start(move |ready| async move {
            let listener = bind(address).await;
            ready.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let kept = Arc::clone(&kept);
                let answer = move |request| answer_http(Arc::clone(&kept), request);
                let service = hyper::service::service_fn(answer);
                let server = hyper::server::conn::http1::Builder::new();
                let Some(acceptor) = acceptor.clone() else {
                    tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
                    continue;
                };
                tokio::spawn(async move {
                    // A handshake that fails is the publisher's to tell of.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, server }
    }

    /// Ends it without a word.
    pub fn kill(self) {
        drop(self.server);
    }
}

fn encrypted(
    listener: TcpListener,
    acceptor: TlsAcceptor,
) -> ReceiverStream<std::io::Result<TlsPeer>> {
    let (accepted, incoming) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A handshake that fails is the publisher's to tell of.
            if let Ok(stream) = acceptor.accept(stream).await {
                let _ = accepted.send(Ok(TlsPeer(stream))).await;
            }
        }
    });
    ReceiverStream::new(incoming)
}

fn service(kept: Arc<Kept>) -> LogsServiceServer<Door> {
    LogsServiceServer::new(Door(kept)).accept_compressed(CompressionEncoding::Gzip)
}

struct Door(Arc<Kept>);

#[tonic::async_trait]
impl LogsService for Door {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, Status> {
        let headers = request.metadata().clone().into_headers();
        match self.0.take(&headers, request.into_inner()) {
            None => Ok(tonic::Response::new(ExportLogsServiceResponse::default())),
            Some(Reply::Partly(rejected)) => Ok(tonic::Response::new(partly(rejected))),
            Some(Reply::Grpc(code, None)) => Err(Status::new(code, "the test wants it so")),
            Some(Reply::Grpc(code, pause)) => {
                let details = ErrorDetails::with_retry_info(pause);
                Err(Status::with_error_details(code, "the test wants it so", details))
            }
            Some(reply) => panic!("{reply:?} is none of gRPC's"),
        }
    }
}

fn partly(rejected: i64) -> ExportLogsServiceResponse {
    let error_message = "the test wants it so".to_owned();
    let partial = ExportLogsPartialSuccess { rejected_log_records: rejected, error_message };
    ExportLogsServiceResponse { partial_success: Some(partial) }
}

async fn answer_http(
    kept: Arc<Kept>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/v1/logs"));
    let headers = request.headers().clone();
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let body = request.into_body().collect().await?.to_bytes();
    let mut plain = Vec::new();
    match headers.get("content-encoding").map(|it| it.to_str().unwrap()) {
        Some("gzip") => _ = GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap(),
        None => plain.extend_from_slice(&body),
        other => panic!("{other:?}"),
    }
    let request = ExportLogsServiceRequest::decode(&plain[..]).unwrap();
    let (status, told, body) = match kept.take(&headers, request) {
        None => (200, vec![], ExportLogsServiceResponse::default()),
        Some(Reply::Partly(rejected)) => (200, vec![], partly(rejected)),
        Some(Reply::Http(status, headers)) => (status, headers, partly(0)),
        Some(reply) => panic!("{reply:?} is none of HTTP's"),
    };
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in told {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(body.encode_to_vec().into())).unwrap())
}
