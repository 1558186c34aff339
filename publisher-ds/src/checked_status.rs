//! Statuses of gRPC as tonic can read them: whatever stands in one's details, it takes for granted that they are base64,
//! and panics where they are not. Who is called chooses them.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Frame;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::transport::{Channel, Error};
use tower::Service;

/// A `google.rpc.Status` (gRPC over HTTP/2, Responses).
const DETAILS: &str = "grpc-status-details-bin";

/// With the padding or without it, as the specification has it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A channel whose answers have details that can be read, or none.
#[derive(Clone, Debug)]
pub(crate) struct CheckedStatus(pub(crate) Channel);

impl Service<Request<Body>> for CheckedStatus {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answering = self.0.call(request);
        Box::pin(async move { answering.await.map(checked) })
    }
}

fn checked(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    check(&mut head.headers);
    let body = body.map_frame(|frame| match frame.into_trailers() {
        Ok(mut trailers) => {
            check(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    });
    Response::from_parts(head, Body::new(body))
}

/// Takes details away that are none.
pub(crate) fn check(headers: &mut HeaderMap) {
    let details = headers.get(DETAILS);
    if details.is_some_and(|details| BASE64.decode(details.as_bytes()).is_err()) {
        headers.remove(DETAILS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::HeaderValue;
    use http_body_util::{Full, StreamBody};
    use tonic::{Code, Status};

    fn headers(details: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static("8"));
        headers.insert(DETAILS, HeaderValue::from_static(details));
        headers
    }

    fn read(headers: &HeaderMap) -> (Code, Vec<u8>) {
        let status = Status::from_header_map(headers).expect("there is a status");
        (status.code(), status.details().to_vec())
    }

    #[test]
    fn details_that_are_no_base64_are_none_and_others_stay() {
        for (details, expected) in
            [("CAg=", &b"\x08\x08"[..]), ("CAg", b"\x08\x08"), ("]", b""), ("CA=g", b""), ("", b"")]
        {
            let mut response = Response::new(Body::new(Full::new(Bytes::new())));
            *response.headers_mut() = headers(details);
            let answer = checked(response);
            let expected = (Code::ResourceExhausted, expected.to_vec());
            assert_eq!(read(answer.headers()), expected, "{details}");
        }
    }

    #[tokio::test]
    async fn so_it_is_behind_a_body() {
        let frames = [
            Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(b"body"))),
            Ok(Frame::trailers(headers("no base64!"))),
        ];
        let body = StreamBody::new(tokio_stream::iter(frames));
        let answer = checked(Response::new(Body::new(body)));
        let collected = answer.into_body().collect().await.expect("a body");
        let trailers = collected.trailers().expect("it has trailers").clone();
        assert_eq!(read(&trailers), (Code::ResourceExhausted, Vec::new()));
        assert_eq!(collected.to_bytes(), "body");
    }
}
