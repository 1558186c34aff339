//! An answer of the API server, read chunk by chunk.

use super::failure::Failure;
use super::reason::Reason;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use std::time::Duration;

/// A server that is asked sends the head of its answer within this time.
const PATIENCE: Duration = Duration::from_mins(1);

/// The most that is read of an answer that is none.
const LONGEST_REFUSAL: usize = 64 << 10;

/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// A body that comes.
pub(crate) struct Answer {
    body: Body,
}

impl Answer {
    /// Asks. Whatever is no answer of the kind asked for is a failure.
    pub(crate) async fn to(client: &Client, request: Request<Body>) -> Result<Self, Failure> {
        let answer = tokio::time::timeout(PATIENCE, client.send(request)).await;
        let Ok(answer) = answer else {
            return Err(Failure::new(Reason::Silent, "no answer"));
        };
        let answer = answer?;
        if answer.status().is_success() {
            return Ok(Self { body: answer.into_body() });
        }
        Err(refusal(answer).await)
    }

    /// What comes next; None at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| Failure::interrupted(&error))?;
            if let Ok(chunk) = frame.into_data() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }
}

async fn refusal(answer: Response<Body>) -> Failure {
    let (code, pause) = (answer.status().as_u16(), pause(&answer));
    let (mut body, mut answer) = (Vec::new(), Answer { body: answer.into_body() });
    let read = async {
        while let Ok(Some(chunk)) = answer.chunk().await {
            let room = LONGEST_REFUSAL - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == LONGEST_REFUSAL {
                return;
            }
        }
    };
    // What came until then says enough.
    let _ = tokio::time::timeout(PATIENCE, read).await;
    Failure::of_answer(code, &body, pause)
}

fn pause(answer: &Response<Body>) -> Option<Duration> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}
