use super::connection::{self, TlsVerdict};
use super::trouble::Trouble;
use crate::config::BackendSection;
use crate::spool::{Outgoing, Spool};
use event_model::{Lane, LossReason, SourceDescription, SourceId};
use proto::wire::{to_backend, to_publisher_from_backend as from_backend};
use proto::{PROTOCOL_VERSION, lane_from_wire, wire};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use uuid::Uuid;

const GREETING: Duration = Duration::from_secs(10);

/// Once the program is to end, acknowledgements of what was sent are waited for this long: each spares a batch
/// from being sent again after the restart.
const LAST_ACKNOWLEDGEMENTS: Duration = Duration::from_secs(2);

/// An eighth of the credit is kept for alerts, so that they overtake when telemetry used up the rest.
const ALERT_RESERVE: u64 = 8;

/// Envelopes taken from the spool in one go.
const ENVELOPES_AT_ONCE: usize = 64;

/// Bytes taken from the spool in one go: the credit may be large, this process's memory is not.
const BYTES_AT_ONCE: u64 = 1 << 20;

/// One connection to the backend on which the greetings were exchanged.
pub(crate) struct Session<'a> {
    spool: &'a Spool,
    frames: UnboundedSender<wire::ToBackend>,
    answers: Streaming<wire::ToPublisherFromBackend>,
    verdict: TlsVerdict,
    section: &'a BackendSection,
    credit: u64,
    granted: u64,
    reserve: u64,
    maximum_envelope_bytes: u64,
    was_acknowledged: bool,
}

/// Connects and greets.
pub(crate) async fn open<'a>(
    section: &'a BackendSection,
    source: &SourceDescription,
    spool: &'a Spool,
) -> Result<Session<'a>, Trouble> {
    let (client, verdict) = connection::open(section).await?;
    let greeted = tokio::time::timeout(GREETING, greet(client, source)).await;
    let timeout = Trouble::Timeout { during: "greeting", seconds: GREETING.as_secs() };
    let greeted = greeted.unwrap_or(Err(timeout));
    let (frames, answers, welcome) = greeted.map_err(|it| verdict.explain(section, it))?;
    check(&welcome)?;
    Ok(Session {
        spool,
        frames,
        answers,
        verdict,
        section,
        credit: welcome.initial_credit_bytes,
        granted: welcome.initial_credit_bytes,
        reserve: welcome.initial_credit_bytes / ALERT_RESERVE,
        maximum_envelope_bytes: welcome.maximum_envelope_bytes,
        was_acknowledged: false,
    })
}

type Greeted =
    (UnboundedSender<wire::ToBackend>, Streaming<wire::ToPublisherFromBackend>, wire::Welcome);

async fn greet(
    mut client: wire::ingest_client::IngestClient<tonic::transport::Channel>,
    source: &SourceDescription,
) -> Result<Greeted, Trouble> {
    // Unbounded in form only: the backend's credit bounds what is in it.
    let (frames, stream) = unbounded_channel();
    let hello = wire::Hello {
        minimum_version: PROTOCOL_VERSION,
        maximum_version: PROTOCOL_VERSION,
        source: Some(proto::description_to_wire(source)),
    };
    let hello = wire::ToBackend { message: Some(to_backend::Message::Hello(hello)) };
    frames.send(hello).map_err(|_| Trouble::Closed)?;
    let response = client.publish(UnboundedReceiverStream::new(stream)).await;
    let mut answers = response.map_err(refusal)?.into_inner();
    let first = answers.message().await.map_err(refusal)?;
    match first.and_then(|first| first.message) {
        Some(from_backend::Message::Welcome(welcome)) => Ok((frames, answers, welcome)),
        Some(_) => Err(Trouble::Protocol("its first message is no Welcome".into())),
        None => Err(Trouble::Closed),
    }
}

/// A status that the backend sent, told from one that tonic made of a broken connection.
fn refusal(status: Status) -> Trouble {
    match std::error::Error::source(&status) {
        Some(_) => Trouble::Transport(status.message().to_owned()),
        None => Trouble::Refused(status),
    }
}

fn check(welcome: &wire::Welcome) -> Result<(), Trouble> {
    if welcome.version != PROTOCOL_VERSION {
        return Err(Trouble::Protocol(format!(
            "it chose version {}, this publisher offered {PROTOCOL_VERSION}",
            welcome.version
        )));
    }
    let usable = welcome.initial_credit_bytes - welcome.initial_credit_bytes / ALERT_RESERVE;
    if usable < welcome.maximum_envelope_bytes {
        let text = "its credit does not suffice for the largest envelope it takes";
        return Err(Trouble::Protocol(text.into()));
    }
    Ok(())
}

impl Session<'_> {
    /// Sends what is in the spool, as it comes, until the connection or the program ends.
    pub(crate) async fn run(&mut self, shutdown: &CancellationToken) -> Result<(), Trouble> {
        let spooled = self.spool.spooled();
        // What came before this connection is notified of already.
        let mut taking = Some(self.take());
        loop {
            tokio::select! {
                answer = self.answers.message() => {
                    self.take_answer(answer)?;
                    taking.get_or_insert_with(|| self.take());
                }
                taken = taken(&mut taking), if taking.is_some() => {
                    taking = self.send_all(taken)?.then(|| self.take());
                }
                () = spooled.notified(), if taking.is_none() => taking = Some(self.take()),
                () = shutdown.cancelled() => return self.finish().await,
            }
        }
    }

    /// Whether the backend stored anything over this connection.
    pub(crate) fn was_acknowledged(&self) -> bool {
        self.was_acknowledged
    }

    fn take(&self) -> oneshot::Receiver<Vec<Outgoing>> {
        let credit = self.credit.min(self.reserve + BYTES_AT_ONCE.max(self.maximum_envelope_bytes));
        self.spool.take(credit, self.reserve, self.maximum_envelope_bytes, ENVELOPES_AT_ONCE)
    }

    /// Sends; false where there was nothing.
    fn send_all(&mut self, taken: Vec<Outgoing>) -> Result<bool, Trouble> {
        let has_any = !taken.is_empty();
        for outgoing in taken {
            let bytes = outgoing.payload_bytes();
            if bytes > self.maximum_envelope_bytes {
                self.drop_oversized(&outgoing.envelope, bytes);
                continue;
            }
            self.credit = self.credit.saturating_sub(bytes);
            let message = Some(to_backend::Message::Envelope(outgoing.envelope));
            self.frames.send(wire::ToBackend { message }).map_err(|_| Trouble::Closed)?;
        }
        Ok(has_any)
    }

    fn drop_oversized(&self, envelope: &wire::Envelope, bytes: u64) {
        let maximum = self.maximum_envelope_bytes;
        tracing::error!(
            bytes,
            maximum,
            "an envelope is larger than the backend takes; it is dropped and counted"
        );
        let Some((lane, source)) = name(envelope.lane, &envelope.source_id) else { return };
        self.spool.reject(lane, source, envelope.first_sequence, LossReason::TooLarge);
    }

    fn take_answer(
        &mut self,
        answer: Result<Option<wire::ToPublisherFromBackend>, Status>,
    ) -> Result<(), Trouble> {
        let answer =
            answer.map_err(|status| self.verdict.explain(self.section, Trouble::Ended(status)))?;
        match answer.ok_or(Trouble::Closed)?.message {
            Some(from_backend::Message::Acknowledgement(it)) => {
                self.was_acknowledged = true;
                if let Some((lane, source)) = name(it.lane, &it.source_id) {
                    self.spool.acknowledge(lane, source, it.through_sequence);
                }
            }
            Some(from_backend::Message::Credit(more)) => {
                self.credit = self.credit.saturating_add(more.bytes).min(self.granted);
            }
            Some(from_backend::Message::Rejection(it)) => self.take_rejection(&it),
            Some(from_backend::Message::Welcome(_)) => {
                return Err(Trouble::Protocol("it sent a second Welcome".into()));
            }
            // A message of a later version that this one may pass over.
            None => {}
        }
        Ok(())
    }

    fn take_rejection(&self, rejection: &wire::Rejection) {
        let Some((lane, source)) = name(rejection.lane, &rejection.source_id) else { return };
        let reason = rejection.reason.as_str();
        tracing::error!(%lane, %source, first_sequence = rejection.first_sequence, reason,
            "the backend will never take an envelope; it is dropped and counted");
        self.spool.reject(lane, source, rejection.first_sequence, LossReason::Rejected);
    }

    /// Takes the acknowledgements that are on their way.
    async fn finish(&mut self) -> Result<(), Trouble> {
        let rest = async {
            while self.credit < self.granted {
                let answer = self.answers.message().await;
                self.take_answer(answer)?;
            }
            Ok(())
        };
        tokio::time::timeout(LAST_ACKNOWLEDGEMENTS, rest).await.unwrap_or(Ok(()))
    }
}

/// Waits for what the spool hands out; nothing where the spool is closed.
async fn taken(taking: &mut Option<oneshot::Receiver<Vec<Outgoing>>>) -> Vec<Outgoing> {
    match taking {
        Some(receiver) => receiver.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

fn name(lane: i32, source_id: &[u8]) -> Option<(Lane, SourceId)> {
    let source = Uuid::from_slice(source_id).ok()?;
    Some((lane_from_wire(lane).ok()?, SourceId(source)))
}
