//! What receivers of OpenTelemetry logs answer.

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use publisher_ds::otlp::answer::{Refusal, of_grpc, of_grpc_headers, of_http};
use std::time::Duration;
use tonic::{Code, Status};

/// What a receiver may ask for, and the pause for files that are being replaced.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// A receiver's words are cut to 200 letters; ours around them are fewer.
const LONGEST_TEXT: usize = 400;

/// The first three bytes are a status and how long the headers are, of which one stands on each line.
pub fn answer(bytes: &[u8]) {
    let [low, high, length, rest @ ..] = bytes else { return };
    let (lines, body) = rest.split_at(usize::from(*length).min(rest.len()));
    let headers = headers(lines);
    if let Ok(status) = StatusCode::from_u16(u16::from_le_bytes([*low, *high]) % 500 + 100) {
        match of_http(status, &headers, body) {
            Ok(answer) => {
                assert!(status.is_success());
                assert!(answer.message.chars().count() <= 200 && is_one_line(&answer.message));
            }
            Err(refusal) => {
                assert!(!status.is_success());
                is_bounded(&refusal);
            }
        }
    }
    if let Some(refusal) = of_grpc_headers(&headers) {
        is_bounded(&refusal);
    }
    let code = Code::from(i32::from(*low % 17));
    let message = String::from_utf8_lossy(lines).into_owned();
    is_bounded(&of_grpc(&Status::with_details(code, message, body.to_vec().into())));
}

/// A line that begins with a digit is a pause that is asked for: few names of headers have a meaning here.
fn headers(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let (name, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (HeaderName::from_bytes(&line[..colon]), &line[colon + 1..]),
            None => (Ok(RETRY_AFTER), line),
        };
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.insert(name, value);
        }
    }
    headers
}

fn is_bounded(refusal: &Refusal) {
    assert!(refusal.pause <= LONGEST_PAUSE, "{refusal:?}");
    assert!(refusal.text.chars().count() <= LONGEST_TEXT, "{refusal:?}");
    assert!(is_one_line(&refusal.text), "{refusal:?}");
}

fn is_one_line(text: &str) -> bool {
    !text.contains(char::is_control)
}
