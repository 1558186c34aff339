use super::identity::IdentityError;
use super::listener::Peer;
use super::session::{Limits, Session};
use crate::store::{Intake, Publisher};
use proto::wire::ToBackend;
use proto::wire::ToPublisherFromBackend;
use proto::wire::ingest_server::Ingest;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

/// Streams of one node at a time: a publisher has one, and a second while the backend has not
/// noticed that the first is dead.
const STREAMS_A_NODE: usize = 4;
/// Answers that wait for a peer to read them.
const ANSWERS_WAITING: usize = 64;

/// The ingest service of the protocol.
pub(super) struct IngestService {
    intake: Intake,
    limits: Limits,
    streams: Arc<Streams>,
    sessions: TaskTracker,
    shutdown: CancellationToken,
}

/// How many streams each node has.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<Publisher, usize>>);

/// A stream's place among those of its node.
pub(super) struct Place {
    streams: Arc<Streams>,
    publisher: Publisher,
}

impl IngestService {
    pub(super) fn new(
        intake: Intake,
        limits: Limits,
        sessions: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self { intake, limits, streams: Arc::default(), sessions, shutdown }
    }
}

impl Streams {
    /// A place for one more, or what to tell who finds none. Streams that have not said yet of
    /// which node they are, are bounded by the connections.
    pub(super) fn enter(self: &Arc<Self>, publisher: &Publisher) -> Result<Place, Status> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = streams.entry(publisher.clone()).or_default();
        if *count >= STREAMS_A_NODE {
            return Err(too_many(publisher));
        }
        *count += 1;
        Ok(Place { streams: Arc::clone(self), publisher: publisher.clone() })
    }
}

/// What to tell a peer that is not known to be a publisher.
pub(super) fn unidentified(error: &IdentityError) -> Status {
    metrics::counter!("defender_ingest_rejected_total", "reason" => "identity").increment(1);
    Status::permission_denied(error.to_string())
}

fn too_many(publisher: &Publisher) -> Status {
    metrics::counter!("defender_ingest_rejected_total", "reason" => "too_many_streams")
        .increment(1);
    Status::resource_exhausted(format!(
        "{publisher} has {STREAMS_A_NODE} streams already: does another publisher use its certificate, or its node's name?"
    ))
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = streams.get_mut(&self.publisher) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.publisher);
            }
        }
    }
}

#[tonic::async_trait]
impl Ingest for IngestService {
    type PublishStream = ReceiverStream<Result<ToPublisherFromBackend, Status>>;

    async fn publish(
        &self,
        request: Request<Streaming<ToBackend>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let peer = request.extensions().get::<Peer>().cloned();
        let peer = peer.ok_or_else(|| Status::internal("the connection has no peer"))?;
        let open = peer.streams.open();
        let credential = peer.credential.map_err(|error| {
            tracing::warn!(peer = %peer.address, %error, "publisher refused");
            unidentified(&error)
        })?;
        let (answers, answered) = mpsc::channel(ANSWERS_WAITING);
        let session = Session {
            publisher: credential.certified.clone(),
            credential,
            intake: self.intake.clone(),
            limits: self.limits,
            inbound: request.into_inner(),
            answers,
            shutdown: self.shutdown.clone(),
            streams: Arc::clone(&self.streams),
            place: None,
        };
        self.sessions.spawn(async move {
            let _open = open;
            session.run(peer.address).await;
        });
        Ok(Response::new(ReceiverStream::new(answered)))
    }
}
