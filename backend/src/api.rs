//! The JSON API and the console, over HTTP or HTTPS.
//!
//! A request passes limits on connections, security headers, the guard in `access`, and then its
//! handler. Queries are bounded in time and size by the store's reader.

mod access;
mod config;
mod cursor;
mod enrolment;
mod filters;
mod handlers;
mod inventory;
mod kubernetes;
mod login;
mod ocsf;
mod openapi;
mod problem;
mod query;
mod routes;
pub mod schema;
mod server;
mod state;
mod stream;

pub use config::ApiConfig;
pub(crate) use cursor::Cursor;
pub(crate) use filters::alerts as alerts_request;
pub(crate) use problem::Problem;
pub(crate) use state::ApiState;
pub(crate) use stream::stream_alerts;

use crate::enrolment::Enrolment;
use crate::store::Reader;
use access::Access;
use anyhow::Context;
use axum::Router;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use server::LimitedAcceptor;
use server_credentials::{Renewal, Token};
use service_runtime::Part;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Connections at a time: people, their browsers' several, and programs.
const MOST_CONNECTIONS: usize = 512;
/// From a connection's first byte to the end of a request's headers.
const HEADERS_DEADLINE: Duration = Duration::from_secs(10);
/// How long requests that are under way may take when the backend ends.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

/// The API server, bound to its address.
pub struct Api {
    listener: TcpListener,
    tls: Option<(RustlsConfig, Renewal)>,
    token: Option<Arc<Token>>,
    router: Router,
    shutdown: CancellationToken,
}

impl Api {
    /// Reads token and certificate, where they are asked for, and binds the address.
    pub fn bind(
        config: &ApiConfig,
        reader: Reader,
        enrolment: Option<Arc<Enrolment>>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let token =
            config.token().map(Token::read).transpose().context("api.token_file")?.map(Arc::new);
        let tls = config.tls_files().map(Renewal::begin).transpose().context("api: no TLS")?;
        let tls = tls.map(|(config, renewal)| (RustlsConfig::from_config(config), renewal));
        let listener = TcpListener::bind(config.listen)
            .with_context(|| format!("api: cannot listen on {}", config.listen))?;
        let access = Access { token: token.clone(), tls: tls.is_some() };
        let state = ApiState::new(reader, enrolment, Arc::new(access), shutdown.clone());
        Ok(Self { listener, tls, token, router: routes::router(state), shutdown })
    }

    /// Where a browser finds it.
    pub fn url(&self) -> std::io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}/", self.listener.local_addr()?))
    }

    /// Serves until shutdown; then requests that are under way have a little time.
    pub async fn serve(self, part: Part) -> anyhow::Result<()> {
        let handle = Handle::new();
        let ending = end_with(handle.clone(), self.shutdown.clone());
        let renewing_token = async {
            if let Some(token) = self.token {
                token.follow(self.shutdown.clone()).await;
            }
        };
        let server = axum_server::from_tcp(self.listener)?.handle(handle);
        part.ready();
        let service = self.router.into_make_service();
        let serving = async {
            match self.tls {
                None => limited(server).serve(service).await,
                Some((config, renewal)) => {
                    let server = server.acceptor(RustlsAcceptor::new(config.clone()));
                    let renewing = renewal.follow(self.shutdown.clone(), move |renewed| {
                        config.reload_from_config(renewed);
                    });
                    tokio::join!(limited(server).serve(service), renewing).0
                }
            }
        };
        let (outcome, (), ()) = tokio::join!(serving, renewing_token, ending);
        outcome.context("api: the server failed")
    }
}

async fn end_with(handle: Handle<SocketAddr>, shutdown: CancellationToken) {
    shutdown.cancelled().await;
    handle.graceful_shutdown(Some(LAST_REQUESTS));
}

fn limited<A>(server: Server<SocketAddr, A>) -> Server<SocketAddr, LimitedAcceptor<A>> {
    let mut server = server
        .map(|acceptor| LimitedAcceptor::new(acceptor, MOST_CONNECTIONS))
        .first_request_timeout(HEADERS_DEADLINE);
    server.http_builder().http1().header_read_timeout(HEADERS_DEADLINE);
    server
}
