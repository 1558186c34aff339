//! OTLP over HTTP, with protobuf bodies.

use super::answer::shorten;
use super::batch::ExportRequest;
use super::client::LONGEST_ANSWER;
use super::connection;
use super::trouble::Trouble;
use crate::config::{Compression, OtlpSection};
use crate::dial::Stream;
use bytes::Bytes;
use flate2::write::GzEncoder;
use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message;
use std::io::Write;
use std::time::Duration;

/// Where logs go, as the specification says, unless the endpoint has a path.
const PATH: &str = "/v1/logs";

const PROTOBUF: &str = "application/x-protobuf";

const AGENT: &str = concat!("defender-publisher-ds/", env!("CARGO_PKG_VERSION"));

pub(crate) struct HttpClient {
    sender: SendRequest<Full<Bytes>>,
    compression: Compression,
    path: String,
    host: HeaderValue,
}

impl HttpClient {
    pub(crate) async fn new(
        section: &OtlpSection,
        stream: Box<dyn Stream>,
    ) -> Result<Self, Trouble> {
        let uri = connection::endpoint(section)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends with the sender, or with the connection; the sender tells why.
        tokio::spawn(connection);
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let unusable = |_| Trouble::Files { key: "endpoint", problem: "it has no host".into() };
        let host = HeaderValue::from_str(host).map_err(unusable)?;
        Ok(Self { sender, compression: section.compression, path: path(&uri), host })
    }

    pub(crate) async fn export(
        &mut self,
        headers: Vec<(String, HeaderValue)>,
        request: &ExportRequest,
    ) -> Result<ExportLogsServiceResponse, Trouble> {
        let request = self.request(headers, request)?;
        self.sender.ready().await.map_err(broken)?;
        let response = self.sender.send_request(request).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes);
        match body {
            Ok(body) => answer(head.status, &head.headers, &body),
            Err(_) if !head.status.is_success() => answer(head.status, &head.headers, b""),
            Err(error) => Err(Trouble::Transport(error.to_string())),
        }
    }

    fn request(
        &self,
        headers: Vec<(String, HeaderValue)>,
        request: &ExportRequest,
    ) -> Result<Request<Full<Bytes>>, Trouble> {
        let failed = |error: &dyn std::fmt::Display| Trouble::Transport(error.to_string());
        let plain = request.encode_to_vec();
        let mut built = Request::builder()
            .method(Method::POST)
            .uri(&self.path)
            .header(HOST, &self.host)
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, PROTOBUF);
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| failed(&error))?;
            built = built.header(name, value);
        }
        let body = match self.compression {
            Compression::None => plain,
            Compression::Gzip => {
                built = built.header(CONTENT_ENCODING, "gzip");
                compress(&plain).map_err(|error| failed(&error))?
            }
        };
        built.body(Full::new(body.into())).map_err(|error| failed(&error))
    }
}

fn path(uri: &Uri) -> String {
    match uri.path_and_query() {
        Some(path) if !matches!(path.as_str(), "" | "/") => path.to_string(),
        _ => PATH.to_owned(),
    }
}

fn compress(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}

#[allow(clippy::needless_pass_by_value)] // As map_err hands it over.
fn broken(error: hyper::Error) -> Trouble {
    Trouble::Transport(shorten(&error.to_string()))
}

/// What an answer says.
pub(super) fn answer(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<ExportLogsServiceResponse, Trouble> {
    if !status.is_success() {
        return Err(sort_out(status, headers, body));
    }
    // Taken it has; what else it says is of use only where it is as the specification asks.
    Ok(ExportLogsServiceResponse::decode(body).unwrap_or_default())
}

/// What an error status means, as the specification of OTLP tells (OTLP/HTTP, Failures). The body is a `google.rpc.Status`.
fn sort_out(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Trouble {
    let message = tonic_types::Status::decode(body).map(|told| told.message).unwrap_or_default();
    let (code, message) = (status.as_u16().to_string(), shorten(&message));
    match status.as_u16() {
        429 | 502 | 503 | 504 => {
            Trouble::Busy { status: code, message, after: retry_after(headers) }
        }
        400 | 413 | 422 => Trouble::Refused { status: code, message },
        500..=599 => Trouble::Failed { status: code, message },
        _ => Trouble::Denied { status: code, message },
    }
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Duration::try_from(at.duration_since(jiff::Timestamp::now())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Option<Duration> {
        let headers = [(RETRY_AFTER, HeaderValue::from_str(text).unwrap())].into_iter().collect();
        retry_after(&headers)
    }

    #[test]
    fn statuses_mean_what_the_specification_says() {
        for (status, reason) in [
            (429, "busy"),
            (502, "busy"),
            (503, "busy"),
            (504, "busy"),
            (400, "refused"),
            (413, "refused"),
            (500, "failed"),
            (401, "denied"),
            (403, "denied"),
            (404, "denied"),
            (302, "denied"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(sort_out(status, &HeaderMap::new(), b"").reason(), reason, "{status}");
        }
    }

    #[test]
    fn a_pause_is_told_in_seconds_or_by_a_date() {
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(60);
        let date = soon.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let pause = after(&date).unwrap_or_default();
        assert!((50..=60).contains(&pause.as_secs()), "{date}: {pause:?}");
        assert_eq!(after("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(after("soon"), None);
    }

    #[test]
    fn an_endpoint_with_a_path_keeps_it() {
        for (endpoint, expected) in [
            ("https://collector:4318", "/v1/logs"),
            ("https://collector:4318/", "/v1/logs"),
            ("https://collector/otlp/v1/logs", "/otlp/v1/logs"),
            ("https://collector/in?tenant=a", "/in?tenant=a"),
        ] {
            assert_eq!(path(&endpoint.parse().unwrap()), expected);
        }
    }

    #[test]
    fn an_error_tells_what_its_status_says() {
        let told = tonic_types::Status { code: 8, message: "too much\n".into(), details: vec![] };
        let text =
            sort_out(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), &told.encode_to_vec());
        assert_eq!(text.to_string(), "the receiver is busy (429): too much ");
    }
}
