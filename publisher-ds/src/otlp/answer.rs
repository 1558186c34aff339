//! What a receiver's answer means.

use super::trouble::Trouble;
use super::{grpc, http};
use crate::checked_status;
use ::http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use std::time::Duration;
use tonic::Status;

/// Of a receiver's words, as many letters go into logs.
const LONGEST_MESSAGE: usize = 200;

/// What the receiver did not take of a request that it answered well.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// How many records it refused for good.
    pub rejected: u64,
    /// Why, or a warning.
    pub message: String,
}

impl From<ExportLogsServiceResponse> for Answer {
    fn from(response: ExportLogsServiceResponse) -> Self {
        let Some(partial) = response.partial_success else { return Self::default() };
        let rejected = u64::try_from(partial.rejected_log_records).unwrap_or_default();
        Self { rejected, message: shorten(&partial.error_message) }
    }
}

/// A request that was not taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The value of the `reason` label in metrics.
    pub reason: &'static str,
    /// What goes into the log.
    pub text: String,
    /// For how long the receiver is left alone at least.
    pub pause: Duration,
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        let (reason, pause) = (trouble.reason(), trouble.pause_at_least());
        Self { reason, text: trouble.to_string(), pause }
    }
}

/// What an error status of OTLP/gRPC means.
pub fn of_grpc(status: &Status) -> Refusal {
    grpc::sort_out(status).into()
}

/// What headers or trailers of OTLP/gRPC mean; None where no status stands in them.
pub fn of_grpc_headers(headers: &HeaderMap) -> Option<Refusal> {
    let mut headers = headers.clone();
    checked_status::check(&mut headers);
    Status::from_header_map(&headers).as_ref().map(of_grpc)
}

/// What an answer of OTLP/HTTP means.
pub fn of_http(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Answer, Refusal> {
    http::answer(status, headers, body).map(Answer::from).map_err(Refusal::from)
}

/// The beginning of what a receiver said, as one line.
pub(super) fn shorten(text: &str) -> String {
    let plain = text.chars().take(LONGEST_MESSAGE);
    plain.map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
