use super::access::Access;
use crate::enrolment::Enrolment;
use crate::store::Reader;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Alert streams at a time.
const MOST_STREAMS: usize = 128;

/// What handlers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ApiState {
    pub(crate) reader: Reader,
    /// None where enrolment is off.
    pub(crate) enrolment: Option<Arc<Enrolment>>,
    pub(crate) access: Arc<Access>,
    /// A permit for each alert stream that may be open at a time.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) shutdown: CancellationToken,
}

impl ApiState {
    pub(crate) fn new(
        reader: Reader,
        enrolment: Option<Arc<Enrolment>>,
        access: Arc<Access>,
        shutdown: CancellationToken,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(MOST_STREAMS));
        Self { reader, enrolment, access, streams, shutdown }
    }
}
