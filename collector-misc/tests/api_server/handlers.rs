use super::cluster::{GoneAs, Streaming, kind_of};
use super::{Shared, status};
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

const BOOKMARK_EVERY: Duration = Duration::from_millis(300);

type Parameters = HashMap<String, String>;

/// `GET /api/v1/{plural}`, with or without `watch=true`.
pub async fn list_or_watch(
    State(shared): State<Arc<Shared>>,
    Path(plural): Path<String>,
    Query(parameters): Query<Parameters>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refuse(&shared, &plural, query, &headers) {
        return refusal;
    }
    if parameters.get("watch").is_some_and(|watch| watch == "true") {
        watch(&shared, plural, &parameters)
    } else {
        list(&shared, &plural, &parameters)
    }
}

/// Notes the request, and says why it is not for this client.
fn refuse(
    shared: &Shared,
    plural: &str,
    query: Option<String>,
    headers: &HeaderMap,
) -> Option<Response> {
    let mut cluster = shared.cluster();
    cluster.requests.push((plural.to_owned(), query.unwrap_or_default()));
    let token = headers.get("authorization").and_then(|value| value.to_str().ok());
    if token != Some(&format!("Bearer {}", cluster.token)) {
        return Some(status::response(401, "Unauthorized", "Unauthorized"));
    }
    let message = format!("{plural} is forbidden: User cannot list resource");
    cluster.forbidden.contains(plural).then(|| status::response(403, "Forbidden", &message))
}

fn list(shared: &Shared, plural: &str, parameters: &Parameters) -> Response {
    let limit = parameters.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
    let token = parameters.get("continue").map(String::as_str);
    match shared.cluster().page(plural, limit, token) {
        Some(page) => axum::Json(page).into_response(),
        None => status::response(410, "Expired", "The provided continue parameter is too old"),
    }
}

fn watch(shared: &Arc<Shared>, plural: String, parameters: &Parameters) -> Response {
    let cluster = shared.cluster();
    let is = |name: &str| parameters.get(name).is_some_and(|value| value == "true");
    let streams = is("sendInitialEvents");
    if streams && cluster.streaming == Streaming::Refused {
        let message = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch \
                       unless the WatchList feature gate is enabled";
        return status::response(422, "Invalid", message);
    }
    let asked: u64 = parameters["resourceVersion"].parse().unwrap();
    let is_too_old = asked != 0 && asked < cluster.oldest();
    if is_too_old && cluster.gone_as == GoneAs::Response {
        return status::response(410, "Gone", "too old resource version");
    }
    let mut lines = VecDeque::new();
    if is_too_old {
        lines.push_back(line("ERROR", &status::gone()));
    }
    // Version 0 means: any state, told as synthetic ADDED events.
    if asked == 0 {
        lines.extend(cluster.objects(&plural).iter().map(|object| line("ADDED", object)));
    }
    if streams && cluster.streaming == Streaming::Offered {
        lines.push_back(line("BOOKMARK", &bookmark(&plural, cluster.version(), true)));
    }
    let timeout = parameters.get("timeoutSeconds").map_or(300, |seconds| seconds.parse().unwrap());
    let watch = Watch {
        shared: Arc::clone(shared),
        version: if asked == 0 { cluster.version() } else { asked },
        lines,
        plural,
        wants_bookmarks: is("allowWatchBookmarks"),
        is_over: is_too_old,
        until: Instant::now() + Duration::from_secs(timeout),
        versions: shared.version.subscribe(),
        cuts: shared.cuts.subscribe(),
    };
    drop(cluster);
    Body::from_stream(stream::unfold(watch, Watch::next)).into_response()
}

/// A watch that is being answered.
struct Watch {
    shared: Arc<Shared>,
    plural: String,
    /// All up to here is told, or waits in `lines`.
    version: u64,
    lines: VecDeque<Bytes>,
    wants_bookmarks: bool,
    is_over: bool,
    until: Instant,
    versions: watch::Receiver<u64>,
    cuts: watch::Receiver<u64>,
}

impl Watch {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some((Ok(line), self));
            }
            if self.is_over {
                return None;
            }
            self.versions.mark_unchanged();
            self.gather();
            if !self.lines.is_empty() {
                continue;
            }
            tokio::select! {
                _ = self.versions.changed() => {}
                _ = self.cuts.changed() => {
                    self.is_over = true;
                    return Some((Err(io::Error::other("cut")), self));
                }
                () = tokio::time::sleep(BOOKMARK_EVERY), if self.wants_bookmarks => {
                    let bookmark = bookmark(&self.plural, self.version, false);
                    self.lines.push_back(line("BOOKMARK", &bookmark));
                }
                () = tokio::time::sleep_until(self.until) => return None,
            }
        }
    }

    fn gather(&mut self) {
        let cluster = self.shared.cluster();
        let changes = cluster.changes_after(self.version, &self.plural);
        self.lines.extend(changes.iter().map(|change| line(change.kind, &change.object)));
        self.version = cluster.version();
    }
}

fn line(kind: &str, object: &Value) -> Bytes {
    format!("{}\n", json!({"type": kind, "object": object})).into()
}

fn bookmark(plural: &str, version: u64, ends_initial_events: bool) -> Value {
    let mut metadata = json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
    if ends_initial_events {
        metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    json!({"kind": kind_of(plural), "apiVersion": "v1", "metadata": metadata})
}
