//! The only way out of the node: one stream to the backend, over mutual TLS.

mod connection;
mod credentials;
mod session;
mod trouble;

use crate::config::BackendSection;
use crate::spool::Spool;
use event_model::SourceDescription;
use node_link::Pauses;
use service_runtime::Part;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trouble::Trouble;

const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Certificate files may be mounted any moment.
const PAUSE_FOR_FILES: Duration = Duration::from_secs(3);

/// Carries what is in the spool to the backend, over one connection after another.
pub struct Egress {
    section: BackendSection,
    source: SourceDescription,
    spool: Spool,
    part: Part,
    problem: watch::Sender<Option<String>>,
}

impl Egress {
    /// An egress that is not connected yet; `part` tells its readiness.
    pub fn new(
        section: BackendSection,
        source: SourceDescription,
        spool: Spool,
        part: Part,
    ) -> Self {
        Self { section, source, spool, part, problem: watch::Sender::new(None) }
    }

    /// Why nothing goes out, and the way out; None while the backend is connected.
    pub fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// Delivers until `shutdown`. Trouble is told by readiness, log and metrics, and tried again with growing
    /// pauses; the spool keeps everything meanwhile.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut pauses = Pauses::new(SHORTEST_PAUSE, LONGEST_PAUSE);
        while !shutdown.is_cancelled() {
            let trouble = match self.converse(&shutdown, &mut pauses).await {
                Ok(()) => break,
                Err(trouble) => trouble,
            };
            self.spool.rewind();
            self.tell(&trouble);
            let next = pauses.next_pause();
            let pause = if trouble.is_about_files() { PAUSE_FOR_FILES } else { next };
            let _ = tokio::time::timeout(pause, shutdown.cancelled()).await;
        }
    }

    /// One connection. Ends well only with the program.
    async fn converse(
        &self,
        shutdown: &CancellationToken,
        pauses: &mut Pauses,
    ) -> Result<(), Trouble> {
        let mut session = tokio::select! {
            opened = session::open(&self.section, &self.source, &self.spool) => opened?,
            () = shutdown.cancelled() => return Ok(()),
        };
        tracing::info!(backend = self.section.url, "connected to the backend");
        self.set_connected(true);
        let begun = Instant::now();
        let ended = session.run(shutdown).await;
        pauses.note_connection(session.was_acknowledged(), begun.elapsed());
        self.set_connected(false);
        ended
    }

    fn set_connected(&self, is_connected: bool) {
        metrics::gauge!("defender_egress_connected").set(if is_connected { 1.0 } else { 0.0 });
        if is_connected {
            self.part.ready();
            self.problem.send_replace(None);
        }
    }

    fn tell(&self, trouble: &Trouble) {
        metrics::counter!("defender_egress_reconnects_total", "reason" => trouble.reason())
            .increment(1);
        // The part logs a reason when it changes, so trouble that lasts is logged once.
        self.part.not_ready(trouble.to_string());
        let text = trouble.to_string();
        self.problem.send_if_modified(|before| {
            let is_other = before.as_ref() != Some(&text);
            *before = Some(text);
            is_other
        });
    }
}
