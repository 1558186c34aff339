//! The requests that lists and watches are made of.
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>
//!
//! Lists come by pages, not as a watch that begins with all objects (`sendInitialEvents`): a server ends a watch that is read
//! more slowly than the cluster changes, and inside 60m of CPU a large cluster takes minutes.

use super::kind::{Kind, Reading};
use http::Request;
use kube::client::Body;

/// Objects in a page of a list. They are read one by one; a page is what the server holds for us at once.
const PAGE: u32 = 500;

/// How long a watch lasts before the server ends it and it is begun anew where it was. Servers end them after a random
/// time of 30 to 60 minutes by themselves; a connection that died unseen would lie there for as long.
const WATCH_SECONDS: u32 = 290;

/// Asks for objects of which the server sends only the metadata.
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const METADATA_ALONE: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// A page of a list: the first, or the one that a token asks for.
pub(crate) fn page(kind: &Kind, token: &str) -> Result<Request<Body>, http::Error> {
    let query = [("limit", PAGE.to_string()), ("continue", token.to_owned())];
    request(kind, query.into_iter().filter(|(_, value)| !value.is_empty()), METADATA_LIST)
}

/// A watch from a state on.
pub(crate) fn watch_from(kind: &Kind, version: &str) -> Result<Request<Body>, http::Error> {
    let query = [
        ("watch", "true".to_owned()),
        ("allowWatchBookmarks", "true".to_owned()),
        ("timeoutSeconds", WATCH_SECONDS.to_string()),
        ("resourceVersion", version.to_owned()),
    ];
    request(kind, query.into_iter(), METADATA_ALONE)
}

fn request<'q>(
    kind: &Kind,
    query: impl Iterator<Item = (&'q str, String)>,
    metadata: &str,
) -> Result<Request<Body>, http::Error> {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(query);
    if let Some(selector) = kind.field_selector {
        text.append_pair("fieldSelector", selector);
    }
    let accept = if kind.reading == Reading::Metadata { metadata } else { "application/json" };
    Request::get(format!("{}?{}", kind.path(), text.finish()))
        .header(http::header::ACCEPT, accept)
        .header(http::header::ACCEPT_ENCODING, "identity")
        .body(Body::empty())
}

#[cfg(test)]
mod tests {
    use super::{page, watch_from};
    use crate::watch::kinds::KINDS;

    fn kind(plural: &str) -> &'static crate::watch::kind::Kind {
        KINDS.iter().find(|kind| kind.plural == plural).unwrap()
    }

    #[test]
    fn requests_ask_as_the_api_documents() {
        let uri = page(kind("deployments"), "a/b=").unwrap().uri().to_string();
        assert_eq!(uri, "/apis/apps/v1/deployments?limit=500&continue=a%2Fb%3D");
        let uri = watch_from(kind("events"), "17").unwrap().uri().to_string();
        assert!(uri.starts_with("/api/v1/events?watch=true&allowWatchBookmarks=true"), "{uri}");
        assert!(uri.ends_with("&resourceVersion=17&fieldSelector=type%3DWarning"), "{uri}");
    }

    #[test]
    fn of_secrets_only_metadata_is_asked_for() {
        let accepted = |request: http::Request<kube::client::Body>| {
            request.headers()["accept"].to_str().unwrap().to_owned()
        };
        assert!(accepted(page(kind("secrets"), "").unwrap()).contains("PartialObjectMetadataList"));
        let watched = accepted(watch_from(kind("secrets"), "1").unwrap());
        assert!(watched.contains("as=PartialObjectMetadata;"), "{watched}");
        assert_eq!(accepted(page(kind("pods"), "").unwrap()), "application/json");
    }
}
