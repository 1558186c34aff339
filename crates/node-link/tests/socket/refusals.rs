//! Malformed and oversized messages, spoken by a client that does not check what it sends.

use crate::support::*;
use event_model::{Lane, SourceDescription};
use hyper_util::rt::TokioIo;
use node_link::ListenConfig;
use proto::wire::{self, to_collector, to_publisher};
use proto::{NODE_VERSIONS, description_to_wire, encode_batch};
use std::ops::RangeInclusive;
use std::path::Path;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

/// The wire as it is, without the link's care.
pub struct Raw {
    channel: Channel,
    frames: Option<mpsc::UnboundedSender<wire::ToPublisher>>,
    answers: Option<Streaming<wire::ToCollector>>,
}

impl Raw {
    pub async fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).await.unwrap();
        let mut once = Some(TokioIo::new(stream));
        let connector = tower::service_fn(move |_| {
            std::future::ready(once.take().ok_or_else(|| std::io::Error::other("once only")))
        });
        let endpoint = Endpoint::from_static("http://publisher.test");
        let channel = endpoint.connect_with_connector(connector).await.unwrap();
        Self { channel, frames: None, answers: None }
    }

    /// Sends the first message; returns the publisher's.
    pub async fn greeted(&mut self, first: wire::ToPublisher) -> Result<wire::Welcome, Status> {
        let (frames, stream) = mpsc::unbounded_channel();
        frames.send(first).unwrap();
        let mut client = wire::node_client::NodeClient::new(self.channel.clone());
        let response = client.publish(UnboundedReceiverStream::new(stream)).await?;
        let mut answers = response.into_inner();
        let answer = answers.message().await?.and_then(|answer| answer.message);
        let Some(to_collector::Message::Welcome(welcome)) = answer else {
            panic!("the first answer is {answer:?}, not a Welcome")
        };
        self.frames = Some(frames);
        self.answers = Some(answers);
        Ok(welcome)
    }

    pub fn send_envelope(&mut self, envelope: wire::Envelope) {
        let message = Some(to_publisher::Message::Envelope(envelope));
        let _ = self.frames.as_ref().unwrap().send(wire::ToPublisher { message });
    }

    /// The next that the publisher says.
    pub async fn next(&mut self) -> to_collector::Message {
        let answers = self.answers.as_mut().unwrap();
        let answer = tokio::time::timeout(PATIENCE, answers.message()).await;
        let answer = answer.expect("the publisher neither answered nor hung up");
        answer.unwrap().and_then(|it| it.message).expect("a message")
    }

    /// Everything that the publisher still says, to the status that ends it.
    pub async fn rest(&mut self) -> (Vec<to_collector::Message>, Status) {
        let mut said = Vec::new();
        let answers = self.answers.as_mut().unwrap();
        loop {
            let answer = tokio::time::timeout(PATIENCE, answers.message()).await;
            match answer.expect("the publisher neither answered nor hung up") {
                Ok(Some(answer)) => said.extend(answer.message),
                Ok(None) => panic!("the connection ended without a status, after {said:?}"),
                Err(status) => return (said, status),
            }
        }
    }
}

pub fn greet(minimum_version: u32, maximum_version: u32) -> wire::ToPublisher {
    let source = Some(description_to_wire(&description()));
    let hello = wire::Hello { minimum_version, maximum_version, source };
    wire::ToPublisher { message: Some(to_publisher::Message::Hello(hello)) }
}

pub fn greet_as(source: &SourceDescription) -> wire::ToPublisher {
    greet_in(source, NODE_VERSIONS)
}

pub fn greet_in(source: &SourceDescription, versions: RangeInclusive<u32>) -> wire::ToPublisher {
    let (minimum_version, maximum_version) = versions.into_inner();
    let source = Some(description_to_wire(source));
    let hello = wire::Hello { minimum_version, maximum_version, source };
    wire::ToPublisher { message: Some(to_publisher::Message::Hello(hello)) }
}

pub fn batch(source: &SourceDescription, first: u64) -> wire::Envelope {
    encode_batch(source.id, Lane::Telemetry, first, &[event(first)]).unwrap().into()
}

/// Sends a good batch and then one that `spoil` changed, in the protocol's first version; returns what the publisher
/// said of it.
async fn refusal_of(
    spoil: impl FnOnce(&mut wire::Envelope),
) -> (Vec<to_collector::Message>, Status) {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    let source = description();
    let mut raw = Raw::connect(&scratch.socket()).await;
    raw.greeted(greet_in(&source, 1..=1)).await.unwrap();
    raw.send_envelope(batch(&source, 1));
    let mut spoiled = batch(&source, 2);
    spoil(&mut spoiled);
    raw.send_envelope(spoiled);
    let answer = raw.rest().await;
    assert_eq!(event_numbers(&shelf.records(Lane::Telemetry)), [1]);
    answer
}

#[tokio::test]
async fn each_way_to_spoil_an_envelope_is_refused_by_its_name() {
    type Spoil = fn(&mut wire::Envelope);
    let ways: [(Spoil, &str); 7] = [
        (|it| it.checksum ^= 1, "checksum"),
        (|it| it.lane = 99, "lane 99"),
        (|it| it.encoding = 0, "encoding 0"),
        (|it| it.count = 0, "no record"),
        (|it| it.first_sequence = u64::MAX, "passes 2^63"),
        (|it| it.source_id.truncate(3), "source_id has 3 bytes"),
        (|it| it.source_id = vec![1; 16], "over the connection of source"),
    ];
    for (spoil, expected) in ways {
        let (_, status) = refusal_of(spoil).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{expected}: {status}");
        assert!(status.message().contains(expected), "no {expected:?} in {status}");
    }
    assert!(
        counted("defender_link_refused_total{reason=\"malformed\"}") >= 6,
        "{:?}",
        all_counted()
    );
    assert!(counted("defender_link_refused_total{reason=\"foreign_source\"}") >= 1);
}

#[tokio::test]
async fn what_came_before_a_refused_envelope_is_acknowledged() {
    let (said, _) = refusal_of(|it| it.checksum ^= 1).await;
    let acknowledged = said.iter().any(|message| match message {
        to_collector::Message::Acknowledgement(it) => it.through_sequence == 1,
        _ => false,
    });
    assert!(acknowledged, "{said:?}");
}

#[tokio::test]
async fn an_oversized_envelope_is_refused_with_the_limit() {
    for (bytes, place) in
        [((1 << 20) + 500, "by the frame's own check"), (3 << 20, "by the decoder")]
    {
        let (_, status) = refusal_of(|it| it.payload = vec![0; bytes].into()).await;
        assert_eq!(status.code(), Code::OutOfRange, "{place}: {status}");
        assert!(status.message().contains("1048576"), "{place}: {status}");
    }
    assert!(
        counted("defender_link_refused_total{reason=\"oversized\"}") >= 2,
        "{:?}",
        all_counted()
    );
}

#[tokio::test]
async fn a_message_that_is_no_protobuf_is_refused() {
    let scratch = Scratch::new();
    let _publisher = Publisher::start(listen_on(scratch.socket()), Shelf::new());
    let raw = Raw::connect(&scratch.socket()).await;
    let mut grpc = tonic::client::Grpc::new(raw.channel.clone());
    grpc.ready().await.unwrap();
    // A Credit's number stands where a ToPublisher's message would: the wrong wire type.
    let codec = tonic_prost::ProstCodec::<wire::Credit, wire::ToCollector>::default();
    let frames = tokio_stream::iter([wire::Credit { bytes: 7 }]);
    let path = tonic::codegen::http::uri::PathAndQuery::from_static("/defender.v1.Node/Publish");
    let answer = grpc.streaming(tonic::Request::new(frames), path, codec).await;
    let status = answer.expect_err("the message was taken");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("malformed"), "{status}");
}

#[tokio::test]
async fn another_version_is_refused_before_anything_is_sent() {
    let scratch = Scratch::new();
    let _publisher = Publisher::start(listen_on(scratch.socket()), Shelf::new());
    let mut raw = Raw::connect(&scratch.socket()).await;
    let status = raw.greeted(greet(7, 9)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("versions 7 to 9"), "{status}");
    assert!(status.message().contains("same release"), "{status}");
}

#[tokio::test]
async fn sending_beyond_the_credit_is_refused() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    shelf.close(Lane::Telemetry);
    let config = ListenConfig {
        maximum_envelope_bytes: 4 << 10,
        credit_bytes: 16 << 10,
        ..listen_on(scratch.socket())
    };
    let _publisher = Publisher::start(config, shelf.clone());
    let source = description();
    let mut raw = Raw::connect(&scratch.socket()).await;
    let welcome = raw.greeted(greet_as(&source)).await.unwrap();
    assert_eq!(welcome.initial_credit_bytes, 16 << 10);
    for number in 1..=2000 {
        raw.send_envelope(batch(&source, number));
    }
    // Until then nothing settles, so no credit comes back, however slowly the publisher reads.
    let refused = || counted("defender_link_refused_total{reason=\"credit\"}") >= 1;
    until("the refusal is counted", refused, all_counted).await;
    // It is told after what came before it is durable.
    shelf.open(Lane::Telemetry);
    let (_, status) = raw.rest().await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains("with a credit of"), "{status}");
}

#[tokio::test]
async fn a_resumed_source_is_told_what_is_held_already() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    let source = description();
    let mut raw = Raw::connect(&scratch.socket()).await;
    raw.greeted(greet_as(&source)).await.unwrap();
    raw.send_envelope(batch(&source, 1));
    raw.send_envelope(batch(&source, 2));
    until("both arrived", || shelf.records(Lane::Telemetry).len() == 2, || ()).await;
    drop(raw);
    let mut raw = Raw::connect(&scratch.socket()).await;
    let welcome = raw.greeted(greet_as(&source)).await.unwrap();
    let held: Vec<_> =
        welcome.already_held.iter().map(|it| (it.lane(), it.through_sequence)).collect();
    assert_eq!(held, [(wire::Lane::Telemetry, 2)]);
}
