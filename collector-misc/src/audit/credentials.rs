use super::config::AuditConfig;
use super::refusal::Refusal;
use anyhow::Context;
use arc_swap::ArcSwap;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, UnixTime};
use server_credentials::{Clients, Renewal, Token};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What the receiver shows, and what it wants to see.
pub(super) struct Credentials {
    tls: ArcSwap<ServerConfig>,
    clients: watch::Receiver<Clients>,
    token: Option<Arc<Token>>,
}

/// What follows the files of the [`Credentials`].
pub(super) struct Following {
    credentials: Arc<Credentials>,
    renewal: Renewal,
}

impl Credentials {
    /// Reads the files for the first time.
    pub(super) fn read(config: &AuditConfig) -> anyhow::Result<(Arc<Self>, Following)> {
        let (tls, renewal) = Renewal::begin(config.tls_files())
            .context("see audit.certificate_file, key_file and client_ca_file")?;
        let token = config.token_path().map(Token::read).transpose().context("audit.token_file")?;
        let (tls, token) = (ArcSwap::new(tls), token.map(Arc::new));
        let credentials = Arc::new(Self { tls, clients: renewal.clients(), token });
        let following = Following { credentials: Arc::clone(&credentials), renewal };
        Ok((credentials, following))
    }

    /// For the next handshake.
    pub(super) fn tls(&self) -> Arc<ServerConfig> {
        self.tls.load_full()
    }

    /// Whether a caller may send events: now, whatever was true when it connected. `chain` is its certificate and those between it
    /// and the authority.
    pub(super) fn check(
        &self,
        chain: &[CertificateDer<'static>],
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if self.is_certified(chain) || self.shows_token(headers) {
            return Ok(());
        }
        Err(Refusal::Unauthorised)
    }

    fn is_certified(&self, chain: &[CertificateDer<'static>]) -> bool {
        let Some((own, between)) = chain.split_first() else { return false };
        let clients = Arc::clone(&self.clients.borrow());
        clients.offer_client_auth()
            && clients.verify_client_cert(own, between, UnixTime::now()).is_ok()
    }

    fn shows_token(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return false };
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.split_once(' '));
        shown.is_some_and(|(scheme, shown)| {
            scheme.eq_ignore_ascii_case("bearer") && token.is(shown.trim_start())
        })
    }
}

impl Following {
    /// Takes up what changed in the files, until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let credentials = self.credentials;
        let token = async {
            if let Some(token) = &credentials.token {
                Arc::clone(token).follow(shutdown.clone()).await;
            }
        };
        let renewed = |config| credentials.tls.store(config);
        let renewing = self.renewal.follow(shutdown.clone(), renewed);
        tokio::join!(renewing, token);
    }
}
