//! Watches: the changes after a version, with bookmarks, or all objects first.

use crate::behaviour::{Behaviour, GoneAs, Streaming};
use crate::history::{Change, ChangeKind, Collection, TooOld};
use crate::list::number;
use crate::request::RequestInfo;
use crate::resource::Resource;
use crate::selector::Selector;
use crate::shared::Shared;
use crate::status::Refusal;
use crate::store::Store;
use crate::stored::{Representation, Stored};
use bytes::Bytes;
use futures::stream::{self, Stream};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What a chunk of a body has at most, but for one larger object.
const CHUNK: usize = 64 * 1024;
/// Changes that are taken out of the history at once.
const BATCH: usize = 500;
/// A watch without `timeoutSeconds` ends after this time at least, and twice that at most.
const SHORTEST_SECONDS: u64 = 1800;

/// A watch that is being answered.
pub struct Watch {
    shared: Arc<Shared>,
    resource: Arc<Resource>,
    selector: Selector,
    as_: Representation,
    /// Objects that are told before any change.
    initial: VecDeque<Stored>,
    /// Whether the end of those is told.
    tells_end: bool,
    /// All up to here is told, or stands in `initial`.
    version: u64,
    wants_bookmarks: bool,
    /// Told first, and then the watch ends.
    failure: Option<Refusal>,
    is_over: bool,
    until: Instant,
    next_bookmark: Instant,
    versions: watch::Receiver<u64>,
    behaviour: watch::Receiver<Behaviour>,
}

/// Begins the watch that `info` asks for.
pub fn begin(
    shared: &Arc<Shared>,
    resource: &Arc<Resource>,
    info: &RequestInfo,
    as_: Representation,
) -> Result<Watch, Refusal> {
    let versions = shared.versions.subscribe();
    let behaviour = shared.behaviour.subscribe();
    let store = shared.store();
    let selector = Selector::new(resource, info)?;
    let streams = wants_initial_events(info, behaviour.borrow().streaming)?;
    let asked = number(info, "resourceVersion")?.unwrap_or(0);
    if asked > store.version() {
        return Err(Refusal::version_too_large(asked, store.version()));
    }
    let begins_anew = streams.unwrap_or(asked == 0);
    let version = if begins_anew || asked == 0 { store.version() } else { asked };
    let initial = if begins_anew { all(&store, resource, &selector) } else { VecDeque::new() };
    let failure =
        oldest_beyond(&store, resource, version).map(|oldest| Refusal::too_old(asked, oldest));
    if let Some(refusal) =
        failure.clone().filter(|_| behaviour.borrow().gone_as == GoneAs::Response)
    {
        return Err(Refusal { reason: "Gone", ..refusal });
    }
    let seconds = number(info, "timeoutSeconds")?.filter(|seconds| *seconds > 0);
    let seconds = seconds.unwrap_or_else(|| fastrand::u64(SHORTEST_SECONDS..2 * SHORTEST_SECONDS));
    let next_bookmark = Instant::now() + behaviour.borrow().bookmark_every;
    drop(store);
    let is_ignored = behaviour.borrow().streaming == Streaming::Ignored;
    let wants_bookmarks = info.is("allowWatchBookmarks");
    Ok(Watch {
        shared: Arc::clone(shared),
        resource: Arc::clone(resource),
        selector,
        as_,
        initial,
        tells_end: streams == Some(true) && wants_bookmarks && !is_ignored,
        version,
        wants_bookmarks,
        failure,
        is_over: false,
        until: Instant::now() + Duration::from_secs(seconds),
        next_bookmark,
        versions,
        behaviour,
    })
}

/// `sendInitialEvents`, where it is set and this server takes it.
fn wants_initial_events(info: &RequestInfo, streaming: Streaming) -> Result<Option<bool>, Refusal> {
    let rule = info.text("resourceVersionMatch");
    let asked = match info.text("sendInitialEvents") {
        "" if rule.is_empty() => return Ok(None),
        "" => {
            let why = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            return Err(Refusal::invalid_options(why));
        }
        text => text == "true" || text == "1",
    };
    if streaming == Streaming::Refused {
        let why = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
        return Err(Refusal::invalid_options(why));
    }
    if rule != "NotOlderThan" {
        let why = "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        return Err(Refusal::invalid_options(why));
    }
    Ok(Some(asked))
}

fn all(store: &Store, resource: &Resource, selector: &Selector) -> VecDeque<Stored> {
    let objects = store.collection(resource).into_iter().flat_map(Collection::iter);
    let selected = objects.filter(|(key, object)| selector.selects(resource, key, object));
    selected.map(|(_, object)| object.clone()).collect()
}

/// The first version that can be watched from, where `version` is before it.
fn oldest_beyond(store: &Store, resource: &Resource, version: u64) -> Option<u64> {
    let reached = store.collection(resource)?.changes_after(version, 0).map(drop);
    reached.err().map(|TooOld { oldest }| oldest)
}

impl Watch {
    /// The lines of the answer.
    pub fn into_lines(self) -> impl Stream<Item = Bytes> {
        stream::unfold(self, |mut watch| async move {
            let lines = watch.next().await?;
            Some((lines, watch))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        while !self.is_over {
            self.wait_while_silent().await;
            let mut lines = Vec::new();
            self.gather(&mut lines);
            if !lines.is_empty() {
                return Some(lines.into());
            }
            self.wait().await;
        }
        None
    }

    /// Until something may be there to tell.
    async fn wait(&mut self) {
        let bookmark = self.wants_bookmarks;
        tokio::select! {
            _ = self.versions.changed() => {}
            _ = self.behaviour.changed() => {}
            () = tokio::time::sleep_until(self.next_bookmark), if bookmark => {}
            () = tokio::time::sleep_until(self.until) => {}
        }
    }

    async fn wait_while_silent(&mut self) {
        // An error says that the server is gone, and with it this connection.
        let _ = self.behaviour.wait_for(|behaviour| !behaviour.is_silent).await;
    }

    /// Appends what is to be told now.
    fn gather(&mut self, lines: &mut Vec<u8>) {
        if let Some(failure) = self.failure.take() {
            self.is_over = true;
            return write_value(lines, "ERROR", &failure.status());
        }
        if !self.initial.is_empty() {
            return self.gather_initial(lines);
        }
        if std::mem::take(&mut self.tells_end) {
            return self.write_bookmark(lines, true);
        }
        self.versions.mark_unchanged();
        self.gather_changes(lines);
        self.gather_bookmark(lines);
    }

    fn gather_initial(&mut self, lines: &mut Vec<u8>) {
        while lines.len() < CHUNK {
            let Some(object) = self.initial.pop_front() else { return };
            write_event(lines, ChangeKind::Added, &object, &self.resource, self.as_);
        }
    }

    fn gather_changes(&mut self, lines: &mut Vec<u8>) {
        let shared = Arc::clone(&self.shared);
        let store = shared.store();
        let present = store.version();
        let Some(collection) = store.collection(&self.resource) else {
            self.version = present;
            return;
        };
        let changes = collection.changes_after(self.version, BATCH);
        let changes = changes.map(|changes| changes.cloned().collect::<Vec<Change>>());
        drop(store);
        let changes = match changes {
            Ok(changes) => changes,
            Err(TooOld { oldest }) => {
                self.failure = Some(Refusal::too_old(self.version, oldest));
                return self.gather(lines);
            }
        };
        let told = self.write_changes(lines, &changes);
        self.version = if told == changes.len() && told < BATCH { present } else { self.version };
        if self.version < present {
            self.versions.mark_changed();
        }
    }

    /// Appends changes until there are enough for one piece; returns how many it looked at.
    fn write_changes(&mut self, lines: &mut Vec<u8>, changes: &[Change]) -> usize {
        for (at, change) in changes.iter().enumerate() {
            if lines.len() >= CHUNK {
                return at;
            }
            self.version = change.version();
            if let Some(kind) = self.seen_as(change) {
                write_event(lines, kind, &change.object, &self.resource, self.as_);
            }
        }
        changes.len()
    }

    /// What a change is to one who sees only what is selected.
    fn seen_as(&self, change: &Change) -> Option<ChangeKind> {
        let selects = |object: &Stored| self.selector.selects(&self.resource, &change.key, object);
        let was = change.previous.as_ref().is_some_and(selects);
        let is = change.kind != ChangeKind::Deleted && selects(&change.object);
        match (was, is) {
            (false, true) => Some(ChangeKind::Added),
            (true, true) => Some(ChangeKind::Modified),
            (true, false) => Some(ChangeKind::Deleted),
            (false, false) => None,
        }
    }

    /// Appends a bookmark where one is due, the last before the end of the time.
    fn gather_bookmark(&mut self, lines: &mut Vec<u8>) {
        let now = Instant::now();
        let is_due = now >= self.next_bookmark || now >= self.until;
        if self.wants_bookmarks && is_due && lines.is_empty() {
            self.next_bookmark = now + self.behaviour.borrow_and_update().bookmark_every;
            self.write_bookmark(lines, false);
        }
        self.is_over |= now >= self.until;
    }

    fn write_bookmark(&self, lines: &mut Vec<u8>, ends_initial_events: bool) {
        let mut metadata =
            json!({"resourceVersion": self.version.to_string(), "creationTimestamp": null});
        if ends_initial_events {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let (kind, api_version) = match self.as_ {
            Representation::Whole => (self.resource.kind.clone(), self.resource.api_version()),
            Representation::Metadata => {
                ("PartialObjectMetadata".to_owned(), "meta.k8s.io/v1".to_owned())
            }
        };
        let mut object = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        if self.as_ == Representation::Whole {
            add_empty_fields(&mut object);
        }
        write_value(lines, "BOOKMARK", &object);
    }
}

/// Bookmarks are typed objects: fields that are always written stand in them, empty.
fn add_empty_fields(object: &mut Value) {
    let fields = match object["kind"].as_str().unwrap_or_default() {
        "Pod" => json!({"spec": {"containers": null}, "status": {}}),
        "Service" => json!({"spec": {}, "status": {"loadBalancer": {}}}),
        "Node" => {
            json!({"spec": {}, "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}}})
        }
        "ClusterRole" | "Role" => json!({"rules": null}),
        _ => json!({}),
    };
    if let (Value::Object(object), Value::Object(fields)) = (object, fields) {
        object.extend(fields);
    }
}

fn write_event(
    lines: &mut Vec<u8>,
    kind: ChangeKind,
    object: &Stored,
    resource: &Resource,
    as_: Representation,
) {
    lines.extend_from_slice(format!("{{\"type\":\"{}\",\"object\":", kind.name()).as_bytes());
    object.write(lines, resource, as_);
    lines.extend_from_slice(b"}\n");
}

fn write_value(lines: &mut Vec<u8>, kind: &str, object: &Value) {
    lines.extend_from_slice(format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n").as_bytes());
}
