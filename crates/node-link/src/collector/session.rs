use super::dial::{DialError, dial};
use super::link::Link;
use event_model::{Lane, LossReason};
use proto::wire::{to_collector, to_publisher};
use proto::{NODE_VERSIONS, lane_from_wire, wire};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

/// The publisher must have answered the greeting within this while.
const GREETING: Duration = Duration::from_secs(10);

/// An eighth of a connection's credit is kept for alerts, so that they overtake when telemetry used up the rest.
const ALERT_RESERVE: u64 = 8;

/// How a connection ended well.
pub(super) enum Ended {
    /// The program is to end, and all is acknowledged.
    Drained,
}

/// Why a connection ended, or did not come about.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the publisher did not answer the greeting within {} s", GREETING.as_secs())]
    NoAnswer,
    #[error("the publisher refused this collector: {}", .0.message())]
    RefusedGreeting(Status),
    #[error("the publisher broke the protocol: {0}")]
    Protocol(String),
    #[error("the publisher ended the connection: {}", .0.message())]
    Ended(Status),
    #[error("the publisher closed the connection")]
    Closed,
}

impl SessionError {
    /// The value of the `reason` label in metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Dial(error) => error.reason(),
            Self::NoAnswer => "no_answer",
            Self::RefusedGreeting(status) => match status.code() {
                Code::PermissionDenied => "permission_denied",
                Code::FailedPrecondition => "version",
                Code::ResourceExhausted => "too_many_connections",
                _ => "refused",
            },
            Self::Protocol(_) => "protocol",
            Self::Ended(_) => "ended",
            Self::Closed => "closed",
        }
    }

    /// A publisher that starts, restarts or is being replaced is no trouble.
    pub(super) fn is_expected(&self) -> bool {
        match self {
            Self::Dial(DialError::Absent { .. }) | Self::Closed => true,
            Self::Ended(status) | Self::RefusedGreeting(status) => {
                matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::Unknown)
            }
            _ => false,
        }
    }

    /// The publisher says that a batch is at fault, not the connection.
    pub(super) fn refuses_a_batch(&self) -> bool {
        matches!(self, Self::Ended(status) if matches!(status.code(), Code::InvalidArgument | Code::OutOfRange))
    }
}

/// One connection on which the greetings were exchanged.
pub(super) struct Session {
    frames: UnboundedSender<wire::ToPublisher>,
    answers: Streaming<wire::ToCollector>,
    credit: u64,
    granted: u64,
    reserve: u64,
    maximum_envelope_bytes: usize,
    was_acknowledged: bool,
}

/// Dials, greets, and reads the publisher's greeting.
pub(super) async fn open(link: &mut Link) -> Result<Session, SessionError> {
    let greeting = tokio::time::timeout(GREETING, greet(link));
    let (frames, answers, welcome) = greeting.await.map_err(|_| SessionError::NoAnswer)??;
    check_version(welcome.version)?;
    let maximum_envelope_bytes = usize::try_from(welcome.maximum_envelope_bytes)
        .map_err(|_| SessionError::Protocol("its largest envelope is beyond memory".into()))?;
    let session = Session {
        frames,
        answers,
        credit: welcome.initial_credit_bytes,
        granted: welcome.initial_credit_bytes,
        reserve: welcome.initial_credit_bytes / ALERT_RESERVE,
        maximum_envelope_bytes,
        was_acknowledged: false,
    };
    if session.allowance(Lane::Telemetry) < welcome.maximum_envelope_bytes {
        let text = "its credit does not suffice for the largest envelope it takes";
        return Err(SessionError::Protocol(text.into()));
    }
    take_up(link, &welcome.already_held, maximum_envelope_bytes);
    Ok(session)
}

type Greeted = (UnboundedSender<wire::ToPublisher>, Streaming<wire::ToCollector>, wire::Welcome);

async fn greet(link: &Link) -> Result<Greeted, SessionError> {
    let mut client = dial(&link.config.socket, &link.trusted_uids).await?;
    // Unbounded in form only: the publisher's credit bounds what is in it.
    let (frames, stream) = unbounded_channel();
    let hello = wire::Hello {
        minimum_version: *NODE_VERSIONS.start(),
        maximum_version: *NODE_VERSIONS.end(),
        source: Some(proto::description_to_wire(&link.source)),
    };
    send(&frames, to_publisher::Message::Hello(hello))?;
    let response = client.publish(UnboundedReceiverStream::new(stream)).await;
    let mut answers = response.map_err(SessionError::RefusedGreeting)?.into_inner();
    let first = answers.message().await.map_err(SessionError::RefusedGreeting)?;
    match first.and_then(|first| first.message) {
        Some(to_collector::Message::Welcome(welcome)) => Ok((frames, answers, welcome)),
        Some(_) => Err(SessionError::Protocol("its first message is no Welcome".into())),
        None => Err(SessionError::Closed),
    }
}

fn check_version(version: u32) -> Result<(), SessionError> {
    if NODE_VERSIONS.contains(&version) {
        return Ok(());
    }
    let (minimum, maximum) = NODE_VERSIONS.into_inner();
    Err(SessionError::Protocol(format!(
        "it chose version {version}, this collector offered {minimum} to {maximum}"
    )))
}

/// What the publisher holds already need not travel again; what it would never take is dropped and counted.
fn take_up(link: &mut Link, already_held: &[wire::Acknowledgement], maximum_bytes: usize) {
    link.unacknowledged.resend_all();
    for held in already_held {
        acknowledge(link, held);
    }
    for batch in link.unacknowledged.drop_larger_than(maximum_bytes) {
        tracing::error!(lane = %batch.lane(), bytes = batch.payload().len(), maximum_bytes,
            "a batch is larger than the publisher now takes; it is dropped and counted");
        link.lose(batch.lane(), LossReason::TooLarge, u64::from(batch.count()));
    }
}

fn acknowledge(link: &mut Link, acknowledgement: &wire::Acknowledgement) {
    if acknowledgement.source_id != link.source.id.0.as_bytes() {
        return;
    }
    let Ok(lane) = lane_from_wire(acknowledgement.lane) else { return };
    let records = link.unacknowledged.acknowledge(lane, acknowledgement.through_sequence);
    metrics::counter!("defender_link_records_acknowledged_total", "lane" => lane.name())
        .increment(records);
    let mut queues = link.shared.queues();
    queues.deliveries().note_acknowledged(lane, records);
    queues.set_unacknowledged_bytes(link.unacknowledged.bytes());
    #[allow(clippy::cast_precision_loss)] // A gauge.
    metrics::gauge!("defender_link_queue_bytes").set(queues.held_bytes() as f64);
    drop(queues);
    link.shared.settled.notify_waiters();
}

fn drop_rejected(link: &mut Link, rejection: &wire::Rejection) {
    let Ok(lane) = lane_from_wire(rejection.lane) else { return };
    let Some(batch) = link.unacknowledged.drop_one(lane, rejection.first_sequence) else { return };
    let reason = rejection.reason.as_str();
    tracing::error!(%lane, records = batch.count(), reason, "the publisher will never take a batch; it is dropped and counted");
    link.lose(lane, LossReason::Rejected, u64::from(batch.count()));
}

fn send(
    frames: &UnboundedSender<wire::ToPublisher>,
    message: to_publisher::Message,
) -> Result<(), SessionError> {
    frames.send(wire::ToPublisher { message: Some(message) }).map_err(|_| SessionError::Closed)
}

impl Session {
    /// Sends and takes acknowledgements until the connection ends, or all is delivered after `shutdown`.
    pub(super) async fn run(
        &mut self,
        link: &mut Link,
        shutdown: &CancellationToken,
    ) -> Result<Ended, SessionError> {
        let mut is_ending = shutdown.is_cancelled();
        loop {
            if is_ending {
                link.shared.queues().hurry();
            }
            self.pump(link)?;
            if is_ending && link.has_delivered_all() {
                return Ok(Ended::Drained);
            }
            let due = link.shared.queues().next_due();
            let due = due.filter(|_| link.unacknowledged.worthiest_unsent().is_none());
            tokio::select! {
                answer = self.answers.message() => self.take_answer(link, answer)?,
                () = sleep_until(due) => {}
                () = link.shared.wake.notified() => {}
                () = shutdown.cancelled(), if !is_ending => is_ending = true,
            }
        }
    }

    /// Whether the publisher took anything over this connection.
    pub(super) fn was_acknowledged(&self) -> bool {
        self.was_acknowledged
    }

    /// Sends all that is due and that the credit allows.
    fn pump(&mut self, link: &mut Link) -> Result<(), SessionError> {
        loop {
            self.send_unsent(link)?;
            // A lane that waits for credit stops itself and the less worthy, but never a worthier one.
            let reach = match link.unacknowledged.worthiest_unsent() {
                None => Lane::Telemetry,
                Some(stuck) if stuck.index() > 0 => Lane::ALL[stuck.index() - 1],
                Some(_) => return Ok(()),
            };
            if !self.make_batch(link, reach) {
                return Ok(());
            }
        }
    }

    fn send_unsent(&mut self, link: &mut Link) -> Result<(), SessionError> {
        for lane in Lane::ALL {
            while let Some(batch) = link.unacknowledged.next_unsent(lane) {
                let bytes = batch.payload().len() as u64;
                if bytes > self.allowance(lane) {
                    return Ok(());
                }
                self.credit -= bytes;
                send(&self.frames, to_publisher::Message::Envelope(batch.clone().into()))?;
                link.unacknowledged.mark_sent(lane);
            }
        }
        Ok(())
    }

    /// Encodes the next batch that is due. False where none is.
    fn make_batch(&self, link: &mut Link, reach: Lane) -> bool {
        let now = Instant::now();
        let Some(pending) = link.shared.queues().take(reach, now) else { return false };
        let lane = pending.lane;
        let mut unsendable = Vec::new();
        let maximum = self.maximum_envelope_bytes;
        for batch in link.batches.encode(&pending, maximum, &mut unsendable) {
            link.unacknowledged.push(batch);
        }
        let mut queues = link.shared.queues();
        for lost in unsendable {
            queues.lose(lane, lost.kind, lost.reason, 1, now);
        }
        queues.set_unacknowledged_bytes(link.unacknowledged.bytes());
        true
    }

    fn take_answer(
        &mut self,
        link: &mut Link,
        answer: Result<Option<wire::ToCollector>, Status>,
    ) -> Result<(), SessionError> {
        let answer = answer.map_err(SessionError::Ended)?.ok_or(SessionError::Closed)?;
        match answer.message {
            Some(to_collector::Message::Acknowledgement(it)) => {
                self.was_acknowledged = true;
                acknowledge(link, &it);
            }
            Some(to_collector::Message::Credit(more)) => {
                self.credit = self.credit.saturating_add(more.bytes).min(self.granted);
            }
            Some(to_collector::Message::Rejection(it)) => drop_rejected(link, &it),
            Some(to_collector::Message::Welcome(_)) => {
                return Err(SessionError::Protocol("it sent a second Welcome".into()));
            }
            // A message of a later version that this one may pass over.
            None => {}
        }
        Ok(())
    }

    fn allowance(&self, lane: Lane) -> u64 {
        match lane {
            Lane::Alert => self.credit,
            _ => self.credit.saturating_sub(self.reserve),
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
