use super::conversation::Conversation;
use super::greeting::{Greeting, read_hello};
use super::pace::Pace;
use super::peer::Peer;
use super::receiver::Receiver;
use super::refusal::Refusal;
use proto::wire::to_collector;
use proto::{lane_to_wire, wire};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Response, Status, Streaming};

/// Answers that wait for a collector to read them; a collector that does not read gets no further.
const ANSWERS: usize = 16;

/// What a message may hold beside an envelope's payload.
pub(crate) const FRAME_OVERHEAD: usize = 1024;

/// The bounds of one connection.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) maximum_envelope_bytes: usize,
    pub(crate) credit_bytes: u64,
    pub(crate) bytes_per_second: u64,
}

/// The node protocol, served to each collector.
pub(crate) struct NodeService<R> {
    pub(crate) receiver: Arc<R>,
    pub(crate) limits: Limits,
    pub(crate) shutdown: CancellationToken,
    pub(crate) conversations: TaskTracker,
}

#[tonic::async_trait]
impl<R: Receiver> wire::node_server::Node for NodeService<R> {
    type PublishStream = ReceiverStream<Result<wire::ToCollector, Status>>;

    async fn publish(
        &self,
        request: Request<Streaming<wire::ToPublisher>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let peer = request.extensions().get::<Peer>().cloned();
        let peer = peer.ok_or_else(|| Status::internal("the connection has no credentials"))?;
        peer.admission().map_err(Refusal::into_status)?;
        let mut frames = request.into_inner();
        let greeting = frames.message().await;
        peer.settle();
        let greeting = greeting
            .map_err(|status| sort_out(&status, self.limits.maximum_envelope_bytes))
            .and_then(|message| read_hello(message).map_err(Refusal::into_status))?;
        let Greeting { source, version: protocol } = &greeting;
        tracing::info!(component = %source.component, node = source.node, version = source.version, protocol, "a collector connected");
        Ok(Response::new(self.converse(&greeting, frames)))
    }
}

impl<R: Receiver> NodeService<R> {
    fn converse(
        &self,
        greeting: &Greeting,
        frames: Streaming<wire::ToPublisher>,
    ) -> ReceiverStream<Result<wire::ToCollector, Status>> {
        let (answers, stream) = mpsc::channel(ANSWERS);
        let welcome = to_collector::Message::Welcome(self.welcome(greeting));
        // The channel is new and has room.
        let _ = answers.try_send(Ok(wire::ToCollector { message: Some(welcome) }));
        let conversation = Conversation {
            source: greeting.source.id,
            version: greeting.version,
            frames,
            answers,
            limits: self.limits,
            credit: self.limits.credit_bytes,
            pace: Pace::new(self.limits.bytes_per_second, self.limits.credit_bytes),
            rejections: 0,
        };
        let receiver = Arc::clone(&self.receiver);
        let shutdown = self.shutdown.clone();
        self.conversations.spawn(async move { conversation.run(&*receiver, &shutdown).await });
        ReceiverStream::new(stream)
    }

    fn welcome(&self, greeting: &Greeting) -> wire::Welcome {
        let source = greeting.source.id;
        let held = self.receiver.held(source).into_iter().map(|held| wire::Acknowledgement {
            source_id: source.0.as_bytes().to_vec(),
            lane: lane_to_wire(held.lane).into(),
            through_sequence: held.through_sequence,
        });
        wire::Welcome {
            version: greeting.version,
            maximum_envelope_bytes: self.limits.maximum_envelope_bytes as u64,
            initial_credit_bytes: self.limits.credit_bytes,
            already_held: held.collect(),
        }
    }
}

/// Tells a message that tonic could not take from a connection that broke.
pub(crate) fn sort_out(status: &Status, maximum: usize) -> Status {
    let has_cause = std::error::Error::source(status).is_some();
    let detail = status.message().to_string();
    match status.code() {
        Code::OutOfRange => Refusal::Oversized { maximum, detail }.into_status(),
        Code::Internal if !has_cause => Refusal::Malformed(detail).into_status(),
        _ => status.clone(),
    }
}
