//! A running server, and the handle by which tests change and trouble it.

use crate::answer::{Connection, answer};
use crate::audit::{Audit, AuditConfig, AuditCounts};
use crate::authentication::{User, certificate_user};
use crate::authorization::{Access, Authorization, Right, bootstrap};
use crate::behaviour::Behaviour;
use crate::certificates::{Authority, Identity};
use crate::load::{self, Churn, Size};
use crate::shared::{Seen, Shared, lock};
use crate::store::Store;
use crate::trouble::Trouble;
use anyhow::Context;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// The token of an administrator that every server accepts from its start.
pub const TOKEN: &str = "the-right-token";

/// How a server is started.
#[derive(Debug)]
pub struct Options {
    /// Whether it speaks TLS, and takes client certificates.
    pub tls: bool,
    /// Whether rights are checked.
    pub authorization: Authorization,
    /// Whether requests without credentials are those of `system:anonymous`.
    pub admits_anonymous: bool,
    /// Changes of each resource that it remembers: what a watch can go back.
    pub history: usize,
    /// What it says that it is.
    pub kubernetes: String,
    /// Where it listens; a free port of the loopback interface for port 0.
    pub address: SocketAddr,
    /// Where audit events go, if anywhere.
    pub audit: Option<AuditConfig>,
    /// Names and addresses in its certificate.
    pub names: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: false,
            authorization: Authorization::default(),
            admits_anonymous: false,
            history: 10_000,
            kubernetes: "v1.34.2".to_owned(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            audit: None,
            names: vec![
                "127.0.0.1".to_owned(),
                "localhost".to_owned(),
                "kubernetes.default.svc".to_owned(),
            ],
        }
    }
}

/// A server that listens, at an address that it keeps over a restart. It ends with this handle.
#[derive(Debug)]
pub struct ApiServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    tls: Option<Tls>,
    /// Ends the listener.
    listening: CancellationToken,
    /// Ends all connections of the present.
    connections: Arc<std::sync::Mutex<CancellationToken>>,
}

#[derive(Debug)]
struct Tls {
    authority: Authority,
    config: Arc<rustls::ServerConfig>,
}

impl ApiServer {
    /// A server without TLS that allows everything to the bearer of [`TOKEN`].
    pub fn start() -> Self {
        Self::start_with(Options::default()).expect("a server on the loopback interface")
    }

    /// Starts a server, inside a tokio runtime.
    pub fn start_with(options: Options) -> anyhow::Result<Self> {
        let mut store = Store::new(options.history);
        if options.authorization == Authorization::RoleBased {
            bootstrap(&mut store);
        }
        let audit = options.audit.map(Audit::begin).transpose()?;
        let shared = Shared::new(store, options.authorization, options.kubernetes, audit);
        lock(&shared.credentials).accept(TOKEN, User::admin());
        lock(&shared.credentials).admits_anonymous = options.admits_anonymous;
        let listener = TcpListener::bind(options.address)
            .with_context(|| format!("cannot listen at {}", options.address))?;
        let mut server = Self {
            shared: Arc::new(shared),
            address: listener.local_addr()?,
            tls: options.tls.then(|| Tls::new(&options.names)).transpose()?,
            listening: CancellationToken::new(),
            connections: Arc::default(),
        };
        server.listen(listener)?;
        Ok(server)
    }

    fn listen(&mut self, listener: TcpListener) -> anyhow::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        self.listening = CancellationToken::new();
        let accepting = Accepting {
            shared: Arc::clone(&self.shared),
            tls: self.tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(&tls.config))),
            connections: Arc::clone(&self.connections),
        };
        let listening = self.listening.clone();
        tokio::spawn(listening.run_until_cancelled_owned(accepting.run(listener)));
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate of the authority that signed the server's, where it speaks TLS.
    pub fn authority_pem(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.authority.pem.as_str())
    }

    /// A certificate by which the server knows `user`, where it speaks TLS.
    pub fn client_certificate(&self, user: &User) -> anyhow::Result<Identity> {
        self.tls.as_ref().context("the server speaks no TLS")?.authority.client(user)
    }

    /// A kubeconfig for the bearer of `token`.
    pub fn kubeconfig(&self, token: &str) -> String {
        crate::kubeconfig::kubeconfig(&self.url(), self.authority_pem(), token)
    }

    /// Changes the objects, and wakes the watches, which see all of the change at once.
    pub fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        self.shared.change(change)
    }

    /// Looks at the objects.
    pub fn look<T>(&self, look: impl FnOnce(&Store) -> T) -> T {
        look(&self.shared.store())
    }

    /// Changes how the server behaves from now on, to watches that stand as well.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        self.shared.behaviour.send_modify(change);
    }

    /// Troubles requests from now on.
    pub fn trouble(&self, trouble: Trouble) {
        lock(&self.shared.troubles).push(trouble);
    }

    /// Ends all trouble that [`ApiServer::trouble`] began.
    pub fn calm(&self) {
        lock(&self.shared.troubles).clear();
    }

    /// A new token of `user`.
    pub fn issue_token(&self, user: User) -> String {
        lock(&self.shared.credentials).issue(user)
    }

    /// Accepts `token` as that of `user`.
    pub fn accept_token(&self, token: &str, user: User) {
        lock(&self.shared.credentials).accept(token, user);
    }

    /// No longer accepts `token`.
    pub fn revoke_token(&self, token: &str) {
        lock(&self.shared.credentials).revoke(token);
    }

    /// No longer accepts any token of `user` but the one that it returns.
    pub fn rotate_token(&self, user: &User) -> String {
        lock(&self.shared.credentials).rotate(user)
    }

    /// All requests so far.
    pub fn all_requests(&self) -> Vec<Seen> {
        self.shared.requests()
    }

    /// The query strings of all requests for the resource `plural` so far.
    pub fn requests(&self, plural: &str) -> Vec<String> {
        let requests = self.shared.requests().into_iter();
        let requests = requests.filter(|seen| seen.resource.as_deref() == Some(plural));
        requests.map(|seen| seen.query).collect()
    }

    /// All that was asked for so far, each once, with whether it was allowed.
    pub fn accesses(&self) -> Vec<Access> {
        self.shared.authorizer.accesses()
    }

    /// Forgets what was asked for so far.
    pub fn forget_accesses(&self) {
        self.shared.authorizer.forget();
    }

    /// The rights that bindings grant to `user`.
    pub fn granted(&self, user: &User) -> BTreeSet<Right> {
        self.shared.authorizer.granted(&self.shared.store(), user)
    }

    /// Those of the granted rights that `user` has used so far.
    pub fn used(&self, user: &User) -> BTreeSet<Right> {
        self.shared.authorizer.used(&self.shared.store(), user)
    }

    /// What became of audit events so far.
    pub fn audit_counts(&self) -> AuditCounts {
        self.shared.audit.as_ref().map(Audit::counts).unwrap_or_default()
    }

    /// Breaks all connections, in the middle of what they send.
    pub fn cut_connections(&self) {
        lock(&self.connections).cancel();
        *lock(&self.connections) = CancellationToken::new();
    }

    /// Listens no longer, and breaks all connections.
    pub fn stop(&self) {
        self.listening.cancel();
        self.cut_connections();
    }

    /// Listens again, at the same address.
    pub async fn serve_again(&mut self) {
        let listener = loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        self.listen(listener).expect("a server on the loopback interface");
    }

    /// Stops, and serves again with the same objects and no history.
    pub async fn restart(&mut self) {
        self.stop();
        self.change(Store::compact);
        self.serve_again().await;
    }

    /// Changes pods and nodes at random, so many a second, until what it returns is dropped.
    pub fn churn(&self, changes_per_second: u32) -> Churn {
        Churn::begin(&self.shared, changes_per_second)
    }

    /// Puts a cluster of `size` in place, as one that stood before the server started.
    pub fn fill(&self, size: &Size) {
        self.change(|store| load::fill(store, size));
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Tls {
    fn new(names: &[String]) -> anyhow::Result<Self> {
        let authority = Authority::new()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let config = Arc::new(authority.tls(&authority.server(&names)?)?);
        Ok(Self { authority, config })
    }
}

/// The listener's side.
struct Accepting {
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
    connections: Arc<std::sync::Mutex<CancellationToken>>,
}

impl Accepting {
    async fn run(self, listener: tokio::net::TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // No file descriptor is free: others may close.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let cut = lock(&self.connections).child_token();
            let serving = serve(Arc::clone(&self.shared), self.tls.clone(), stream, cut.clone());
            tokio::spawn(cut.run_until_cancelled_owned(serving));
        }
    }
}

/// Serves one connection until it ends.
async fn serve(
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
    stream: TcpStream,
    cut: CancellationToken,
) {
    // Without it small events wait for the acknowledgement of those before.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = tls else {
        return serve_stream(shared, Connection { user: None, cut }, stream).await;
    };
    // One who breaks off the handshake, or does not trust us, is no business of ours.
    if let Ok(stream) = acceptor.accept(stream).await {
        let certificates = stream.get_ref().1.peer_certificates();
        let user = certificates.and_then(<[_]>::first).and_then(certificate_user);
        serve_stream(shared, Connection { user, cut }, stream).await;
    }
}

async fn serve_stream(
    shared: Arc<Shared>,
    connection: Connection,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (shared, connection) = (Arc::clone(&shared), connection.clone());
        async move { Ok::<_, Infallible>(answer(shared, connection, request.map(Body::new)).await) }
    });
    let builder = Builder::new(TokioExecutor::new());
    // How a connection ends, its client knows.
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}
