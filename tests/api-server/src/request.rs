//! What a request asks for, read from its method, path and query.

use http::{Method, Uri};
use std::collections::HashMap;

/// A request, as rights are checked and records are kept of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// `list`, `watch`, `create`…; of a path that is no resource, the method in lower case.
    pub verb: String,
    pub path: String,
    /// None of `/version`, `/api`, `/apis/apps/v1`…
    pub resource: Option<Asked>,
    pub query: HashMap<String, String>,
}

/// A resource, as a path names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub group: String,
    pub version: String,
    pub plural: String,
    pub subresource: Option<String>,
    pub namespace: Option<String>,
    pub name: Option<String>,
}

impl RequestInfo {
    pub fn new(method: &Method, uri: &Uri) -> Self {
        let query =
            axum::extract::Query::try_from_uri(uri).map(|query| query.0).unwrap_or_default();
        let resource = asked(uri.path());
        let mut info = Self { verb: String::new(), path: uri.path().to_owned(), resource, query };
        info.verb = info.verb_of(method);
        info.take_name_from_selector();
        info
    }

    /// Whether the query says `name=true`.
    pub fn is(&self, name: &str) -> bool {
        self.query.get(name).is_some_and(|value| value == "true" || value == "1")
    }

    pub fn text(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    fn verb_of(&self, method: &Method) -> String {
        let Some(asked) = &self.resource else { return method.as_str().to_lowercase() };
        let is_collection = asked.name.is_none();
        let verb = match *method {
            Method::GET | Method::HEAD if !is_collection => "get",
            Method::GET | Method::HEAD if self.is("watch") => "watch",
            Method::GET | Method::HEAD => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if is_collection => "deletecollection",
            Method::DELETE => "delete",
            _ => "",
        };
        verb.to_owned()
    }

    /// A list of one object by `fieldSelector=metadata.name=` is allowed by its name.
    fn take_name_from_selector(&mut self) {
        let is_of_many = matches!(self.verb.as_str(), "list" | "watch" | "deletecollection");
        let name = self.text("fieldSelector").strip_prefix("metadata.name=").map(str::to_owned);
        if let (true, Some(asked), Some(name)) = (is_of_many, &mut self.resource, name)
            && !name.contains(',')
        {
            asked.name = Some(name.trim_start_matches('=').to_owned());
        }
    }
}

/// The resource of `/api/v1/…` or `/apis/GROUP/VERSION/…`.
fn asked(path: &str) -> Option<Asked> {
    let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        // What hangs below the namespace itself.
        ["namespaces", namespace] | ["namespaces", namespace, "status" | "finalize"] => {
            (Some(*namespace), rest)
        }
        ["namespaces", namespace, below @ ..] => (Some(*namespace), below),
        _ => (None, rest),
    };
    let text = |at: usize| rest.get(at).map(|part| (*part).to_owned());
    Some(Asked {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: text(0)?,
        name: text(1),
        subresource: text(2),
        namespace: namespace.map(str::to_owned),
    })
}

/// `part` with each `%3A` as the byte that it stands for.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let value = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(value) = value.filter(|_| *first == b'%') {
            bytes.push(value);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
