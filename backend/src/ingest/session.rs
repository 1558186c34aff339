//! One stream of one publisher, from its greeting to its end.

use super::decode;
use super::greeting::{self, Greeting};
use super::identity::Credential;
use super::rejection::{Frame, Refusal};
use super::service::{Place, Streams};
use crate::enrolment::Enrolment;
use crate::store::{Batch, Intake, Publisher, StoreError, Stored};
use event_model::{Lane, SourceId, Timestamp};
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use proto::wire::to_backend::Message;
use proto::wire::to_publisher_from_backend::Message as Answer;
use proto::wire::{self, ToBackend, ToPublisherFromBackend};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

/// From the first byte of a stream to its greeting.
const GREETING_DEADLINE: Duration = Duration::from_secs(10);
/// The longest that a peer may take to read an answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// Envelopes that were handed to the store and are not durable yet.
const MOST_PENDING: usize = 256;

/// What a publisher may send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    largest_envelope: usize,
    /// Bytes of payload that may be under way without an answer.
    credit: u64,
}

impl Limits {
    /// Credit for four of the largest envelopes keeps the line busy while one is being stored.
    pub(super) fn for_envelopes_of(largest_envelope: usize) -> Self {
        Self { largest_envelope, credit: 4 * largest_envelope as u64 }
    }
}

pub(super) struct Session {
    /// Who sends: what the certificate says, until the greeting tells the node that it may leave open.
    pub(super) publisher: Publisher,
    pub(super) credential: Credential,
    pub(super) intake: Intake,
    pub(super) enrolment: Option<Arc<Enrolment>>,
    pub(super) limits: Limits,
    pub(super) inbound: Streaming<ToBackend>,
    pub(super) answers: mpsc::Sender<Result<ToPublisherFromBackend, Status>>,
    pub(super) shutdown: CancellationToken,
    pub(super) streams: Arc<Streams>,
    /// Held from the greeting to the end.
    pub(super) place: Option<Place>,
}

/// Resolves when the credential of a stream counts no more: says why.
pub(super) type Withdrawal = Pin<Box<dyn Future<Output = &'static str> + Send>>;

/// An envelope whose answer is due, in the order of arrival.
type Pending = Pin<Box<dyn Future<Output = Settled> + Send>>;

struct Settled {
    frame: Frame,
    outcome: Outcome,
}

enum Outcome {
    Stored(SourceId, Lane, Stored),
    Refused(Refusal),
    Failed(StoreError),
}

impl Session {
    /// Serves the stream to its end, and tells the peer why it ends.
    pub(super) async fn run(mut self, address: SocketAddr, withdrawal: Withdrawal) {
        tracing::info!(publisher = %self.publisher, peer = %address, "publisher connected");
        let end = self.serve(withdrawal).await;
        let publisher = &self.publisher;
        match end {
            Ok(()) => tracing::info!(%publisher, peer = %address, "publisher disconnected"),
            Err(status) => {
                let (code, reason) = (status.code(), status.message().to_owned());
                tracing::warn!(%publisher, peer = %address, ?code, reason, "stream ended");
                let _ = self.answers.send_timeout(Err(status), ANSWER_DEADLINE).await;
            }
        }
    }

    async fn serve(&mut self, mut withdrawal: Withdrawal) -> Result<(), Status> {
        let denial = denied(self.enrolment.clone(), self.credential.clone());
        tokio::pin!(denial);
        tokio::select! {
            biased;
            status = &mut denial => return Err(status),
            greeted = self.greet() => greeted?,
        }
        let mut pending = FuturesOrdered::new();
        // Below zero where a peer sent more than it might: that is refused, and still counted.
        let mut credit = self.limits.credit.cast_signed();
        let expiry = tokio::time::sleep(self.credential_life());
        tokio::pin!(expiry);
        let mut end = None;
        loop {
            let reading = end.is_none();
            tokio::select! {
                biased;
                () = self.shutdown.cancelled(), if reading => {
                    end = Some(Err(Status::unavailable("the backend is being stopped: connect again")));
                }
                () = &mut expiry, if reading => {
                    end = Some(Err(Status::unauthenticated("the client's certificate or token has expired")));
                }
                why = &mut withdrawal, if reading => end = Some(Err(Status::unauthenticated(why))),
                status = &mut denial, if reading => end = Some(Err(status)),
                Some(settled) = pending.next(), if !pending.is_empty() => {
                    credit += self.settle(settled).await?.cast_signed();
                }
                message = self.inbound.message(), if reading && pending.len() < MOST_PENDING => {
                    match message {
                        Ok(Some(message)) => pending.push_back(self.take(message, &mut credit).await?),
                        Ok(None) => end = Some(Ok(())),
                        Err(status) => end = Some(broken_off(status)),
                    }
                }
            }
            if pending.is_empty()
                && let Some(end) = end.take()
            {
                return end;
            }
        }
    }

    async fn greet(&mut self) -> Result<(), Status> {
        let first = tokio::time::timeout(GREETING_DEADLINE, self.inbound.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no Hello came"))??;
        let Greeting { version, description } = greeting::read(first)?;
        let publisher = self.identify(&description.node)?;
        if description.node != *publisher.node {
            let says = description.node.as_str();
            tracing::warn!(%publisher, says, "the publisher's node is not that of its certificate");
        }
        let source = description.id;
        let held =
            self.intake.greet(publisher, description).await.map_err(|error| refusal(&error))?;
        let already_held =
            held.into_iter().map(|(lane, through)| acknowledgement(source, lane, through));
        self.answer(Answer::Welcome(wire::Welcome {
            version,
            maximum_envelope_bytes: self.limits.largest_envelope as u64,
            initial_credit_bytes: self.limits.credit,
            already_held: already_held.collect(),
        }))
        .await
    }

    /// Settles who the peer is, and takes its place among the streams of its node.
    fn identify(&mut self, node: &str) -> Result<Publisher, Status> {
        let publisher = self
            .credential
            .publisher(node)
            .map_err(|error| super::service::unidentified(&error))?;
        self.place = Some(self.streams.enter(&publisher)?);
        self.publisher = publisher.clone();
        Ok(publisher)
    }

    fn credential_life(&self) -> Duration {
        let left = self.credential.valid_until.0.saturating_sub(Timestamp::now().0);
        // A timer takes no longer than two years; who is still connected then connects again.
        Duration::from_nanos(left).min(Duration::from_hours(2 * 365 * 24))
    }

    /// Takes a message in. The stream's order is kept: batches are handed over before the next
    /// message is read.
    async fn take(&mut self, message: ToBackend, credit: &mut i64) -> Result<Pending, Status> {
        let Some(Message::Envelope(raw)) = message.message else {
            return Err(Status::invalid_argument("after the Hello, only envelopes are expected"));
        };
        let frame = Frame::from(&raw);
        let payload = i64::try_from(frame.bytes).unwrap_or(i64::MAX);
        let checked = decode::check(raw, self.limits.largest_envelope);
        if payload > *credit && checked.is_ok() {
            return Err(Status::resource_exhausted(format!(
                "the envelope has {payload} bytes, the credit is {credit}"
            )));
        }
        *credit -= payload;
        let handed_over = match checked {
            Ok(envelope) => self.hand_over(envelope).await,
            Err(refusal) => Err(Outcome::Refused(refusal)),
        };
        Ok(Box::pin(async move {
            let outcome = match handed_over {
                Ok((source, lane, answer)) => match answer.await {
                    Ok(Ok(stored)) => Outcome::Stored(source, lane, stored),
                    Ok(Err(error)) if error.is_final() => {
                        Outcome::Refused(Refusal::new("unstorable", error.to_string()))
                    }
                    Ok(Err(error)) => Outcome::Failed(error),
                    Err(_) => Outcome::Failed(StoreError::Stopped),
                },
                Err(outcome) => outcome,
            };
            Settled { frame, outcome }
        }))
    }

    async fn hand_over(
        &self,
        envelope: proto::Envelope,
    ) -> Result<(SourceId, Lane, oneshot::Receiver<Result<Stored, StoreError>>), Outcome> {
        let (source, lane) = (envelope.source(), envelope.lane());
        let first_sequence = envelope.first_sequence();
        let mut room = self.intake.room(&envelope).await.map_err(Outcome::Failed)?;
        let records = decode::decode(envelope.clone()).await.map_err(Outcome::Refused)?;
        Intake::give_back(&mut room, &envelope);
        let batch = Batch {
            publisher: self.publisher.clone(),
            source,
            lane,
            first_sequence,
            records,
            received_at: Timestamp::now(),
            room,
        };
        let answer = self.intake.store(batch).map_err(Outcome::Failed)?;
        Ok((source, lane, answer))
    }

    /// Answers for an envelope, and gives its credit back.
    async fn settle(&mut self, Settled { frame, outcome }: Settled) -> Result<u64, Status> {
        let bytes = frame.bytes as u64;
        match outcome {
            Outcome::Stored(source, lane, stored) => {
                let answer = acknowledgement(source, lane, stored.through);
                self.answer(Answer::Acknowledgement(answer)).await?;
            }
            Outcome::Refused(refusal) => {
                let publisher = &self.publisher;
                let (reason, error) = (refusal.reason, refusal.message.as_str());
                let first = frame.first_sequence;
                tracing::warn!(%publisher, reason, error, first, "envelope refused");
                self.answer(Answer::Rejection(refusal.answer(frame))).await?;
            }
            Outcome::Failed(error) => return Err(refusal(&error)),
        }
        self.answer(Answer::Credit(wire::Credit { bytes })).await?;
        Ok(bytes)
    }

    async fn answer(&self, message: Answer) -> Result<(), Status> {
        let answer = ToPublisherFromBackend { message: Some(message) };
        self.answers.send_timeout(Ok(answer), ANSWER_DEADLINE).await.map_err(|_| {
            Status::deadline_exceeded("the publisher does not read its acknowledgements")
        })
    }
}

/// Resolves when what the peer proved itself by is not believed any more.
async fn denied(enrolment: Option<Arc<Enrolment>>, credential: Credential) -> Status {
    let Some(enrolment) = enrolment else { return std::future::pending().await };
    let refusal = enrolment.denied(&credential).await;
    metrics::counter!("defender_ingest_rejected_total", "reason" => "denied").increment(1);
    refusal.into()
}

fn acknowledgement(source: SourceId, lane: Lane, through_sequence: u64) -> wire::Acknowledgement {
    wire::Acknowledgement {
        source_id: source.0.as_bytes().to_vec(),
        lane: proto::lane_to_wire(lane).into(),
        through_sequence,
    }
}

/// Why the store does not take a batch that it may take later.
fn refusal(error: &StoreError) -> Status {
    Status::unavailable(format!("the store takes no batches: {error}"))
}

/// What the end of the inbound side means. A connection that broke is no one's fault.
fn broken_off(status: Status) -> Result<(), Status> {
    match status.code() {
        Code::OutOfRange => {
            metrics::counter!("defender_ingest_rejected_total", "reason" => "too_large")
                .increment(1);
            Err(status)
        }
        Code::Cancelled | Code::Unknown => Ok(()),
        _ => Err(status),
    }
}
