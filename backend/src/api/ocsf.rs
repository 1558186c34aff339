//! Alerts as detection findings of the Open Cybersecurity Schema Framework.

use super::filters::{self, FindingParameters};
use super::handlers::stored_alert;
use super::problem::Problem;
use super::state::ApiState;
use crate::alerts::{CompleteAlert, complete};
use crate::store::{AlertCursor, AlertFilter, Reader, StoreError};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::{Stream, stream};
use ocsf::{Repeats, Source, detection_finding};
use serde_json::Value;

/// Alerts that are read at a time.
const ALERTS_A_QUERY: usize = 100;

/// Tells one alert as a finding of OCSF (class 2004, Detection Finding).
#[utoipa::path(
    get, path = "/api/v1/alerts/{id}/ocsf", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id: a UUID.", format = "uuid")),
    responses(
        (status = 200, description = "The finding, as https://schema.ocsf.io describes it", body = Value),
        (status = 400, description = "The id is no UUID", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such alert", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn finding(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(render(&complete(stored_alert(&state, &id).await?))))
}

/// Exports alerts as findings of OCSF, one a line, the newest act first: all that match, to the last.
///
/// An export that fails on its way breaks the connection off, so that it is never taken for a whole one.
#[utoipa::path(
    get, path = "/api/v1/alerts/ocsf", tag = "alerts", params(FindingParameters),
    responses(
        (status = 200, description = "A finding a line", body = Value, content_type = "application/x-ndjson"),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many exports and streams are open", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn findings(State(state): State<ApiState>, uri: Uri) -> Result<Response, Problem> {
    let filter = filters::findings(&uri)?;
    let place = state.streams.clone().try_acquire_owned().map_err(|_| {
        let detail = "too many exports and alert streams are open: close some";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let pages = pages(state.reader, filter);
    let lines = futures::StreamExt::inspect(pages, move |_| {
        let _held_while_exporting = &place;
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The lines of each page, as the reader takes them.
fn pages(
    reader: Reader,
    filter: AlertFilter,
) -> impl Stream<Item = Result<String, StoreError>> + Send {
    /// Where the next page begins; after the last there is none.
    enum Next {
        Page(Option<AlertCursor>),
        End,
    }
    stream::try_unfold(Next::Page(None), move |next| {
        let (reader, filter) = (reader.clone(), filter.clone());
        async move {
            let Next::Page(after) = next else { return Ok(None) };
            let page = reader.alerts(filter, after, ALERTS_A_QUERY).await?;
            let lines =
                page.items.into_iter().map(|alert| render(&complete(alert)).to_string() + "\n");
            let next = page.next.map_or(Next::End, |cursor| Next::Page(Some(cursor)));
            Ok(Some((lines.collect(), next)))
        }
    })
}

fn render(complete: &CompleteAlert) -> Value {
    let CompleteAlert { received_at, publisher, alert, held, .. } = complete;
    let repeats =
        Repeats { repeated: held.repeated, rate_limited: held.rate_limited, until: held.until };
    let source = Source {
        version: env!("CARGO_PKG_VERSION"),
        cluster: Some(&publisher.cluster),
        node: Some(&publisher.node),
        received_at: Some(*received_at),
        repeats,
    };
    detection_finding(alert, &source)
}
