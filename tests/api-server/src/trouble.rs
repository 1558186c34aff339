//! Trouble on demand: refusals, delays, and bodies that are slow, cut or broken.

use crate::list;
use crate::request::RequestInfo;
use crate::status::Refusal;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What happens to requests that it fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Trouble {
    /// Such as `watch`. Any, where none.
    #[serde(default)]
    pub verb: Option<String>,
    /// Such as `pods`: its plural. Any, where none.
    #[serde(default)]
    pub resource: Option<String>,
    /// Only the later pages of lists.
    #[serde(default)]
    pub continued: bool,
    /// To so many requests. To all, where none.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens to them.
    pub effect: Effect,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// 401, as for a token that is not known.
    Unauthorized,
    /// 403, whatever the rights.
    Forbidden,
    /// 410: of a list with a continue token, with a fresh one.
    Expired,
    /// 429, with `Retry-After`.
    Throttle {
        /// What the header says.
        retry_after_seconds: u32,
    },
    /// 500.
    InternalError,
    /// 503.
    Unavailable,
    /// Headers come after this time.
    Delay(Duration),
    /// The body comes at this rate.
    Slow {
        /// At least 1.
        bytes_per_second: u32,
    },
    /// After so many bytes of the body the connection breaks.
    Cut {
        /// Of the body.
        after_bytes: usize,
    },
    /// After so many bytes the body ends as if it were whole.
    End {
        /// Of the body.
        after_bytes: usize,
    },
    /// After so many bytes nothing comes any more, but the connection stands.
    Silence {
        /// Of the body.
        after_bytes: usize,
    },
    /// The body begins with these bytes: a line that is no JSON, or not UTF-8.
    Begin {
        /// What comes first.
        with: Vec<u8>,
    },
}

impl Trouble {
    /// This effect on all requests of a verb for a resource.
    pub fn of(verb: &str, resource: &str, effect: Effect) -> Self {
        let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Self { verb: name(verb), resource: name(resource), continued: false, times: None, effect }
    }

    /// Only so many times.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Only for later pages of lists.
    #[must_use]
    pub fn continued(self) -> Self {
        Self { continued: true, ..self }
    }

    fn fits(&self, info: &RequestInfo) -> bool {
        let plural = info.resource.as_ref().map_or("", |asked| asked.plural.as_str());
        self.times != Some(0)
            && self.verb.as_ref().is_none_or(|verb| *verb == info.verb)
            && self.resource.as_ref().is_none_or(|resource| resource == plural)
            && (!self.continued || !info.text("continue").is_empty())
    }
}

/// Takes the effects on a request out of `troubles`, counting them.
pub fn effects(troubles: &mut Vec<Trouble>, info: &RequestInfo) -> Vec<Effect> {
    let mut effects = Vec::new();
    for trouble in troubles.iter_mut().filter(|trouble| trouble.fits(info)) {
        trouble.times = trouble.times.map(|times| times - 1);
        effects.push(trouble.effect.clone());
    }
    troubles.retain(|trouble| trouble.times != Some(0));
    effects
}

impl Effect {
    /// The answer in place of the right one.
    pub fn refusal(&self, info: &RequestInfo) -> Option<Refusal> {
        Some(match self {
            Self::Unauthorized => Refusal::unauthorized(),
            Self::Forbidden => {
                let plural = info.resource.as_ref().map_or("", |asked| asked.plural.as_str());
                let message = format!("{plural} is forbidden: User cannot {} resource", info.verb);
                Refusal::new(403, "Forbidden", message)
            }
            Self::Expired if info.text("continue").is_empty() => Refusal::too_old(0, 1),
            Self::Expired => list::expire(info),
            Self::Throttle { retry_after_seconds } => {
                Refusal::too_many_requests(*retry_after_seconds)
            }
            Self::InternalError => Refusal::internal("etcdserver: leader changed"),
            Self::Unavailable => Refusal::unavailable(),
            _ => return None,
        })
    }

    /// The answer with a body that suffers this; `connection` is what it comes on.
    #[must_use]
    pub fn spoil(&self, response: Response, connection: CancellationToken) -> Response {
        let (mut parts, body) = response.into_parts();
        let bytes = body.into_data_stream().map(|piece| piece.map_err(io::Error::other)).boxed();
        let spoiled = match self.clone() {
            Self::Slow { bytes_per_second } => slow(bytes, bytes_per_second.max(1)),
            Self::Cut { after_bytes } => cut(bytes, after_bytes, connection),
            Self::End { after_bytes } => first(bytes, after_bytes),
            Self::Silence { after_bytes } => {
                first(bytes, after_bytes).chain(stream::pending()).boxed()
            }
            Self::Begin { with } => {
                stream::once(async move { Ok(Bytes::from(with)) }).chain(bytes).boxed()
            }
            _ => bytes,
        };
        parts.headers.remove(http::header::CONTENT_LENGTH);
        Response::from_parts(parts, Body::from_stream(spoiled))
    }
}

type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// Twenty pieces a second.
fn slow(bytes: Pieces, bytes_per_second: u32) -> Pieces {
    let size = (bytes_per_second as usize / 20).max(1);
    let pause = Duration::from_secs_f64(
        f64::from(u32::try_from(size).unwrap_or(u32::MAX)) / f64::from(bytes_per_second),
    );
    let split = bytes.flat_map(move |piece| stream::iter(pieces(piece, size)));
    split
        .then(move |piece| async move {
            tokio::time::sleep(pause).await;
            piece
        })
        .boxed()
}

fn pieces(piece: io::Result<Bytes>, size: usize) -> Vec<io::Result<Bytes>> {
    match piece {
        Ok(piece) => (0..piece.len())
            .step_by(size)
            .map(|at| Ok(piece.slice(at..(at + size).min(piece.len()))))
            .collect(),
        Err(error) => vec![Err(error)],
    }
}

/// The first `count` bytes.
fn first(bytes: Pieces, count: usize) -> Pieces {
    bytes
        .scan(count, |left, piece| {
            let piece = piece.map(|piece| piece.slice(..piece.len().min(*left)));
            let is_over = *left == 0;
            *left -= piece.as_ref().map_or(*left, Bytes::len);
            std::future::ready((!is_over).then_some(piece))
        })
        .boxed()
}

/// The first `count` bytes, sent; then the connection is dropped as it is.
fn cut(bytes: Pieces, count: usize, connection: CancellationToken) -> Pieces {
    let end = async move {
        // What was given to the connection leaves it only when the body has nothing more to give.
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            connection.cancel();
        });
        std::future::pending().await
    };
    first(bytes, count).chain(stream::once(end)).boxed()
}
