//! Bodies in gzip, compressed as they are sent.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt;
use futures::stream;
use http::{HeaderValue, header};
use std::io::{self, Write};

/// What real servers use.
const LEVEL: u32 = 4;

/// `response`, in gzip.
pub fn compressed(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let state =
        (body.into_data_stream(), Some(GzEncoder::new(Vec::new(), Compression::new(LEVEL))));
    let pieces = stream::unfold(state, |(mut body, encoder)| async move {
        let mut encoder = encoder?;
        while let Some(piece) = body.next().await {
            if let Err(error) =
                piece.map_err(io::Error::other).and_then(|piece| encoder.write_all(&piece))
            {
                return Some((Err(error), (body, None)));
            }
            if !encoder.get_ref().is_empty() {
                let piece = Bytes::from(std::mem::take(encoder.get_mut()));
                return Some((Ok(piece), (body, Some(encoder))));
            }
        }
        Some((encoder.finish().map(Bytes::from), (body, None)))
    });
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    Response::from_parts(parts, Body::from_stream(pieces))
}
