//! OTLP over gRPC.

use super::answer::shorten;
use super::batch::ExportRequest;
use super::client::LONGEST_ANSWER;
use super::connection;
use super::trouble::Trouble;
use crate::checked_status::CheckedStatus;
use crate::config::{Compression, OtlpSection};
use crate::dial::Stream;
use http::HeaderValue;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use std::time::Duration;
use std::{error::Error, io};
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

/// A connection that answers no ping for as long is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The one method of the service.
const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

pub(crate) struct GrpcClient(Grpc<CheckedStatus>);

impl GrpcClient {
    /// Tonic is given a stream that is encrypted already, so to it the URL is plain; requests carry the true one.
    pub(crate) async fn new(
        section: &OtlpSection,
        stream: Box<dyn Stream>,
    ) -> Result<Self, Trouble> {
        let failed = |error: tonic::transport::Error| Trouble::Transport(in_words(&error));
        let uri = connection::endpoint(section)?;
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let plain = Endpoint::from_shared(format!("http://{authority}")).map_err(failed)?;
        let mut stream = Some(TokioIo::new(stream));
        let connector = tower::service_fn(move |_| {
            let once = stream.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
            std::future::ready(once)
        });
        let channel = plain
            .keep_alive_timeout(KEEP_ALIVE)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .connect_with_connector(connector)
            .await
            .map_err(failed)?;
        let client = Grpc::with_origin(CheckedStatus(channel), uri)
            .max_decoding_message_size(LONGEST_ANSWER);
        Ok(Self(match section.compression {
            Compression::Gzip => client.send_compressed(CompressionEncoding::Gzip),
            Compression::None => client,
        }))
    }

    pub(crate) async fn export(
        &mut self,
        headers: Vec<(String, HeaderValue)>,
        request: ExportRequest,
    ) -> Result<ExportLogsServiceResponse, Trouble> {
        let mut request = Request::new(request);
        for (name, value) in headers {
            let unusable =
                || Trouble::Files { key: "headers", problem: format!("{name} is no metadata") };
            let key = AsciiMetadataKey::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
            let value =
                value.to_str().ok().and_then(|text| AsciiMetadataValue::try_from(text).ok());
            let mut value = value.ok_or_else(unusable)?;
            value.set_sensitive(true);
            request.metadata_mut().insert(key, value);
        }
        let ready = self.0.ready().await;
        ready.map_err(|error| Trouble::Transport(in_words(&error)))?;
        let codec: ProstCodec<ExportRequest, ExportLogsServiceResponse> = ProstCodec::default();
        let answered = self.0.unary(request, PathAndQuery::from_static(EXPORT), codec).await;
        answered.map(tonic::Response::into_inner).map_err(|status| sort_out(&status))
    }
}

/// What an error status means, as the specification of OTLP tells (OTLP/gRPC, Failures). One that tonic made of a broken
/// connection has a source.
pub(super) fn sort_out(status: &Status) -> Trouble {
    if let Some(source) = Error::source(status) {
        return Trouble::Transport(in_words(source));
    }
    let (code, message) = (format!("{:?}", status.code()), shorten(status.message()));
    let after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match status.code() {
        Code::ResourceExhausted if after.is_none() => Trouble::Refused { status: code, message },
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss
        | Code::ResourceExhausted => Trouble::Busy { status: code, message, after },
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented | Code::NotFound => {
            Trouble::Denied { status: code, message }
        }
        Code::Internal | Code::Unknown => Trouble::Failed { status: code, message },
        _ => Trouble::Refused { status: code, message },
    }
}

/// An error with those below it.
fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        words = format!("{words}: {error}");
        below = error.source();
    }
    shorten(&words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn statuses_mean_what_the_specification_says() {
        for (code, reason) in [
            (Code::Unavailable, "busy"),
            (Code::DeadlineExceeded, "busy"),
            (Code::Aborted, "busy"),
            (Code::ResourceExhausted, "refused"),
            (Code::InvalidArgument, "refused"),
            (Code::Unauthenticated, "denied"),
            (Code::Unimplemented, "denied"),
            (Code::Internal, "failed"),
        ] {
            assert_eq!(sort_out(&Status::new(code, "x")).reason(), reason, "{code:?}");
        }
    }

    #[test]
    fn a_receiver_that_names_a_pause_is_given_it() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(7)));
        let status = Status::with_error_details(Code::ResourceExhausted, "slowly", details);
        let trouble = sort_out(&status);
        assert_eq!((trouble.reason(), trouble.pause_at_least()), ("busy", Duration::from_secs(7)));
        let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(70_000)));
        let status = Status::with_error_details(Code::Unavailable, "much later", details);
        assert_eq!(sort_out(&status).pause_at_least(), Duration::from_mins(5));
    }
}
