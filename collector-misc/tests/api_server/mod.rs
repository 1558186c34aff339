//! A Kubernetes API server, as far as lists and watches of pods and nodes go, true to
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>: versions, pages with continue
//! tokens, watches with bookmarks, streaming lists, 410 once history is compacted, bearer tokens.

mod cluster;
mod handlers;
mod status;

pub use cluster::{Cluster, GoneAs, Streaming};

use axum::Router;
use axum::routing::get;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

/// The token that the server accepts at first.
pub const TOKEN: &str = "the-right-token";

/// What handlers share.
pub struct Shared {
    cluster: Mutex<Cluster>,
    /// The version of the last change.
    version: watch::Sender<u64>,
    /// Counts the times that all watches were cut.
    cuts: watch::Sender<u64>,
}

impl Shared {
    pub fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap()
    }
}

/// A running server, at an address that it keeps over a restart.
pub struct ApiServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
    handle: Handle<SocketAddr>,
}

impl ApiServer {
    pub fn start() -> Self {
        Self::begin(None)
    }

    pub fn start_with_tls(tls: RustlsConfig) -> Self {
        Self::begin(Some(tls))
    }

    fn begin(tls: Option<RustlsConfig>) -> Self {
        let shared = Arc::new(Shared {
            cluster: Mutex::default(),
            version: watch::Sender::new(0),
            cuts: watch::Sender::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = Self { shared, address, tls, handle: Handle::new() };
        server.serve(listener);
        server
    }

    fn serve(&mut self, listener: TcpListener) {
        listener.set_nonblocking(true).unwrap();
        self.handle = Handle::new();
        let router = Router::new()
            .route("/api/v1/{plural}", get(handlers::list_or_watch))
            .with_state(Arc::clone(&self.shared))
            .into_make_service();
        let handle = self.handle.clone();
        if let Some(tls) = self.tls.clone() {
            let server = axum_server::from_tcp_rustls(listener, tls).unwrap().handle(handle);
            tokio::spawn(server.serve(router));
        } else {
            let server = axum_server::from_tcp(listener).unwrap().handle(handle);
            tokio::spawn(server.serve(router));
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the cluster, and wakes the watches.
    pub fn change<T>(&self, change: impl FnOnce(&mut Cluster) -> T) -> T {
        let mut cluster = self.shared.cluster();
        let result = change(&mut cluster);
        self.shared.version.send_replace(cluster.version());
        result
    }

    /// Breaks the connections of all watches.
    pub fn cut_watches(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Ends the server and all its connections.
    pub fn stop(&self) {
        self.handle.shutdown();
        self.cut_watches();
    }

    /// Serves again, at the same address.
    pub async fn serve_again(&mut self) {
        let listener = loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        self.serve(listener);
    }

    /// The query strings of all requests for `plural` so far.
    pub fn requests(&self, plural: &str) -> Vec<String> {
        let cluster = self.shared.cluster();
        let requests = cluster.requests.iter().filter(|(requested, _)| requested == plural);
        requests.map(|(_, query)| query.clone()).collect()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop();
    }
}
