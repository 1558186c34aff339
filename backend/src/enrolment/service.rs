//! The enrolment service of the protocol.

use super::authority::Issued;
use super::refusal::Refusal;
use super::token::BootstrapToken;
use super::{Enrolment, NANOSECONDS};
use crate::ingest::Peer;
use event_model::Timestamp;
use proto::wire::enrolment_server::{Enrolment as Service, EnrolmentServer};
use proto::wire::{EnrolRequest, IssuedCertificate, RenewRequest};
use std::net::SocketAddr;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// A request has a few hundred bytes.
const LARGEST_MESSAGE: usize = 16 << 10;

/// Answers publishers that want a certificate.
pub(crate) struct EnrolmentService(Arc<Enrolment>);

impl EnrolmentService {
    /// The service, as the server takes it.
    pub(crate) fn server(enrolment: Arc<Enrolment>) -> EnrolmentServer<Self> {
        EnrolmentServer::new(Self(enrolment)).max_decoding_message_size(LARGEST_MESSAGE)
    }

    /// Counts a refusal and tells of it; who fails often is told no more than that.
    fn refuse(&self, refusal: Refusal, address: SocketAddr, token: Option<&str>) -> Status {
        if !self.0.failures.note(address.ip(), token) {
            let reason = refusal.reason();
            metrics::counter!("defender_enrolment_refused_total", "reason" => reason).increment(1);
            tracing::debug!(peer = %address, reason, error = %refusal, "no certificate");
            return Refusal::TooManyFailures.into();
        }
        Self::tell(refusal, address, token)
    }

    fn tell(refusal: Refusal, address: SocketAddr, token: Option<&str>) -> Status {
        let reason = refusal.reason();
        metrics::counter!("defender_enrolment_refused_total", "reason" => reason).increment(1);
        tracing::warn!(peer = %address, reason, token, error = %refusal, "no certificate");
        refusal.into()
    }
}

#[tonic::async_trait]
impl Service for EnrolmentService {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<IssuedCertificate>, Status> {
        let address = peer(&request)?.address;
        let EnrolRequest { bootstrap_token, cluster, node, signing_request } = request.into_inner();
        let issued =
            self.0.enrol(&bootstrap_token, &cluster, &node, &signing_request, address).await;
        issued.map(|issued| answer(&issued)).map_err(|refusal| {
            let token = BootstrapToken::parse(&bootstrap_token);
            self.refuse(refusal, address, token.as_ref().map(BootstrapToken::id))
        })
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<IssuedCertificate>, Status> {
        let Peer { address, credential, .. } = peer(&request)?;
        let RenewRequest { node, signing_request } = request.into_inner();
        let issued = match credential {
            Ok(credential) => self.0.renew(&credential, &node, &signing_request, address).await,
            Err(_) => Err(Refusal::NoCertificate),
        };
        // Who renews has proved by a certificate who it is: it hears why not, however many others fail at its address.
        issued.map(|issued| answer(&issued)).map_err(|refusal| match refusal {
            Refusal::NoCertificate => self.refuse(refusal, address, None),
            refusal => Self::tell(refusal, address, None),
        })
    }
}

fn peer<T>(request: &Request<T>) -> Result<Peer, Status> {
    let peer = request.extensions().get::<Peer>().cloned();
    peer.ok_or_else(|| Status::internal("the connection has no peer"))
}

fn answer(issued: &Issued) -> Response<IssuedCertificate> {
    Response::new(IssuedCertificate {
        chain: vec![issued.certificate.to_vec()],
        issued_at_seconds: Timestamp::now().0 / NANOSECONDS,
    })
}
