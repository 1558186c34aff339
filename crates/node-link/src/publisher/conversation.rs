use super::pace::Pace;
use super::receiver::{ReceiveError, Receiver};
use super::refusal::Refusal;
use super::service::{Limits, sort_out};
use event_model::{Lane, SourceId};
use futures::future::FutureExt;
use futures::stream::{FuturesOrdered, StreamExt};
use proto::wire::{to_collector, to_publisher};
use proto::{Envelope, lane_from_wire, lane_to_wire, wire};
use std::future::Future;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

/// Envelopes under way at once, over one connection: the credit counts bytes of payload, and an envelope may have
/// few. Beyond it the collector waits.
const ENVELOPES_UNDER_WAY: usize = 1024;

/// What one collector says after the greeting, and what it is answered.
pub(crate) struct Conversation {
    pub(crate) source: SourceId,
    /// Of the protocol.
    pub(crate) version: u32,
    pub(crate) frames: Streaming<wire::ToPublisher>,
    pub(crate) answers: mpsc::Sender<Result<wire::ToCollector, Status>>,
    pub(crate) limits: Limits,
    pub(crate) credit: u64,
    pub(crate) pace: Pace,
    /// Envelopes that were not taken over this connection.
    pub(crate) rejections: u32,
}

/// From this version on, an envelope that is not taken leaves the connection standing.
const VERSION_WITH_REJECTIONS: u32 = 2;

/// A collector of which so many envelopes are not taken over one connection is cut off.
const MOST_REJECTIONS: u32 = 64;

/// What one message of a collector comes to.
enum Taken {
    Envelope(Envelope),
    /// Nothing of it is kept, and the collector is told.
    Rejected(Vec<to_collector::Message>),
}

/// An envelope that became durable, or did not.
struct Settled {
    lane: Lane,
    through_sequence: u64,
    bytes: u64,
    outcome: Result<(), ReceiveError>,
}

/// Envelopes under way to the receiver, kept in order within each lane: a lane that waits holds up no other.
struct UnderWay<F: Future> {
    lanes: [FuturesOrdered<F>; Lane::ALL.len()],
}

impl<F: Future<Output = Settled>> UnderWay<F> {
    fn new() -> Self {
        Self { lanes: std::array::from_fn(|_| FuturesOrdered::new()) }
    }

    fn len(&self) -> usize {
        self.lanes.iter().map(FuturesOrdered::len).sum()
    }

    /// The next that is settled, in any lane; never ends while nothing is under way.
    async fn next(&mut self) -> Settled {
        let [alert, entity, inventory, telemetry] = &mut self.lanes;
        tokio::select! {
            biased;
            Some(settled) = alert.next() => settled,
            Some(settled) = entity.next() => settled,
            Some(settled) = inventory.next() => settled,
            Some(settled) = telemetry.next() => settled,
            else => std::future::pending().await,
        }
    }
}

/// What is to be told to the collector after some envelopes settled: one acknowledgement a lane.
#[derive(Default)]
struct Answer {
    through: [Option<u64>; Lane::ALL.len()],
    bytes: u64,
}

impl Answer {
    fn add(&mut self, settled: Settled) -> Result<(), ReceiveError> {
        settled.outcome?;
        self.through[settled.lane.index()] = Some(settled.through_sequence);
        self.bytes += settled.bytes;
        Ok(())
    }

    fn into_messages(self, source: SourceId) -> Vec<to_collector::Message> {
        let mut messages: Vec<_> = Lane::ALL
            .into_iter()
            .filter_map(|lane| {
                let through_sequence = self.through[lane.index()]?;
                Some(to_collector::Message::Acknowledgement(wire::Acknowledgement {
                    source_id: source.0.as_bytes().to_vec(),
                    lane: lane_to_wire(lane).into(),
                    through_sequence,
                }))
            })
            .collect();
        if self.bytes > 0 {
            messages.push(to_collector::Message::Credit(wire::Credit { bytes: self.bytes }));
        }
        messages
    }
}

/// Why a conversation ends.
enum End {
    /// The collector went away.
    Gone,
    /// The collector is told why.
    Told(Status),
}

impl Conversation {
    /// Reads envelopes and answers them until either side ends.
    pub(crate) async fn run<R: Receiver>(mut self, receiver: &R, shutdown: &CancellationToken) {
        let mut under_way = UnderWay::new();
        let end = loop {
            let step = tokio::select! {
                biased;
                settled = under_way.next() => self.answer(settled, &mut under_way).await,
                () = shutdown.cancelled() => Err(End::Told(ending())),
                () = self.pace.wait(), if self.pace.is_spent() => Ok(()),
                frame = self.frames.message(), if under_way.len() < ENVELOPES_UNDER_WAY && !self.pace.is_spent() => match self.read(frame) {
                    Ok(Taken::Envelope(envelope)) => {
                        under_way.lanes[envelope.lane().index()].push_back(accept(receiver, envelope));
                        Ok(())
                    }
                    Ok(Taken::Rejected(answer)) => self.send(answer).await,
                    Err(end) => Err(end),
                },
                // Only where nothing is read: what a collector sent before it died is to be kept.
                () = self.answers.closed(), if under_way.len() >= ENVELOPES_UNDER_WAY => {
                    Err(End::Gone)
                }
            };
            if let Err(end) = step {
                break end;
            }
        };
        if let End::Told(status) = end {
            // What came before is acknowledged first: the collector then knows which one was refused.
            let _ = self.drain(under_way).await;
            let _ = self.answers.send(Err(status)).await;
        }
    }

    /// Checks one message.
    fn read(&mut self, frame: Result<Option<wire::ToPublisher>, Status>) -> Result<Taken, End> {
        let maximum = self.limits.maximum_envelope_bytes;
        let message = match frame {
            Ok(Some(frame)) => frame.message,
            Ok(None) => return Err(End::Gone),
            Err(status) => return Err(End::Told(sort_out(&status, maximum))),
        };
        let Some(to_publisher::Message::Envelope(raw)) = message else {
            let refusal = Refusal::Malformed("after the greeting only envelopes may come".into());
            return Err(End::Told(refusal.into_status()));
        };
        let rejection = self.rejection_of(&raw);
        self.pace.spend(raw.payload.len() as u64);
        match (self.check(raw), rejection) {
            (Ok(envelope), _) => Ok(Taken::Envelope(envelope)),
            (Err(refusal), Some(rejection)) if refusal.is_of_one_envelope() => {
                Ok(Taken::Rejected(self.reject(refusal, rejection)))
            }
            (Err(refusal), _) => Err(End::Told(refusal.into_status())),
        }
    }

    /// How an envelope is named to its sender, with what it took of the credit; None where the sender would not
    /// understand, or has had its share.
    fn rejection_of(&self, raw: &wire::Envelope) -> Option<(wire::Rejection, u64)> {
        let is_told = self.version >= VERSION_WITH_REJECTIONS && self.rejections < MOST_REJECTIONS;
        let is_its_own = raw.source_id == self.source.0.as_bytes();
        let is_named = is_its_own && lane_from_wire(raw.lane).is_ok();
        let bytes = raw.payload.len() as u64;
        (is_told && is_named && bytes <= self.credit).then(|| {
            let rejection = wire::Rejection {
                source_id: raw.source_id.clone(),
                lane: raw.lane,
                first_sequence: raw.first_sequence,
                reason: String::new(),
            };
            (rejection, bytes)
        })
    }

    fn reject(
        &mut self,
        refusal: Refusal,
        (mut rejection, bytes): (wire::Rejection, u64),
    ) -> Vec<to_collector::Message> {
        self.rejections += 1;
        refusal.into_status().message().clone_into(&mut rejection.reason);
        let credit = wire::Credit { bytes };
        vec![to_collector::Message::Rejection(rejection), to_collector::Message::Credit(credit)]
    }

    async fn send(&self, messages: Vec<to_collector::Message>) -> Result<(), End> {
        for message in messages {
            let message = wire::ToCollector { message: Some(message) };
            self.answers.send(Ok(message)).await.map_err(|_| End::Gone)?;
        }
        Ok(())
    }

    fn check(&mut self, raw: wire::Envelope) -> Result<Envelope, Refusal> {
        let bytes = raw.payload.len();
        if bytes > self.limits.maximum_envelope_bytes {
            let maximum = self.limits.maximum_envelope_bytes;
            return Err(Refusal::Oversized { maximum, detail: format!("it has {bytes}") });
        }
        let sent = bytes as u64;
        if sent > self.credit {
            return Err(Refusal::Credit { sent, credit: self.credit });
        }
        let envelope = Envelope::try_from(raw)?;
        if envelope.source() != self.source {
            return Err(Refusal::ForeignSource(envelope.source(), self.source));
        }
        self.credit -= sent;
        Ok(envelope)
    }

    /// Acknowledges what settled, and all else that has settled meanwhile.
    async fn answer<F: Future<Output = Settled>>(
        &mut self,
        first: Settled,
        under_way: &mut UnderWay<F>,
    ) -> Result<(), End> {
        let mut answer = Answer::default();
        let mut next = Some(first);
        let mut failure = None;
        while let Some(settled) = next {
            if let Err(error) = answer.add(settled) {
                failure = Some(error);
                break;
            }
            next = under_way.next().now_or_never();
        }
        self.credit += answer.bytes;
        self.send(answer.into_messages(self.source)).await?;
        failure.map_or(Ok(()), |error| Err(End::Told(failed(&error))))
    }

    /// Answers what is under way, as long as the collector listens: on a full disk that may last.
    async fn drain<F: Future<Output = Settled>>(
        &mut self,
        mut under_way: UnderWay<F>,
    ) -> Result<(), End> {
        while under_way.len() > 0 {
            let settled = tokio::select! {
                settled = under_way.next() => settled,
                () = self.answers.closed() => return Err(End::Gone),
            };
            self.answer(settled, &mut under_way).await?;
        }
        Ok(())
    }
}

/// The call is made here and now, so that the receiver sees envelopes in the order of the stream.
fn accept<R: Receiver>(
    receiver: &R,
    envelope: Envelope,
) -> impl Future<Output = Settled> + Send + use<'_, R> {
    let (lane, through_sequence) = (envelope.lane(), envelope.last_sequence());
    let bytes = envelope.payload().len() as u64;
    let accepted = receiver.accept(envelope);
    async move { Settled { lane, through_sequence, bytes, outcome: accepted.await } }
}

fn ending() -> Status {
    Status::unavailable("the publisher is ending; connect again")
}

fn failed(error: &ReceiveError) -> Status {
    match error {
        ReceiveError::Ending => ending(),
        ReceiveError::Rejected(_) => Refusal::Rejected(error.to_string()).into_status(),
    }
}
