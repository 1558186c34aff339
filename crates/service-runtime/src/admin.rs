//! The admin server: `/metrics`, `/healthz` and `/readyz`, for Prometheus and the kubelet.
//!
//! It shares the process with work that matters more, so whoever reaches it
//! can cost it little: few connections at a time, one small request each, a
//! deadline over the whole.

use crate::process;
use crate::readiness::Readiness;
use anyhow::Context;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// The key `admin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// Address and port of `/metrics`, `/healthz` and `/readyz`. Reachable from outside the
    /// host only where this says so; nothing secret is served.
    pub listen: SocketAddr,
}

impl AdminConfig {
    /// On the loopback address, at this port.
    pub fn on_port(port: u16) -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, port).into() }
    }
}

/// Connections served at a time.
const MOST_CONNECTIONS: usize = 16;
/// From accepting a connection to the last byte of the answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// The whole head of a request. The body is never read.
const LONGEST_HEAD: usize = 8 << 10;
/// How long to wait after a connection could not be accepted, as when descriptors ran out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(500);

/// The server, bound to its address.
pub(crate) struct AdminServer {
    listener: TcpListener,
    answers: Arc<Answers>,
}

/// What the server tells.
pub(crate) struct Answers {
    pub(crate) metrics: PrometheusHandle,
    pub(crate) readiness: Readiness,
    pub(crate) started: SystemTime,
}

impl AdminServer {
    pub(crate) async fn bind(config: &AdminConfig, answers: Answers) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!(
                "cannot listen on {} for /metrics, /healthz and /readyz; choose another address by \
                 admin.listen (DEFENDER_ADMIN__LISTEN)",
                config.listen
            )
        })?;
        Ok(Self { listener, answers: Arc::new(answers) })
    }

    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped. Nothing that happens to a connection ends it.
    pub(crate) async fn serve(self) {
        let mut conversations = Conversations::default();
        loop {
            match self.listener.accept().await {
                Ok((connection, _)) => {
                    conversations.begin(converse(connection, Arc::clone(&self.answers)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin server cannot accept a connection");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }
}

/// The connections being served, the oldest first. A probe that asks at once is answered even
/// while others hold as many connections as they can: it is the oldest that has to go.
#[derive(Default)]
struct Conversations(VecDeque<AbortHandle>);

impl Conversations {
    fn begin(&mut self, conversation: impl Future<Output = ()> + Send + 'static) {
        self.0.retain(|older| !older.is_finished());
        if self.0.len() >= MOST_CONNECTIONS
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.abort();
        }
        self.0.push_back(tokio::spawn(conversation).abort_handle());
    }
}

async fn converse(connection: TcpStream, answers: Arc<Answers>) {
    let service = hyper::service::service_fn(move |request| {
        let answer = answers.to(&request);
        async { Ok::<_, Infallible>(answer) }
    });
    let conversation = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(DEADLINE)
        .max_header_size(LONGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(connection), service);
    match tokio::time::timeout(DEADLINE, conversation).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection to the admin server failed"),
        Err(_) => tracing::debug!("a connection to the admin server took too long"),
    }
}

impl Answers {
    fn to(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n");
            refusal.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET"));
            return refusal;
        }
        match request.uri().path() {
            "/metrics" => text(StatusCode::OK, self.metrics()),
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(),
            _ => text(StatusCode::NOT_FOUND, "here are /metrics, /healthz and /readyz\n"),
        }
    }

    fn metrics(&self) -> String {
        let mut metrics = self.metrics.render();
        metrics.push_str(&process::metrics(self.started));
        metrics
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        let (ready, lines) = self.readiness.report();
        text(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, lines)
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    // The version is that of the Prometheus text format.
    let plain = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
