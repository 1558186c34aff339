//! The way to the backend: one stream over TLS 1.3, with a client certificate or a bearer token.
//!
//! `circuits` says which of the backend's addresses is tried when; `dial` reaches it, through a proxy where there is
//! one; `connection` speaks TLS and HTTP/2; `session` greets and carries; `renewal` says when a connection that works
//! is replaced by another.

mod circuits;
pub(crate) mod connection;
pub(crate) mod credentials;
pub(crate) mod endpoint;
mod metric_names;
mod renewal;
mod session;
pub(crate) mod settings;
pub(crate) mod trouble;

use crate::config::{BackendSection, ProxySection};
use crate::spool::Outlet;
use circuits::Circuits;
use endpoint::Endpoint;
use event_model::SourceDescription;
use node_link::Pauses;
use renewal::Reason;
use service_runtime::Part;
use session::{Link, Session};
use settings::Settings;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trouble::Trouble;

/// Certificate files may be mounted any moment.
const PAUSE_FOR_FILES: Duration = Duration::from_secs(3);

/// Between attempts to renew a connection, while the old one still carries.
const SHORTEST_RENEWAL_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_RENEWAL_PAUSE: Duration = Duration::from_mins(1);

/// Carries what is in the spool to the backend, over one connection after another.
pub struct Egress {
    backend: BackendSection,
    proxy: ProxySection,
    circuits: Circuits,
    source: SourceDescription,
    outlet: Outlet,
    part: Part,
    problem: watch::Sender<Option<String>>,
    refused: watch::Sender<Option<Instant>>,
}

/// A connection that broke: to which address, when it began, and why.
struct Broken {
    place: usize,
    begun: Instant,
    trouble: Trouble,
}

impl Egress {
    /// An egress that is not connected yet; `part` tells its readiness.
    pub fn new(
        backend: BackendSection,
        proxy: ProxySection,
        source: SourceDescription,
        outlet: Outlet,
        part: Part,
    ) -> Self {
        metric_names::describe();
        let circuits = Circuits::new(backend.url.0.iter().filter_map(|url| Endpoint::of(url)));
        let (problem, refused) = (watch::Sender::new(None), watch::Sender::new(None));
        Self { backend, proxy, circuits, source, outlet, part, problem, refused }
    }

    /// When the last connection began whose certificate the backend did not believe.
    pub fn refused(&self) -> watch::Receiver<Option<Instant>> {
        self.refused.subscribe()
    }

    /// Why nothing goes out, and the way out; None while the backend is connected.
    pub fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// Delivers until `shutdown`. Trouble is told by readiness, log and metrics, and tried again with growing
    /// pauses; the spool keeps everything meanwhile.
    pub async fn run(self, shutdown: CancellationToken) {
        while let Some(session) = shutdown.run_until_cancelled(self.connect()).await {
            self.set_connected(true);
            let ended = self.carry(session, &shutdown).await;
            self.set_connected(false);
            if let Err(Broken { place, begun, trouble }) = ended {
                self.outlet.rewind();
                self.circuits.failed(place);
                self.tell(place, begun, &trouble);
            }
        }
    }

    /// Tries the addresses until one welcomes us.
    async fn connect(&self) -> Session<'_> {
        loop {
            let (place, endpoint) = self.circuits.turn().await;
            let begun = Instant::now();
            match self.open(place, &endpoint).await {
                Ok(session) => return session,
                Err(trouble) => {
                    self.tell(place, begun, &trouble);
                    if trouble.is_about_files() {
                        tokio::time::sleep(PAUSE_FOR_FILES).await;
                    } else {
                        self.circuits.failed(place);
                    }
                }
            }
        }
    }

    async fn open(&self, place: usize, endpoint: &Endpoint) -> Result<Session<'_>, Trouble> {
        let opening = session::open(place, endpoint, self.settings(), &self.source, &self.outlet);
        // Large, and there once a connection.
        let session = Box::pin(opening).await?;
        self.circuits.connected(place);
        tracing::info!(backend = %endpoint, "connected to the backend");
        Ok(session)
    }

    /// Sends over a session and those that replace it. Ends well only with the program.
    async fn carry(
        &self,
        mut session: Session<'_>,
        shutdown: &CancellationToken,
    ) -> Result<(), Broken> {
        loop {
            let (link, begun) = (session.link(), Instant::now());
            let ended = tokio::select! {
                ended = session.run(shutdown) => Err(ended),
                next = self.successor(&link) => Ok(next),
            };
            let note = |session: &Session<'_>| {
                let was_acknowledged = session.was_acknowledged();
                self.circuits.note_connection(link.place, was_acknowledged, begun.elapsed());
            };
            match ended {
                Err(ended) => {
                    note(&session);
                    let place = link.place;
                    return ended.map_err(|trouble| Broken { place, begun, trouble });
                }
                Ok(next) => {
                    shutdown.run_until_cancelled(session.drain()).await;
                    note(&session);
                    // What was taken and not sent, or not answered in time.
                    self.outlet.rewind();
                    session = next;
                }
            }
        }
    }

    /// Another session in the place of one that works, once there is a reason for it.
    async fn successor(&self, link: &Link) -> Session<'_> {
        let mut pauses = Pauses::new(SHORTEST_RENEWAL_PAUSE, LONGEST_RENEWAL_PAUSE);
        let mut watch = renewal::Watch::begin(link, self.settings());
        loop {
            let reason = watch.reason(&self.circuits).await;
            let (place, endpoint) = match &reason {
                Reason::Files | Reason::Name => (link.place, self.circuits.endpoint(link.place)),
                Reason::Preferred(place, endpoint) => (*place, endpoint.clone()),
            };
            let opened = self.open(place, &endpoint).await;
            note_renewal(&reason, &endpoint, opened.as_ref().err());
            if let Ok(session) = opened {
                return session;
            }
            if let Reason::Preferred(place, _) = reason {
                self.circuits.failed(place);
            } else {
                tokio::time::sleep(pauses.next_pause()).await;
            }
        }
    }

    fn settings(&self) -> Settings<'_> {
        Settings { backend: &self.backend, proxy: &self.proxy }
    }

    fn set_connected(&self, is_connected: bool) {
        metrics::gauge!("defender_egress_connected").set(if is_connected { 1.0 } else { 0.0 });
        if is_connected {
            self.part.ready();
            self.problem.send_replace(None);
        }
    }

    fn tell(&self, place: usize, begun: Instant, trouble: &Trouble) {
        if trouble.is_about_our_certificate() {
            self.refused.send_replace(Some(begun));
        }
        metrics::counter!("defender_egress_reconnects_total", "reason" => trouble.reason())
            .increment(1);
        let text = match self.circuits.count() {
            1 => trouble.to_string(),
            _ => format!("{}: {trouble}", self.circuits.endpoint(place)),
        };
        // The part logs a reason when it changes, so trouble that lasts is logged once.
        self.part.not_ready(text.clone());
        self.problem.send_if_modified(|before| {
            let is_other = before.as_ref() != Some(&text);
            *before = Some(text);
            is_other
        });
    }
}

fn note_renewal(reason: &Reason, endpoint: &Endpoint, trouble: Option<&Trouble>) {
    let (reason, outcome) = (reason.name(), if trouble.is_none() { "done" } else { "failed" });
    if let Some(error) = trouble {
        tracing::warn!(%endpoint, reason, %error, "connection not renewed; the old one stays");
    }
    let labels = [("reason", reason), ("outcome", outcome)];
    metrics::counter!("defender_egress_renewals_total", &labels).increment(1);
}
