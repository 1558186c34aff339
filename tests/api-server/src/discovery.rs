//! What a server tells of what it serves, group by group or all at once.

use crate::catalogue::Catalogue;
use crate::resource::{Resource, VERBS};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use std::sync::Arc;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The document at `path`, where there is one.
pub fn document(catalogue: &Catalogue, path: &str, headers: &HeaderMap) -> Option<Response> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let document = match parts.as_slice() {
        ["api"] if wants_aggregated(headers) => {
            return Some(aggregated(catalogue, str::is_empty));
        }
        ["apis"] if wants_aggregated(headers) => {
            return Some(aggregated(catalogue, |group| !group.is_empty()));
        }
        ["api"] => json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}],
        }),
        ["apis"] => {
            let groups: Vec<Value> =
                groups(catalogue).into_iter().map(|name| group(catalogue, name, false)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        ["apis", name] if catalogue.has_group(name) => group(catalogue, name, true),
        ["api", version] if catalogue.has_version("", version) => {
            version_document(catalogue, "", version)
        }
        ["apis", group, version] if catalogue.has_version(group, version) => {
            version_document(catalogue, group, version)
        }
        _ => return None,
    };
    Some(crate::status::json_response(StatusCode::OK, &document))
}

fn wants_aggregated(headers: &HeaderMap) -> bool {
    let accept =
        headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| {
        let mut parts: Vec<&str> = kind.split(';').map(str::trim).collect();
        let begin = parts.remove(0);
        let has = |part| parts.contains(&part);
        begin == "application/json"
            && has("as=APIGroupDiscoveryList")
            && has("g=apidiscovery.k8s.io")
            && has("v=v2")
    })
}

/// The names of all groups but the core's, each once.
fn groups(catalogue: &Catalogue) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for resource in catalogue.resources() {
        if !names.contains(&resource.group.as_str()) {
            names.push(&resource.group);
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The versions of a group, the preferred one first.
fn versions<'a>(catalogue: &'a Catalogue, group: &str) -> Vec<&'a str> {
    let mut versions: Vec<&str> = Vec::new();
    for resource in catalogue.resources().filter(|resource| resource.group == group) {
        if !versions.contains(&resource.version.as_str()) {
            versions.push(&resource.version);
        }
    }
    versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
    versions
}

/// Stable before beta before alpha, and of those the highest number first.
fn priority(version: &str) -> (u8, u32, u32) {
    let numbers = version.trim_start_matches('v');
    let (major, rest) = numbers
        .split_at(numbers.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(numbers.len()));
    let number = |text: &str| text.parse().unwrap_or(0);
    let (stage, minor) = match rest {
        "" => (3, 0),
        rest if rest.starts_with("beta") => (2, number(&rest[4..])),
        rest if rest.starts_with("alpha") => (1, number(&rest[5..])),
        _ => (0, 0),
    };
    (stage, number(major), minor)
}

fn group(catalogue: &Catalogue, name: &str, is_alone: bool) -> Value {
    let versions: Vec<Value> = versions(catalogue, name)
        .into_iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    let mut group = json!({"name": name, "versions": versions, "preferredVersion": versions[0]});
    if is_alone {
        group["kind"] = json!("APIGroup");
        group["apiVersion"] = json!("v1");
    }
    group
}

/// The resources of one version of a group.
fn version_document(catalogue: &Catalogue, group: &str, version: &str) -> Value {
    let mut resources: Vec<Value> = Vec::new();
    for resource in of_version(catalogue, group, version) {
        resources.push(entry(resource));
        resources.extend(resource.subresources.iter().map(|below| {
            json!({
                "name": format!("{}/{}", resource.plural, below.name), "singularName": "",
                "namespaced": resource.is_namespaced, "kind": below.kind, "verbs": below.verbs,
            })
        }));
    }
    let group_version =
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({
        "kind": "APIResourceList", "apiVersion": "v1",
        "groupVersion": group_version, "resources": resources,
    })
}

fn of_version<'a>(catalogue: &'a Catalogue, group: &str, version: &str) -> Vec<&'a Arc<Resource>> {
    let is_of = |resource: &&Arc<Resource>| resource.group == group && resource.version == version;
    let mut resources: Vec<_> = catalogue.resources().filter(is_of).collect();
    resources.sort_by(|one, other| one.plural.cmp(&other.plural));
    resources
}

fn entry(resource: &Resource) -> Value {
    let mut entry = json!({
        "name": resource.plural, "singularName": resource.singular,
        "namespaced": resource.is_namespaced, "kind": resource.kind, "verbs": VERBS,
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    entry
}

/// All groups that fit, with all of their versions and resources, in one document.
fn aggregated(catalogue: &Catalogue, fits: impl Fn(&str) -> bool) -> Response {
    let names = std::iter::once("").chain(groups(catalogue)).filter(|name| fits(name));
    let items: Vec<Value> = names.map(|name| aggregated_group(catalogue, name)).collect();
    let document = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": items,
    });
    let mut response = crate::status::json_response(StatusCode::OK, &document);
    let kind = HeaderValue::from_static(AGGREGATED);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn aggregated_group(catalogue: &Catalogue, name: &str) -> Value {
    let versions = versions(catalogue, name).into_iter().map(|version| {
        let resources: Vec<Value> = of_version(catalogue, name, version)
            .into_iter()
            .map(|resource| aggregated_resource(resource))
            .collect();
        json!({"version": version, "resources": resources, "freshness": "Current"})
    });
    let metadata = if name.is_empty() {
        json!({"creationTimestamp": null})
    } else {
        json!({"name": name, "creationTimestamp": null})
    };
    json!({"metadata": metadata, "versions": versions.collect::<Vec<_>>()})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let kind = |kind: &str| json!({"group": "", "version": "", "kind": kind});
    let mut entry = json!({
        "resource": resource.plural, "responseKind": kind(&resource.kind),
        "scope": if resource.is_namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular, "verbs": VERBS,
    });
    entry["responseKind"]["group"] = json!(resource.group);
    entry["responseKind"]["version"] = json!(resource.version);
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    let below = resource.subresources.iter();
    let below: Vec<Value> = below
        .map(|below| {
            json!({"subresource": below.name, "responseKind": kind(&below.kind), "verbs": below.verbs})
        })
        .collect();
    if !below.is_empty() {
        entry["subresources"] = json!(below);
    }
    entry
}
