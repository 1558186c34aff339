//! Receivers of OpenTelemetry logs as destinations beside the backend.
//!
//! Each has a task, a position in the spool and a bound of memory of its own: one that is away holds up nobody else. Only
//! here is read what the envelopes hold: each record becomes a log record whose body is an event of OCSF (docs/otlp.md).
//!
//! A request is answered before the position advances, so a crash sends again what was not: at least once. Each log record
//! has the same `log.record.uid` each time, by which a receiver can tell.

pub mod answer;
mod attributes;
mod batch;
mod client;
mod connection;
mod credentials;
mod delivery;
mod grpc;
mod http;
mod log_record;
mod resource;
mod trouble;
mod value;

use crate::config::{OtlpSection, ProxySection};
use crate::spool::Outlet;
use delivery::{Delivery, Step};
use event_model::Lane;
use node_link::Pauses;
use service_runtime::Part;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use trouble::Trouble;

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Memory that decoded envelopes of all destinations may take, in the units of its permits.
const DECODED_MEBIBYTES: usize = 48;

/// What all destinations share: room for what they decode.
pub fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(DECODED_MEBIBYTES))
}

/// The lanes that a destination reads: those that go there, and of what completes them. Entities complete events, and a
/// status tells who its source is.
pub fn lanes_read(section: &OtlpSection) -> Vec<Lane> {
    let is_read =
        |lane: &Lane| section.lanes.contains(lane) || matches!(lane, Lane::Entity | Lane::Alert);
    Lane::ALL.into_iter().filter(is_read).collect()
}

/// Carries what is in the spool to one receiver.
pub struct Otlp {
    section: OtlpSection,
    delivery: Delivery,
    part: Part,
    problem: watch::Sender<Option<String>>,
    /// What happened last, unless something was delivered since.
    trouble: Option<Trouble>,
}

impl Otlp {
    /// A destination that is not connected yet; `part` tells its readiness. `room` is shared by all destinations.
    pub fn new(
        section: OtlpSection,
        proxy: ProxySection,
        node: String,
        outlet: Outlet,
        part: Part,
        room: Arc<Semaphore>,
    ) -> Self {
        let delivery = Delivery::new(section.clone(), proxy, node, outlet, room);
        Self { section, delivery, part, problem: watch::Sender::new(None), trouble: None }
    }

    /// Why nothing goes there, and the way out; None while all is well.
    pub fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// Delivers until `shutdown`. Trouble is told by readiness, log and metrics, and tried again with growing pauses;
    /// the spool keeps everything meanwhile.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut pauses = Pauses::new(SHORTEST_PAUSE, LONGEST_PAUSE);
        self.gauge_connected(0.0);
        loop {
            let step = tokio::select! {
                step = self.delivery.step() => step,
                () = shutdown.cancelled() => return,
            };
            match step {
                Ok(step) => self.note(step, &mut pauses),
                Err(trouble) => {
                    let is_idle_end = self.delivery.was_answered() && trouble.is_broken();
                    self.delivery.begin_anew();
                    // Receivers end connections that rest; only a second one in a row is trouble.
                    if is_idle_end {
                        continue;
                    }
                    self.tell(trouble);
                    let pause = self.pause_at_least().max(pauses.next_pause());
                    if tokio::time::timeout(pause, shutdown.cancelled()).await.is_ok() {
                        return;
                    }
                }
            }
        }
    }

    fn note(&mut self, step: Step, pauses: &mut Pauses) {
        match step {
            Step::Connected => {
                // That it listens tells nothing of whether it takes what is sent.
                if self.trouble.as_ref().is_none_or(Trouble::is_about_connecting) {
                    self.set_well();
                }
            }
            Step::Delivered => {
                pauses.note_connection(true, Duration::ZERO);
                self.set_well();
            }
            Step::Nothing => {}
        }
    }

    fn pause_at_least(&self) -> Duration {
        self.trouble.as_ref().map_or(Duration::ZERO, Trouble::pause_at_least)
    }

    fn set_well(&mut self) {
        self.trouble = None;
        self.gauge_connected(1.0);
        self.part.ready();
        self.problem.send_if_modified(|before| before.take().is_some());
    }

    fn tell(&mut self, trouble: Trouble) {
        let (name, reason) = (self.section.name.clone(), trouble.reason());
        metrics::counter!("defender_otlp_failures_total", "destination" => name, "reason" => reason)
            .increment(1);
        self.gauge_connected(0.0);
        let text = format!("otlp destination {}: {trouble}", self.section.name);
        // The part logs a reason when it changes, so trouble that lasts is logged once.
        self.part.not_ready(text.clone());
        self.problem.send_if_modified(|before| {
            let is_other = before.as_ref() != Some(&text);
            *before = Some(text);
            is_other
        });
        self.trouble = Some(trouble);
    }

    fn gauge_connected(&self, value: f64) {
        let name = self.section.name.clone();
        metrics::gauge!("defender_otlp_connected", "destination" => name).set(value);
    }
}
