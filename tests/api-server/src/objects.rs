//! Requests for objects: reading, writing, watching.

use crate::answer::text;
use crate::authentication::User;
use crate::request::{Asked, RequestInfo};
use crate::resource::Resource;
use crate::review;
use crate::shared::Shared;
use crate::status::{Refusal, bytes_response, json_response, success};
use crate::store::{Store, uid};
use crate::stored::{Object, Representation, Stored};
use crate::subresource;
use crate::write::{self, Creation, DeleteOptions, Part};
use crate::{compression, list, representation, watch};
use axum::body::Body;
use axum::response::Response;
use futures::StreamExt;
use http::{HeaderMap, Request, StatusCode, header};
use serde_json::Value;
use std::io;
use std::sync::Arc;

/// The largest body of a request, as real servers have it.
const LARGEST_BODY: usize = 3 * 1024 * 1024;

/// A request for objects of one resource.
pub struct Operation<'a> {
    pub shared: &'a Arc<Shared>,
    pub info: &'a RequestInfo,
    pub asked: &'a Asked,
    pub resource: Arc<Resource>,
    pub headers: HeaderMap,
    /// Who the fields of the object are managed by.
    pub manager: String,
    pub dry_run: bool,
    as_: Representation,
}

/// Answers a request for a resource.
pub async fn answer(
    shared: &Arc<Shared>,
    user: &User,
    info: &RequestInfo,
    asked: &Asked,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    if review::is_asked(asked, &info.verb) {
        let body = body(request).await?;
        return review::answer(shared, user, &asked.plural, read(&body)?);
    }
    let resource =
        shared.store().catalogue().find(&asked.group, &asked.version, &asked.plural).cloned();
    let resource = resource.ok_or_else(Refusal::no_such_resource)?;
    let operation = Operation {
        shared,
        info,
        asked,
        resource,
        manager: manager(info, request.headers()),
        dry_run: info.text("dryRun") == "All",
        as_: representation::accepted(request.headers())?,
        headers: request.headers().clone(),
    };
    match asked.subresource.as_deref() {
        None => operation.answer(request).await,
        Some(below) => subresource::answer(&operation, below, request).await,
    }
}

/// `kubectl/v1.34 (linux)` writes as `kubectl`.
fn manager(info: &RequestInfo, headers: &HeaderMap) -> String {
    match info.text("fieldManager") {
        "" => {
            let agent = text(headers, header::USER_AGENT);
            let name = agent.split('/').next().filter(|name| !name.is_empty());
            name.unwrap_or("unknown").to_owned()
        }
        manager => manager.to_owned(),
    }
}

/// The body of a request.
pub async fn body(request: Request<Body>) -> Result<Vec<u8>, Refusal> {
    let body = axum::body::to_bytes(request.into_body(), LARGEST_BODY).await;
    body.map(Vec::from).map_err(|_| Refusal::too_large(LARGEST_BODY))
}

/// JSON of a request.
pub fn read(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type JSON): {error}"
        ))
    })
}

impl Operation<'_> {
    async fn answer(&self, request: Request<Body>) -> Result<Response, Refusal> {
        match self.info.verb.as_str() {
            "get" => self.get(),
            "list" => self.list(),
            "watch" => self.watch(),
            "create" => self.create(&body(request).await?),
            "update" => self.update(&body(request).await?, Part::Main),
            "patch" => self.patch(&body(request).await?, Part::Main),
            "delete" => self.delete(&body(request).await?),
            "deletecollection" => self.delete_collection(),
            _ => Err(Refusal::method_not_allowed()),
        }
    }

    /// Namespace and name of the object that is asked for.
    pub fn place(&self) -> (Option<&str>, &str) {
        let namespace = self.asked.namespace.as_deref().filter(|_| self.resource.is_namespaced);
        (namespace, self.asked.name.as_deref().unwrap_or_default())
    }

    /// The object that is asked for, as it is.
    pub fn found(&self) -> Result<Stored, Refusal> {
        let (namespace, name) = self.place();
        let key = Store::key_of(&self.resource, namespace, name);
        self.shared.store().found(&self.resource, &key).cloned()
    }

    pub fn get(&self) -> Result<Response, Refusal> {
        Ok(self.respond(StatusCode::OK, &self.found()?))
    }

    /// An answer with one object.
    pub fn respond(&self, code: StatusCode, object: &Stored) -> Response {
        let mut json = Vec::with_capacity(object.size() + 100);
        object.write(&mut json, &self.resource, self.as_);
        if representation::wants_gzip(&self.headers, Some(json.len())) {
            return compression::compressed(bytes_response(code, json));
        }
        bytes_response(code, json)
    }

    fn list(&self) -> Result<Response, Refusal> {
        self.must_be_served_here()?;
        let page = list::page(&self.shared.store(), &self.resource, self.info)?;
        let json = page.into_json(Arc::clone(&self.resource), self.as_).map(Ok::<_, io::Error>);
        let response = bytes_response(StatusCode::OK, Body::from_stream(json));
        let is_compressed = representation::wants_gzip(&self.headers, None);
        Ok(if is_compressed { compression::compressed(response) } else { response })
    }

    fn watch(&self) -> Result<Response, Refusal> {
        self.must_be_served_here()?;
        let watch = watch::begin(self.shared, &self.resource, self.info, self.as_)?;
        let lines = watch.into_lines().map(Ok::<_, io::Error>);
        Ok(bytes_response(StatusCode::OK, Body::from_stream(lines)))
    }

    /// Resources of the cluster are not served in a namespace.
    fn must_be_served_here(&self) -> Result<(), Refusal> {
        let is_in_namespace =
            self.asked.namespace.is_some() && self.resource.plural != "namespaces";
        if is_in_namespace && !self.resource.is_namespaced {
            return Err(Refusal::no_such_resource());
        }
        Ok(())
    }

    fn create(&self, body: &[u8]) -> Result<Response, Refusal> {
        self.must_be_served_here()?;
        self.must_be_json()?;
        if self.resource.is_namespaced && self.asked.namespace.is_none() {
            return Err(Refusal::method_not_allowed());
        }
        let mut object = read(body)?;
        if let (true, Value::Object(fields)) = (self.resource.has_status(), &mut object) {
            fields.remove("status");
        }
        let creation =
            Creation { namespace: self.place().0, manager: &self.manager, dry_run: self.dry_run };
        let created =
            self.shared.change(|store| write::create(store, &self.resource, object, &creation));
        Ok(self.respond(StatusCode::CREATED, &created?))
    }

    fn must_be_json(&self) -> Result<(), Refusal> {
        let kind = text(&self.headers, header::CONTENT_TYPE);
        let is_json = kind.is_empty() || kind.split(';').next() == Some("application/json");
        if is_json { Ok(()) } else { Err(Refusal::unsupported_media_type(kind)) }
    }

    pub fn update(&self, body: &[u8], part: Part) -> Result<Response, Refusal> {
        self.must_be_json()?;
        let updated = self.shared.change(|store| self.write(store, read(body)?, part));
        Ok(self.respond(StatusCode::OK, &updated?))
    }

    fn write(&self, store: &mut Store, object: Value, part: Part) -> Result<Stored, Refusal> {
        write::update(
            store,
            &self.resource,
            self.place(),
            object,
            (part, &self.manager, self.dry_run),
        )
    }

    pub fn patch(&self, patch: &[u8], part: Part) -> Result<Response, Refusal> {
        let kind = text(&self.headers, header::CONTENT_TYPE);
        let patched = self.shared.change(|store| {
            let (namespace, name) = self.place();
            let key = Store::key_of(&self.resource, namespace, name);
            let before = store.found(&self.resource, &key)?.object(&self.resource);
            self.write(store, patched(before, kind, patch)?, part)
        });
        Ok(self.respond(StatusCode::OK, &patched?))
    }

    fn delete(&self, body: &[u8]) -> Result<Response, Refusal> {
        let mut options = DeleteOptions::default();
        if !body.is_empty() {
            let read = serde_json::from_value(read(body)?);
            options = read.map_err(|error| Refusal::bad_request(error.to_string()))?;
        }
        if self.dry_run {
            options.dry_run.push("All".to_owned());
        }
        let deleted = self
            .shared
            .change(|store| write::delete(store, &self.resource, self.place(), &options))?;
        let is_held = !deleted.metadata_value()["deletionTimestamp"].is_null();
        if is_held || self.resource.kind == "Pod" {
            return Ok(self.respond(StatusCode::OK, &deleted));
        }
        let status = success(&self.resource, self.place().1, &uid(&deleted));
        Ok(json_response(StatusCode::OK, &status))
    }

    fn delete_collection(&self) -> Result<Response, Refusal> {
        self.must_be_served_here()?;
        let page = self.shared.change(|store| {
            let page = list::page(store, &self.resource, self.info)?;
            let options = DeleteOptions::default();
            for (namespace, name) in page.places() {
                write::delete(store, &self.resource, (namespace.as_deref(), &name), &options)?;
            }
            Ok(page)
        })?;
        let json = page.into_json(Arc::clone(&self.resource), self.as_).map(Ok::<_, io::Error>);
        Ok(bytes_response(StatusCode::OK, Body::from_stream(json)))
    }
}

/// `before`, changed as a patch of this kind says.
fn patched(before: Object, kind: &str, patch: &[u8]) -> Result<Value, Refusal> {
    let mut object = Value::Object(before);
    match kind.split(';').next().unwrap_or_default() {
        "application/merge-patch+json" => json_patch::merge(&mut object, &read(patch)?),
        "application/json-patch+json" => {
            let patch: json_patch::Patch = serde_json::from_slice(patch)
                .map_err(|error| Refusal::bad_request(error.to_string()))?;
            json_patch::patch(&mut object, &patch).map_err(|error| {
                Refusal::new(
                    422,
                    "Invalid",
                    format!(
                        "the server rejected our request due to an error in our request: {error}"
                    ),
                )
            })?;
        }
        _ => return Err(Refusal::unsupported_media_type(kind)),
    }
    Ok(object)
}
