//! HTTP/1.1 over a Unix socket: a connection for each request, as runtimes' own tools do.

use super::RuntimeError;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::path::Path;
use tokio::net::UnixStream;

/// Larger answers are refused.
const MAXIMUM_ANSWER_BYTES: usize = 8 << 20;

/// Asks for a document; None where the server has none by that name.
pub(super) async fn get<T: DeserializeOwned>(
    socket: &Path,
    path: &str,
) -> Result<Option<T>, RuntimeError> {
    let Some(body) = open(socket, path).await? else { return Ok(None) };
    let body = Limited::new(body, MAXIMUM_ANSWER_BYTES)
        .collect()
        .await
        .map_err(|error| RuntimeError::Answer(format!("reading the answer to {path}: {error}")))?
        .to_bytes();
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|error| RuntimeError::Answer(format!("the answer to {path}: {error}")))
}

/// Begins a request and hands over the body of its answer, which may never end.
/// None where the server has nothing by that name.
pub(super) async fn open(socket: &Path, path: &str) -> Result<Option<Incoming>, RuntimeError> {
    let stream = UnixStream::connect(socket).await.map_err(RuntimeError::Connect)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| RuntimeError::Answer(error.to_string()))?;
    // Ends when the body was read or dropped.
    tokio::spawn(connection);
    let request = Request::get(path)
        .header(header::HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|error| RuntimeError::Answer(format!("{path} is no address: {error}")))?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| RuntimeError::Answer(format!("{path}: {error}")))?;
    match response.status() {
        StatusCode::OK => Ok(Some(response.into_body())),
        StatusCode::NOT_FOUND => Ok(None),
        status => Err(RuntimeError::Answer(format!("{path} was answered by {status}"))),
    }
}
