//! New alerts as server-sent events.

use super::filters::{self, StreamParameters};
use super::problem::Problem;
use super::schema::Alert;
use super::state::ApiState;
use crate::alerts::{CompleteAlert, Followed, follow};
use crate::store::StoreError;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt};
use serde::Serialize;
use std::time::Duration;

/// A comment is sent when nothing else was for so long, which keeps proxies from hanging up and
/// tells a client that the line is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

/// Sends each new alert as it arrives.
///
/// Events are named `alert` (data: an alert; id: its number) and `resync` (there is more than makes
/// sense to send one by one: read the list again). Comments keep the connection alive.
/// A client that comes back with `Last-Event-ID` misses nothing. The stream ends when another token counts.
#[utoipa::path(
    get, path = "/api/v1/alerts/stream", tag = "alerts",
    params(StreamParameters, ("Last-Event-ID" = Option<i64>, Header, description = "The number of the last alert that was received.")),
    responses(
        (status = 200, description = "Server-sent events", body = Alert, content_type = "text/event-stream"),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many streams are open", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn alert_stream(
    State(state): State<ApiState>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<impl IntoResponse, Problem> {
    stream_alerts(state, &headers, &uri, Alert::from)
}

/// Streams new alerts, each as `show` makes it.
pub(crate) fn stream_alerts<T, F>(
    state: ApiState,
    headers: &HeaderMap,
    uri: &Uri,
    show: F,
) -> Result<Sse<impl Stream<Item = Result<Event, StoreError>> + Send + use<T, F>>, Problem>
where
    T: Serialize,
    F: Fn(CompleteAlert) -> T + Send + 'static,
{
    let (filter, after) = filters::stream(uri)?;
    let after = last_event_id(headers)?.or(after);
    let place = state.streams.clone().try_acquire_owned().map_err(|_| {
        let detail = "too many alert streams are open: close some";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let end = end(&state);
    let begin = futures::stream::once(async { Ok(Event::default().retry(RETRY)) });
    let alerts = follow(state.reader, filter, after).map(move |followed| {
        let _held_while_streaming = &place;
        followed.and_then(|followed| to_event(followed, &show))
    });
    let stream = begin.chain(alerts).take_until(end);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("alive")))
}

/// Resolves when the backend ends, or another token counts than the one that this client showed.
fn end(state: &ApiState) -> impl Future<Output = ()> + Send + use<> {
    let shutdown = state.shutdown.clone().cancelled_owned();
    let renewed = state.access.token.as_ref().map(|token| token.renewed());
    async move {
        match renewed {
            None => shutdown.await,
            Some(renewed) => tokio::select! {
                () = shutdown => {}
                () = renewed => {}
            },
        }
    }
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = || Problem::new(StatusCode::BAD_REQUEST, "Last-Event-ID must be an alert's number");
    number.map(Some).ok_or_else(wrong)
}

fn to_event<T: Serialize>(
    followed: Followed,
    show: &impl Fn(CompleteAlert) -> T,
) -> Result<Event, StoreError> {
    match followed {
        Followed::Alert(alert) => {
            let id = alert.number.to_string();
            let event = Event::default().event("alert").id(id).json_data(show(*alert));
            event.map_err(|error| StoreError::Record(error.to_string()))
        }
        Followed::Resync(number) => {
            Ok(Event::default().event("resync").id(number.to_string()).data(number.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::access::Access;
    use super::*;
    use crate::store::{Store, StoreConfig};
    use std::sync::Arc;
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_alerts_beats_each_fifteen_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig { directory: folder.path().to_owned(), ..StoreConfig::default() };
        let store = Store::open(&config).unwrap();
        let access = Arc::new(Access { token: None, tls: false });
        let state = ApiState::new(store.reader, None, access, CancellationToken::new());
        let stream = stream_alerts(state, &HeaderMap::new(), &Uri::from_static("/"), Alert::from);
        let mut body = stream.unwrap().into_response().into_body().into_data_stream();
        let mut next = async || {
            let begin = Instant::now();
            let chunk = body.next().await.expect("the stream goes on").unwrap();
            (String::from_utf8(chunk.to_vec()).unwrap(), begin.elapsed().as_secs())
        };
        assert_eq!(next().await, ("retry: 2000\n\n".to_owned(), 0));
        for _ in 0..3 {
            assert_eq!(next().await, (": alive\n\n".to_owned(), 15));
        }
    }
}
