//! Asking the backend for a certificate.

use super::bootstrap_token::BootstrapToken;
use super::identity::{self, Identity};
use super::problem::Problem;
use crate::checked_status::CheckedStatus;
use crate::config::{BackendSection, EnrolmentSection};
use crate::egress::connection::{self, TlsVerdict};
use crate::egress::credentials::{self, WasAsked};
use crate::egress::endpoint::Endpoint;
use crate::egress::settings::Settings;
use crate::egress::trouble::Trouble;
use crate::files::Content;
use proto::wire::enrolment_client::EnrolmentClient;
use proto::wire::{EnrolRequest, IssuedCertificate, RenewRequest};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::{AlertDescription, RootCertStore};
use std::time::Duration;
use tonic::{Response, Status};

const DEADLINE: Duration = Duration::from_secs(20);
/// A certificate has a few hundred bytes.
const LARGEST_ANSWER: usize = 64 << 10;

/// A certificate that was issued.
pub(super) struct Answer {
    pub(super) identity: Identity,
    /// What the backend's clock showed: seconds since 1970.
    pub(super) issued_at: u64,
}

/// Asks for a certificate with the bootstrap token, over a connection on which only the backend has proved who it is.
pub(super) async fn enrol(
    settings: Settings<'_>,
    section: &EnrolmentSection,
    node: &str,
) -> Result<Answer, Problem> {
    let token = BootstrapToken::read(&section.token_file)?;
    let authorities = token.authorities(settings.backend)?;
    let (key, signing_request) = key_and_request()?;
    let request = EnrolRequest {
        bootstrap_token: token.secret,
        cluster: section.cluster.clone(),
        node: node.to_owned(),
        signing_request,
    };
    let answer = ask(settings, (authorities, None), Question::Enrol(request)).await?;
    taken(answer, &key, node)
}

/// Asks for the certificate that follows the one that is shown.
pub(super) async fn renew(
    settings: Settings<'_>,
    held: &Identity,
    node: &str,
) -> Result<Answer, Problem> {
    let (key, signing_request) = key_and_request()?;
    let request = RenewRequest { node: node.to_owned(), signing_request };
    let authorities = Content::read("backend.ca_file", &settings.backend.ca_file)?.authorities()?;
    let answer = ask(settings, (authorities, Some(held)), Question::Renew(request)).await?;
    taken(answer, &key, node)
}

/// What a backend is asked for.
#[derive(Clone)]
enum Question {
    Enrol(EnrolRequest),
    Renew(RenewRequest),
}

impl Question {
    async fn put(
        self,
        mut client: EnrolmentClient<CheckedStatus>,
    ) -> Result<Response<IssuedCertificate>, Status> {
        match self {
            Self::Enrol(request) => client.enrol(request).await,
            Self::Renew(request) => client.renew(request).await,
        }
    }
}

/// Whom to believe, and the identity that is shown to them.
type Trust<'a> = (RootCertStore, Option<&'a Identity>);

/// Asks the backend at one of its addresses after the other, until one decides.
async fn ask(
    settings: Settings<'_>,
    trust: Trust<'_>,
    question: Question,
) -> Result<IssuedCertificate, Problem> {
    let mut last = Problem::Unserved;
    for endpoint in settings.backend.url.0.iter().filter_map(|url| Endpoint::of(url)) {
        let answer = match connect_to(&endpoint, settings, trust.clone()).await {
            Ok((client, verdict)) => within(question.clone().put(client))
                .await
                .map_err(|problem| explain(problem, settings.backend, &verdict)),
            Err(problem) => Err(problem),
        };
        match answer {
            Err(problem) if !problem.is_decision() => last = problem,
            decided => return decided,
        }
    }
    Err(last)
}

async fn connect_to(
    endpoint: &Endpoint,
    settings: Settings<'_>,
    (authorities, shown): Trust<'_>,
) -> Result<(EnrolmentClient<CheckedStatus>, TlsVerdict), Problem> {
    let shown = shown.map(|identity| (identity.chain.clone(), identity.private_key()));
    let tls = credentials::believing(authorities, shown)?;
    // A proxy that keeps the certificate from the backend is told of by egress.
    let was_asked = WasAsked::new(true.into());
    let connected = connection::channel(endpoint, settings, tls, was_asked).await;
    let (channel, verdict, _) = connected.map_err(sort_out)?;
    Ok((
        EnrolmentClient::new(CheckedStatus(channel)).max_decoding_message_size(LARGEST_ANSWER),
        verdict,
    ))
}

async fn within(
    asking: impl Future<Output = Result<Response<IssuedCertificate>, Status>>,
) -> Result<IssuedCertificate, Problem> {
    let answer = tokio::time::timeout(DEADLINE, asking).await;
    let timeout = Trouble::Timeout { during: "enrolling", seconds: DEADLINE.as_secs() };
    Ok(answer.map_err(|_| timeout)?.map_err(Problem::of)?.into_inner())
}

/// What lay under a connection that broke.
fn explain(problem: Problem, backend: &BackendSection, verdict: &TlsVerdict) -> Problem {
    match problem {
        Problem::Backend(trouble) => sort_out(verdict.explain(backend, trouble)),
        other => other,
    }
}

/// A backend that wants a certificate of everybody is one where nobody enrols.
fn sort_out(trouble: Trouble) -> Problem {
    match trouble {
        Trouble::OurCertificate { alert: AlertDescription::CertificateRequired, .. } => {
            Problem::Unserved
        }
        other => other.into(),
    }
}

/// A new key, and a request that it signed. Names are the backend's to choose.
fn key_and_request() -> Result<(KeyPair, Vec<u8>), Problem> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key)?.der().to_vec();
    Ok((key, request))
}

fn taken(answer: IssuedCertificate, key: &KeyPair, node: &str) -> Result<Answer, Problem> {
    let chain = answer.chain.into_iter().map(Into::into).collect();
    let identity =
        Identity::new(chain, key.serialized_der().to_vec(), node).map_err(Problem::Answer)?;
    if !identity::is_of(&identity, key) {
        return Err(Problem::Answer("the certificate is for another key".into()));
    }
    Ok(Answer { identity, issued_at: answer.issued_at_seconds })
}
