//! How this node gets its certificate, and the next one in time.
//!
//! The key is made here and never leaves the node. Without a certificate that holds, the bootstrap token
//! (`request`) brings one; from then on each is renewed with the one before, at about two thirds of its life.
//! Key and certificate lie in one file (`identity`), which is replaced as a whole: there is never one without
//! the other. Egress reads it at each connection.

mod bootstrap_token;
mod clock;
mod identity;
mod problem;
mod request;

pub use identity::path as identity_path;

use crate::config::{BackendSection, EnrolmentSection, ProxySection};
use crate::egress::settings::Settings;
use clock::Clock;
use identity::Identity;
use node_link::Pauses;
use problem::Problem;
use service_runtime::Part;
use std::convert::Infallible;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// A certificate that is refused so soon is not followed by another at once: two publishers that were given one name
/// would take it from each other without end.
const REFUSED_AGAIN: Duration = Duration::from_secs(15);
/// How often is looked whether a certificate is to be renewed, since clocks are set.
const LONGEST_LOOK: Duration = Duration::from_secs(30);
/// The parts of a certificate's life after which it is renewed: two thirds, and not all nodes at once.
const RENEWED_AFTER: std::ops::Range<f64> = 0.62..0.70;

/// From when and until when the certificate in a node's file holds: seconds since 1970.
pub fn validity(identity_file: &[u8], node: &str) -> Result<(u64, u64), String> {
    identity::parse(identity_file, node).map(|it| (it.not_before, it.not_after))
}

/// Keeps this node's certificate valid.
pub struct Enrolment {
    section: EnrolmentSection,
    backend: BackendSection,
    proxy: ProxySection,
    node: String,
    part: Part,
    /// When the last connection began whose certificate the backend did not believe.
    refused: watch::Receiver<Option<Instant>>,
    enrolled: watch::Sender<bool>,
    problem: watch::Sender<Option<String>>,
    clock: Clock,
    held: Option<Held>,
    /// A new identity that is not on the disk yet.
    unwritten: Option<Identity>,
}

struct Held {
    identity: Identity,
    /// When it came; None: it lay there at the start.
    since: Option<Instant>,
    /// When it is to be renewed, seconds since 1970 by the backend's clock.
    renewal: u64,
}

impl Held {
    /// How long it is kept though the backend does not believe it.
    fn rest(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| REFUSED_AGAIN.saturating_sub(since.elapsed()))
    }
}

/// Waits for the first certificate.
pub struct Enrolled(watch::Receiver<bool>);

impl Enrolled {
    /// Resolves when there is a certificate, or the program is to end.
    pub async fn wait(mut self, shutdown: &CancellationToken) {
        let _ = shutdown.run_until_cancelled(self.0.wait_for(|enrolled| *enrolled)).await;
    }
}

impl Enrolment {
    /// An enrolment that has not begun; `refused` tells of connections whose certificate was not believed.
    pub fn new(
        section: EnrolmentSection,
        (backend, proxy): (BackendSection, ProxySection),
        node: String,
        part: Part,
        refused: watch::Receiver<Option<Instant>>,
    ) -> Self {
        Self {
            section,
            backend,
            proxy,
            node,
            part,
            refused,
            enrolled: watch::Sender::new(false),
            problem: watch::Sender::new(None),
            clock: Clock::default(),
            held: None,
            unwritten: None,
        }
    }

    /// What waits for the first certificate.
    pub fn enrolled(&self) -> Enrolled {
        Enrolled(self.enrolled.subscribe())
    }

    /// Why there is no new certificate though one is due.
    pub fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// Gets and renews certificates until `shutdown`. Trouble is told by readiness, log and metrics, and tried again
    /// with growing pauses.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Infallible> {
        let mut pauses = Pauses::new(SHORTEST_PAUSE, LONGEST_PAUSE);
        self.take_up().await;
        while shutdown.run_until_cancelled(self.due()).await.is_some() {
            // What is asked for then is asked for again after the next start.
            let Some(proceeded) = shutdown.run_until_cancelled(Box::pin(self.proceed())).await
            else {
                break;
            };
            let pause = match proceeded {
                Ok(()) => {
                    pauses = Pauses::new(SHORTEST_PAUSE, LONGEST_PAUSE);
                    continue;
                }
                Err(problem) => {
                    self.tell(&problem);
                    pauses.next_pause()
                }
            };
            let _ = shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
        Ok(())
    }

    /// Takes up the identity that lies on the disk, where it is one of this node.
    async fn take_up(&mut self) {
        let (path, node) = (identity::path(&self.section.directory), self.node.clone());
        let read = tokio::task::spawn_blocking(move || identity::read(&path, &node)).await;
        match read {
            Ok(Ok(Some(identity))) => {
                let life = identity.not_after.saturating_sub(identity.not_before);
                let renewal = identity.not_after.saturating_sub(life / 3);
                self.hold(Held { identity, since: None, renewal });
            }
            Ok(Ok(None)) | Err(_) => {}
            Ok(Err(problem)) => tracing::warn!(%problem, "the certificate on the disk is not used"),
        }
        if !self.is_valid() {
            self.part.not_ready("this node has no certificate yet");
        }
    }

    /// Resolves when there is something to do.
    async fn due(&mut self) {
        if self.unwritten.is_some() {
            return;
        }
        while let Some(held) = &self.held {
            let left = Duration::from_secs(held.renewal.saturating_sub(self.clock.now()));
            let wait = if self.is_refused() { held.rest() } else { left.min(LONGEST_LOOK) };
            if left.is_zero() || wait.is_zero() {
                return;
            }
            let _ = tokio::time::timeout(wait, self.refused.changed()).await;
        }
    }

    /// Whether the backend did not believe the very certificate that is held.
    fn is_refused(&self) -> bool {
        let Some(held) = &self.held else { return false };
        match (*self.refused.borrow(), held.since) {
            (Some(begun), Some(since)) => begun > since,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Gets what is missing.
    async fn proceed(&mut self) -> Result<(), Problem> {
        if self.unwritten.is_none() {
            self.unwritten = Some(self.ask().await?);
        }
        let Some(identity) = self.unwritten.clone() else { return Ok(()) };
        let (directory, writing) = (self.section.directory.clone(), identity.clone());
        let written =
            tokio::task::spawn_blocking(move || identity::write(&directory, &writing)).await;
        written.unwrap_or_else(|error| Err(Problem::unfinished(&error)))?;
        self.unwritten = None;
        let now = self.clock.now();
        let life = identity.not_after.saturating_sub(now);
        let part =
            RENEWED_AFTER.start + fastrand::f64() * (RENEWED_AFTER.end - RENEWED_AFTER.start);
        let renewal = now + Duration::from_secs(life).mul_f64(part).as_secs();
        tracing::info!(serial = identity.serial, seconds = life, "this node has a new certificate");
        self.hold(Held { identity, since: Some(Instant::now()), renewal });
        Ok(())
    }

    /// Asks for a certificate: with the one that is held, or else with the bootstrap token.
    async fn ask(&mut self) -> Result<Identity, Problem> {
        if let Some(held) = self.held.as_ref().filter(|_| self.is_valid()) {
            match request::renew(self.settings(), &held.identity, &self.node).await {
                Err(problem) if problem.is_about_certificate() => {
                    tracing::warn!(%problem, "not renewed: this node enrols again");
                }
                answer => return self.taken("renewal", answer),
            }
        }
        let answer = request::enrol(self.settings(), &self.section, &self.node).await;
        self.taken("token", answer)
    }

    fn settings(&self) -> Settings<'_> {
        Settings { backend: &self.backend, proxy: &self.proxy }
    }

    fn taken(
        &mut self,
        kind: &'static str,
        answer: Result<request::Answer, Problem>,
    ) -> Result<Identity, Problem> {
        let outcome = if answer.is_ok() { "issued" } else { "failed" };
        metrics::counter!("defender_enrolment_attempts_total", "kind" => kind, "outcome" => outcome)
            .increment(1);
        let request::Answer { identity, issued_at } = answer?;
        let off = self.clock.set(issued_at);
        if off.unsigned_abs() > CLOCK_TOLERANCE {
            tracing::warn!(
                seconds = off,
                "this node's clock is ahead of the backend's by so many seconds (behind it, where negative): set it"
            );
        }
        Ok(identity)
    }

    fn hold(&mut self, held: Held) {
        #[allow(clippy::cast_precision_loss)] // A gauge is a floating-point number.
        metrics::gauge!("defender_enrolment_certificate_expiration_timestamp_seconds")
            .set(held.identity.not_after as f64);
        self.held = Some(held);
        self.problem.send_replace(None);
        if self.is_valid() {
            self.part.ready();
            self.enrolled.send_replace(true);
        }
    }

    /// Whether the certificate that is held holds now.
    fn is_valid(&self) -> bool {
        let now = self.clock.now();
        self.held.as_ref().is_some_and(|held| held.identity.not_after > now)
    }

    /// A problem while there is a certificate that holds is logged; without, this node is not ready.
    fn tell(&self, problem: &Problem) {
        self.problem.send_replace(Some(problem.to_string()));
        if self.is_valid() && !self.is_refused() {
            tracing::warn!(%problem, "this node's certificate is not renewed yet");
        } else {
            self.part.not_ready(problem.to_string());
        }
    }
}

/// Seconds that clocks may differ.
const CLOCK_TOLERANCE: u64 = 60;
