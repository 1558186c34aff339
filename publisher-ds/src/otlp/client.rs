//! One connection to a receiver, whatever protocol it speaks.

use super::answer::Answer;
use super::batch::ExportRequest;
use super::grpc::GrpcClient;
use super::http::HttpClient;
use super::trouble::Trouble;
use super::{connection, credentials};
use crate::config::{OtlpSection, Protocol, ProxySection};
use std::time::{Duration, Instant};

/// The way through a proxy has three steps.
const CONNECT: Duration = Duration::from_secs(30);

/// After so long a connection is made anew, so that renewed certificates and authorities are taken up.
const LONGEST_LIFE: Duration = Duration::from_mins(10);

/// The receiver says nothing longer: how many it refused, and a sentence why.
pub(crate) const LONGEST_ANSWER: usize = 64 << 10;

/// A connection.
pub(crate) struct Client {
    speaker: Speaker,
    begun: Instant,
    was_answered: bool,
}

enum Speaker {
    Grpc(GrpcClient),
    Http(HttpClient),
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(
        section: &OtlpSection,
        proxy: &ProxySection,
    ) -> Result<Self, Trouble> {
        // Where a token is missing, there is nothing to connect for.
        credentials::headers(section)?;
        let connecting = async {
            let stream = connection::open(section, proxy).await?;
            Ok::<_, Trouble>(match section.protocol {
                Protocol::Grpc => Speaker::Grpc(GrpcClient::new(section, stream).await?),
                Protocol::Http => Speaker::Http(HttpClient::new(section, stream).await?),
            })
        };
        let connected = tokio::time::timeout(CONNECT, connecting).await;
        let speaker = connected.map_err(|_| Trouble::Timeout { seconds: CONNECT.as_secs() })??;
        Ok(Self { speaker, begun: Instant::now(), was_answered: false })
    }

    /// Whether a request was taken over it.
    pub(crate) const fn was_answered(&self) -> bool {
        self.was_answered
    }

    /// Whether another connection should take its place.
    pub(crate) fn is_old(&self) -> bool {
        self.begun.elapsed() > LONGEST_LIFE
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn export(
        &mut self,
        section: &OtlpSection,
        request: ExportRequest,
    ) -> Result<Answer, Trouble> {
        let headers = credentials::headers(section)?;
        let answering = async {
            match &mut self.speaker {
                Speaker::Grpc(client) => client.export(headers, request).await,
                Speaker::Http(client) => client.export(headers, &request).await,
            }
        };
        let seconds = section.timeout_seconds;
        let answered = tokio::time::timeout(Duration::from_secs(seconds), answering).await;
        let response = answered.map_err(|_| Trouble::Timeout { seconds })??;
        self.was_answered = true;
        Ok(response.into())
    }
}
