//! The two sides of the socket are of two releases while a cluster is updated.

use crate::refusals::{Raw, batch, greet_as, greet_in};
use crate::support::*;
use event_model::{Lane, LossReason, Record};
use node_link::{LinkConfig, connect};
use proto::wire::{self, to_collector, to_publisher};
use stand_ins::Killable;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

#[tokio::test]
async fn a_collector_of_the_release_before_is_served_in_its_own_version() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    let source = description();
    let mut old = Raw::connect(&scratch.socket()).await;
    assert_eq!(old.greeted(greet_in(&source, 1..=1)).await.unwrap().version, 1);
    old.send_envelope(batch(&source, 1));
    let mut spoiled = batch(&source, 2);
    spoiled.checksum ^= 1;
    old.send_envelope(spoiled);
    let (said, status) = old.rest().await;
    assert!(status.message().contains("checksum"), "{status}");
    let news = |it: &to_collector::Message| matches!(it, to_collector::Message::Rejection(_));
    assert!(!said.iter().any(news), "an old collector was told of what it does not know: {said:?}");
    assert_eq!(event_numbers(&shelf.records(Lane::Telemetry)), [1]);
}

/// What the publisher says until an acknowledgement through a sequence.
async fn said_until_acknowledged(raw: &mut Raw, through: u64) -> Vec<to_collector::Message> {
    let mut said = Vec::new();
    loop {
        let message = raw.next().await;
        let is_last = matches!(&message, to_collector::Message::Acknowledgement(it) if it.through_sequence == through);
        said.push(message);
        if is_last {
            return said;
        }
    }
}

#[tokio::test]
async fn an_envelope_that_is_not_taken_is_rejected_by_name_and_the_stream_goes_on() {
    type Spoil = fn(&mut wire::Envelope);
    let ways: [(Spoil, &str); 4] = [
        (|it| it.checksum ^= 1, "checksum"),
        (|it| it.encoding = 0, "encoding 0"),
        (|it| it.count = 0, "no record"),
        (|it| it.payload = vec![0; (1 << 20) + 500].into(), "1048576"),
    ];
    for (spoil, expected) in ways {
        let scratch = Scratch::new();
        let _publisher = Publisher::start(listen_on(scratch.socket()), Shelf::new());
        let source = description();
        let mut raw = Raw::connect(&scratch.socket()).await;
        assert_eq!(raw.greeted(greet_as(&source)).await.unwrap().version, 2);
        let mut spoiled = batch(&source, 1);
        spoil(&mut spoiled);
        raw.send_envelope(spoiled);
        raw.send_envelope(batch(&source, 2));
        let said = said_until_acknowledged(&mut raw, 2).await;
        let rejected = said.iter().find_map(|message| match message {
            to_collector::Message::Rejection(it) => Some((it.first_sequence, it.reason.as_str())),
            _ => None,
        });
        let is_as_expected =
            rejected.is_some_and(|(first, why)| first == 1 && why.contains(expected));
        assert!(is_as_expected, "no rejection for {expected:?}: {said:?}");
    }
}

#[tokio::test]
async fn who_sends_nothing_but_what_is_not_taken_is_cut_off() {
    let scratch = Scratch::new();
    let _publisher = Publisher::start(listen_on(scratch.socket()), Shelf::new());
    let source = description();
    let mut raw = Raw::connect(&scratch.socket()).await;
    raw.greeted(greet_as(&source)).await.unwrap();
    for number in 1..=200 {
        let mut spoiled = batch(&source, number);
        spoiled.checksum ^= 1;
        raw.send_envelope(spoiled);
    }
    let (said, status) = raw.rest().await;
    assert!(status.message().contains("checksum"), "{status}");
    assert!(said.len() <= 128, "{} answers", said.len());
}

/// A publisher as the first release had it: it knows version 1 alone, and refuses by ending the connection.
#[derive(Clone)]
struct OldPublisher {
    /// The event that it does not take.
    refuses: u64,
    refusal: Refusal,
    taken: Arc<Mutex<Vec<Record>>>,
    connections: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
enum Refusal {
    /// By what it says in version 1.
    Status,
    /// By what came with version 2.
    Rejection,
}

fn say(message: to_collector::Message) -> wire::ToCollector {
    wire::ToCollector { message: Some(message) }
}

impl OldPublisher {
    fn start(socket: PathBuf, refuses: u64, refusal: Refusal) -> (Self, Killable) {
        let connections = Arc::default();
        let publisher = Self { refuses, refusal, taken: Arc::default(), connections };
        let service = wire::node_server::NodeServer::new(publisher.clone());
        let (server, ()) = Killable::start(move |ready| async move {
            let listener = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
            ready.send(()).unwrap();
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(listener).await.unwrap();
        });
        (publisher, server)
    }

    fn welcome(&self) -> wire::Welcome {
        let version = match self.refusal {
            Refusal::Status => 1,
            Refusal::Rejection => 2,
        };
        wire::Welcome {
            version,
            maximum_envelope_bytes: 1 << 20,
            initial_credit_bytes: 2 << 20,
            already_held: Vec::new(),
        }
    }

    fn answer(&self, envelope: wire::Envelope) -> Result<wire::ToCollector, Status> {
        let (source_id, lane) = (envelope.source_id.clone(), envelope.lane);
        let first_sequence = envelope.first_sequence;
        let envelope = proto::Envelope::try_from(envelope).unwrap();
        let records = proto::decode_batch(&envelope).unwrap();
        if !event_numbers(&records).contains(&self.refuses) {
            self.taken.lock().unwrap().extend(records);
            let through_sequence = envelope.last_sequence();
            let it = wire::Acknowledgement { source_id, lane, through_sequence };
            return Ok(say(to_collector::Message::Acknowledgement(it)));
        }
        let reason = "not taken".to_owned();
        match self.refusal {
            Refusal::Status => Err(Status::invalid_argument(reason)),
            Refusal::Rejection => {
                let it = wire::Rejection { source_id, lane, first_sequence, reason };
                Ok(say(to_collector::Message::Rejection(it)))
            }
        }
    }

    fn events(&self) -> Vec<u64> {
        event_numbers(&self.taken.lock().unwrap())
    }

    fn losses(&self) -> Vec<(LossReason, u64)> {
        let loss = |record: &Record| match record {
            Record::Loss(loss) => Some((loss.reason, loss.count)),
            _ => None,
        };
        self.taken.lock().unwrap().iter().filter_map(loss).collect()
    }
}

#[tonic::async_trait]
impl wire::node_server::Node for OldPublisher {
    type PublishStream = ReceiverStream<Result<wire::ToCollector, Status>>;

    async fn publish(
        &self,
        request: Request<Streaming<wire::ToPublisher>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let mut frames = request.into_inner();
        let first = frames.message().await?.and_then(|it| it.message);
        let Some(to_publisher::Message::Hello(hello)) = first else { panic!("no greeting") };
        assert!((hello.minimum_version..=hello.maximum_version).contains(&1));
        self.connections.fetch_add(1, Ordering::Relaxed);
        let (answers, stream) = mpsc::channel(64);
        let welcome = say(to_collector::Message::Welcome(self.welcome()));
        answers.try_send(Ok(welcome)).unwrap();
        let publisher = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(frame)) = frames.message().await {
                let Some(to_publisher::Message::Envelope(envelope)) = frame.message else { return };
                let _ = answers.send(publisher.answer(envelope)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Sends three events to a publisher that takes all but the second; returns over how many connections.
async fn deliver_to(refusal: Refusal) -> usize {
    let scratch = Scratch::new();
    let (publisher, _server) = OldPublisher::start(scratch.socket(), 2, refusal);
    let config = LinkConfig { socket: scratch.socket(), queue_bytes: 1 << 20 };
    let (outbox, link) = connect(config, description());
    let task = tokio::spawn(link.run(CancellationToken::new()));
    outbox.send(event(1));
    until("the first is taken", || publisher.events() == [1], || publisher.events()).await;
    outbox.send(event(2));
    let lost = [(LossReason::Rejected, 1)];
    until("the second is told as lost", || publisher.losses() == lost, || publisher.losses()).await;
    outbox.send(event(3));
    until("the third is taken", || publisher.events() == [1, 3], || publisher.events()).await;
    task.abort();
    publisher.connections.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_publisher_of_the_release_before_is_spoken_to_in_its_version() {
    let connections = deliver_to(Refusal::Status).await;
    assert_eq!(connections, 4, "a batch is given up when three connections have ended with it");
}

#[tokio::test]
async fn a_batch_that_is_rejected_is_dropped_and_counted_at_once() {
    assert_eq!(deliver_to(Refusal::Rejection).await, 1);
}
