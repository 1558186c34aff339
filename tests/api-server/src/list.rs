//! Lists: all at once or page by page, of now or of a version that is remembered.

use crate::request::RequestInfo;
use crate::resource::Resource;
use crate::selector::Selector;
use crate::status::Refusal;
use crate::store::Store;
use crate::stored::{Representation, Stored};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// What a chunk of a body has at least, but the last.
const CHUNK: usize = 64 * 1024;
const TOKEN_VERSION: &str = "meta.k8s.io/v1";

/// Where a list goes on: what a continue token holds.
#[derive(Debug, Serialize, Deserialize)]
struct Continue {
    v: String,
    /// The version of the list's first page; -1 of a list that goes on without consistency.
    rv: i64,
    /// The last key that was told.
    start: String,
    /// How many are left, where that was counted.
    left: Option<usize>,
}

/// A page, or all of a list.
#[derive(Debug)]
pub struct Page {
    pub version: u64,
    items: Vec<Stored>,
    /// Where to go on.
    next: Option<String>,
    remaining: Option<usize>,
}

/// Where and of when a page is.
struct Position {
    version: u64,
    after: Option<String>,
    left: Option<usize>,
}

/// The page that `info` asks for.
pub fn page(store: &Store, resource: &Resource, info: &RequestInfo) -> Result<Page, Refusal> {
    let selector = Selector::new(resource, info)?;
    let mut limit = number(info, "limit")?.filter(|limit| *limit > 0);
    if info.text("resourceVersion") == "0" && info.text("continue").is_empty() {
        // As from the watch cache, which knows no pages.
        limit = None;
    }
    let position = position(store, resource, info)?;
    gather(store, resource, &selector, &position, limit)
}

fn gather(
    store: &Store,
    resource: &Resource,
    selector: &Selector,
    position: &Position,
    limit: Option<u64>,
) -> Result<Page, Refusal> {
    let version = position.version;
    let mut page = Page { version, items: Vec::new(), next: None, remaining: None };
    let Some(collection) = store.collection(resource) else { return Ok(page) };
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let objects = collection.at(version, &selector.prefix, position.after.as_deref());
    let mut objects = objects.map_err(|_| expired(position))?;
    let selects = |key: &str, object: &Stored| {
        selector.is_trivial() || selector.selects(resource, key, object)
    };
    let mut last = "";
    while page.items.len() < limit {
        let Some((key, object)) = objects.next() else { return Ok(page) };
        if selects(key, object) {
            page.items.push(object.clone());
            last = key;
        }
    }
    if !objects.any(|(key, object)| selects(key, object)) {
        return Ok(page);
    }
    page.remaining = match position.left {
        Some(left) => Some(left.saturating_sub(page.items.len())),
        None if selector.is_trivial() => Some(objects.count() + 1),
        None => None,
    };
    page.next = Some(token(version.try_into().unwrap_or(-1), last, page.remaining));
    Ok(page)
}

/// A page of a list whose history is gone, or a list of a version whose history is.
fn expired(position: &Position) -> Refusal {
    match &position.after {
        Some(after) => Refusal::continue_expired(token(-1, after, None)),
        None => Refusal::list_too_old(position.version),
    }
}

/// What a list is told whose continue token has expired, or is to have.
pub fn expire(info: &RequestInfo) -> Refusal {
    match read_token(info.text("continue")) {
        Ok(read) => Refusal::continue_expired(token(-1, &read.start, None)),
        Err(refusal) => refusal,
    }
}

fn position(store: &Store, resource: &Resource, info: &RequestInfo) -> Result<Position, Refusal> {
    let asked = info.text("resourceVersion");
    check_match(info)?;
    let continued = info.text("continue");
    if continued.is_empty() {
        let version = version_of_list(store, resource, info)?;
        return Ok(Position { version, after: None, left: None });
    }
    if !asked.is_empty() && asked != "0" {
        let why = "specifying resource version is not allowed when using continue";
        return Err(Refusal::bad_request(why));
    }
    let read = read_token(continued)?;
    // Without consistency: the present state of what comes after.
    let version = u64::try_from(read.rv).unwrap_or_else(|_| store.version());
    Ok(Position { version, after: Some(read.start), left: read.left })
}

/// `resourceVersion` and `resourceVersionMatch` of a list.
fn version_of_list(store: &Store, _: &Resource, info: &RequestInfo) -> Result<u64, Refusal> {
    let Some(asked) = number(info, "resourceVersion")? else { return Ok(store.version()) };
    if asked > store.version() {
        return Err(Refusal::version_too_large(asked, store.version()));
    }
    Ok(if info.text("resourceVersionMatch") == "Exact" { asked } else { store.version() })
}

fn check_match(info: &RequestInfo) -> Result<(), Refusal> {
    let (asked, rule) = (info.text("resourceVersion"), info.text("resourceVersionMatch"));
    if info.is("sendInitialEvents") {
        let why = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list";
        return Err(Refusal::invalid_options(why));
    }
    let why = match rule {
        "" => return Ok(()),
        _ if asked.is_empty() => {
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        }
        _ if !info.text("continue").is_empty() => {
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided"
        }
        "Exact" if asked == "0" => {
            "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""
        }
        "Exact" | "NotOlderThan" => return Ok(()),
        _ => {
            "resourceVersionMatch: Unsupported value: supported values: \"Exact\", \"NotOlderThan\""
        }
    };
    Err(Refusal::invalid_options(why))
}

/// A number of the query; none where it is not there.
pub fn number(info: &RequestInfo, name: &str) -> Result<Option<u64>, Refusal> {
    match info.text(name) {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| Refusal::bad_request(format!("invalid {name} {text:?}: not a number"))),
    }
}

fn token(version: i64, last: &str, left: Option<usize>) -> String {
    let token = Continue { v: TOKEN_VERSION.to_owned(), rv: version, start: last.to_owned(), left };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
}

fn read_token(token: &str) -> Result<Continue, Refusal> {
    let bad = |why: String| Refusal::bad_request(format!("continue key is not valid: {why}"));
    let json = URL_SAFE_NO_PAD.decode(token).map_err(|error| bad(error.to_string()))?;
    let read: Continue = serde_json::from_slice(&json).map_err(|error| bad(error.to_string()))?;
    if read.v != TOKEN_VERSION {
        return Err(bad(format!("encoded token is of version {:?}", read.v)));
    }
    Ok(read)
}

impl Page {
    /// Namespace and name of each object.
    pub fn places(&self) -> Vec<(Option<String>, String)> {
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let metadata = self.items.iter().map(Stored::metadata_value);
        metadata.map(|of| (text(&of["namespace"]), text(&of["name"]).unwrap_or_default())).collect()
    }

    /// The list's JSON, in pieces that are made as they are sent.
    pub fn into_json(
        self,
        resource: Arc<Resource>,
        as_: Representation,
    ) -> impl Stream<Item = Bytes> {
        let begin = self.begin(&resource, as_);
        let pieces = Pieces {
            resource,
            as_,
            begin,
            items: self.items.into_iter(),
            is_first: true,
            is_over: false,
        };
        stream::iter(pieces)
    }

    fn begin(&self, resource: &Resource, as_: Representation) -> Vec<u8> {
        let mut metadata = json!({"resourceVersion": self.version.to_string()});
        if let Some(next) = &self.next {
            metadata["continue"] = json!(next);
        }
        if let Some(remaining) = self.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
        let (kind, api_version) = match as_ {
            Representation::Whole => (resource.list_kind.clone(), resource.api_version()),
            Representation::Metadata => {
                ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned())
            }
        };
        let (kind, api_version) = (json!(kind), json!(api_version));
        format!(
            "{{\"kind\":{kind},\"apiVersion\":{api_version},\"metadata\":{metadata},\"items\":["
        )
        .into_bytes()
    }
}

struct Pieces {
    resource: Arc<Resource>,
    as_: Representation,
    begin: Vec<u8>,
    items: std::vec::IntoIter<Stored>,
    is_first: bool,
    is_over: bool,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let mut piece = std::mem::take(&mut self.begin);
        while piece.len() < CHUNK {
            let Some(item) = self.items.next() else {
                piece.extend_from_slice(b"]}\n");
                self.is_over = true;
                break;
            };
            if !std::mem::take(&mut self.is_first) {
                piece.push(b',');
            }
            item.write_item(&mut piece, &self.resource, self.as_);
        }
        Some(piece.into())
    }
}
