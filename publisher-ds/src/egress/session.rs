use super::connection::{self, Connection, TlsVerdict};
use super::credentials::Material;
use super::endpoint::Endpoint;
use super::settings::Settings;
use super::trouble::Trouble;
use crate::checked_status::CheckedStatus;
use crate::dial::Hop;
use crate::spool::{Outgoing, Outlet};
use event_model::{Lane, LossReason, SourceDescription, SourceId};
use proto::wire::{to_backend, to_publisher_from_backend as from_backend};
use proto::{PROTOCOL_VERSION, lane_from_wire, wire};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status, Streaming};
use uuid::Uuid;

const GREETING: Duration = Duration::from_secs(10);

/// Once the program is to end, acknowledgements of what was sent are waited for this long: each spares a batch
/// from being sent again after the restart.
const LAST_ACKNOWLEDGEMENTS: Duration = Duration::from_secs(2);

/// The same, once another connection is to take over: nothing else waits meanwhile.
const DRAIN: Duration = Duration::from_secs(10);

/// What a backend may take at most in one envelope (`ingest.maximum_envelope_bytes`). Were it less, all that is spooled
/// would be too large, and dropped.
const LEAST_ENVELOPE: u64 = 64 << 10;
const MOST_ENVELOPE: u64 = proto::MAXIMUM_BATCH_BYTES as u64;

/// What is under way lies in this process's memory.
const MOST_CREDIT: u64 = 4 * MOST_ENVELOPE;

/// An eighth of the credit is kept for alerts, so that they overtake when telemetry used up the rest.
const ALERT_RESERVE: u64 = 8;

/// Envelopes taken from the spool in one go.
const ENVELOPES_AT_ONCE: usize = 64;

/// Bytes taken from the spool in one go: the credit may be large, this process's memory is not.
const BYTES_AT_ONCE: u64 = 1 << 20;

/// One connection to the backend on which the greetings were exchanged.
pub(crate) struct Session<'a> {
    outlet: &'a Outlet,
    frames: UnboundedSender<wire::ToBackend>,
    answers: Streaming<wire::ToPublisherFromBackend>,
    link: Arc<Link>,
    settings: Settings<'a>,
    credit: u64,
    granted: u64,
    reserve: u64,
    maximum_envelope_bytes: u64,
    was_acknowledged: bool,
}

/// What a session runs over.
pub(crate) struct Link {
    /// Its place among the backend's addresses.
    pub(crate) place: usize,
    /// The files that it was made with.
    pub(crate) material: Material,
    pub(crate) hop: Hop,
    verdict: TlsVerdict,
}

/// Connects to the address at `place`, and greets.
pub(crate) async fn open<'a>(
    place: usize,
    endpoint: &Endpoint,
    settings: Settings<'a>,
    source: &SourceDescription,
    outlet: &'a Outlet,
) -> Result<Session<'a>, Trouble> {
    let Connection { client, bearer, verdict, material, hop } =
        connection::open(endpoint, settings).await?;
    let greeted = tokio::time::timeout(GREETING, greet(client, bearer, source)).await;
    let timeout = Trouble::Timeout { during: "greeting", seconds: GREETING.as_secs() };
    let greeted = greeted.unwrap_or(Err(timeout));
    let (frames, answers, welcome) = greeted.map_err(|it| verdict.explain(settings.backend, it))?;
    check(&welcome)?;
    Ok(Session {
        outlet,
        frames,
        answers,
        link: Arc::new(Link { place, material, hop, verdict }),
        settings,
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
    mut client: wire::ingest_client::IngestClient<CheckedStatus>,
    bearer: Option<MetadataValue<Ascii>>,
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
    let mut request = Request::new(UnboundedReceiverStream::new(stream));
    if let Some(bearer) = bearer {
        request.metadata_mut().insert("authorization", bearer);
    }
    let response = client.publish(request).await;
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
    if !(LEAST_ENVELOPE..=MOST_ENVELOPE).contains(&welcome.maximum_envelope_bytes)
        || welcome.initial_credit_bytes > MOST_CREDIT
    {
        let text = format!(
            "it takes envelopes of at most {} bytes with a credit of {}: no backend is set so",
            welcome.maximum_envelope_bytes, welcome.initial_credit_bytes
        );
        return Err(Trouble::Protocol(text));
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
        let spooled = self.outlet.spooled();
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

    /// What it runs over.
    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }

    /// Waits until everything that was sent is answered, for another connection goes on from there. What was taken
    /// and not sent is for the caller to rewind.
    pub(crate) async fn drain(&mut self) {
        if self.await_answers(DRAIN).await.is_err() {
            tracing::debug!("the connection ended before its last acknowledgements");
        }
    }

    /// Whether the backend stored anything over this connection.
    pub(crate) fn was_acknowledged(&self) -> bool {
        self.was_acknowledged
    }

    fn take(&self) -> oneshot::Receiver<Vec<Outgoing>> {
        let credit = self.credit.min(self.reserve + BYTES_AT_ONCE.max(self.maximum_envelope_bytes));
        self.outlet.take(credit, self.reserve, self.maximum_envelope_bytes, ENVELOPES_AT_ONCE)
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
        self.outlet.reject(lane, source, envelope.first_sequence, LossReason::TooLarge);
    }

    fn take_answer(
        &mut self,
        answer: Result<Option<wire::ToPublisherFromBackend>, Status>,
    ) -> Result<(), Trouble> {
        let answer = answer.map_err(|status| {
            self.link.verdict.explain(self.settings.backend, Trouble::Ended(status))
        })?;
        match answer.ok_or(Trouble::Closed)?.message {
            Some(from_backend::Message::Acknowledgement(it)) => {
                self.was_acknowledged = true;
                if let Some((lane, source)) = name(it.lane, &it.source_id) {
                    self.outlet.acknowledge(lane, source, it.through_sequence);
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
        self.outlet.reject(lane, source, rejection.first_sequence, LossReason::Rejected);
    }

    /// Takes the acknowledgements that are on their way.
    async fn finish(&mut self) -> Result<(), Trouble> {
        self.await_answers(LAST_ACKNOWLEDGEMENTS).await
    }

    async fn await_answers(&mut self, patience: Duration) -> Result<(), Trouble> {
        let rest = async {
            while self.credit < self.granted {
                let answer = self.answers.message().await;
                self.take_answer(answer)?;
            }
            Ok(())
        };
        tokio::time::timeout(patience, rest).await.unwrap_or(Ok(()))
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
