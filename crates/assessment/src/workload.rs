//! What runs: workloads by their templates, and pods that no workload makes.

use crate::kind::Kind;
use crate::names::{Name, Names};
use crate::object::{LabelNumbers, Subject, items, text};
use crate::offences::{Container, containers, template};
use crate::pod_security::Violations;
use memchr::memmem::find;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Variables by which PostgreSQL's images let everyone in.
const TRUST: [&str; 2] = ["POSTGRES_HOST_AUTH_METHOD", "POSTGRESQL_HOST_AUTH_METHOD"];

/// A workload, or a pod without one, by what its findings need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    pub(crate) subject: Arc<Subject>,
    pub(crate) service_account: Name,
    /// Numbers of its pods' labels.
    pub(crate) labels: Box<[u64]>,
    pub(crate) containers: Arc<[Container]>,
    pub(crate) violations: Violations,
    /// A container is told to let everyone into its PostgreSQL.
    pub(crate) trusts_everyone: bool,
}

impl Workload {
    pub(crate) fn new(
        subject: Arc<Subject>,
        kind: Kind,
        object: &Value,
        names: &mut Names,
        labels: &LabelNumbers,
    ) -> Self {
        let template = template(kind, object);
        let spec = &template["spec"];
        let account = match text(spec, "serviceAccountName") {
            "" => "default",
            account => account,
        };
        Self {
            service_account: names.of(account),
            labels: labels.of(&template["metadata"]["labels"]),
            containers: containers(kind, object, names),
            violations: Violations::of(kind, object),
            trusts_everyone: items(spec, "containers").iter().any(trusts_everyone),
            subject,
        }
    }
}

fn trusts_everyone(container: &Value) -> bool {
    items(container, "env").iter().any(|variable| {
        TRUST.contains(&text(variable, "name")) && text(variable, "value") == "trust"
    })
}

/// Whether another object that is assessed by itself controls this one.
pub(crate) fn is_controlled(object: &Value) -> bool {
    items(&object["metadata"], "ownerReferences").iter().any(|owner| {
        owner["controller"] == true && is_assessed(text(owner, "apiVersion"), text(owner, "kind"))
    })
}

fn is_assessed(api_version: &str, kind: &str) -> bool {
    Kind::of(api_version, kind).is_some_and(Kind::has_template)
}

/// The uid of a workload that another object that is assessed controls, without reading more than its owners: nearly all pods are such, and
/// ReplicaSets. None where it can't be told so.
///
/// The API server writes `metadata` before `spec`, the uid before the owners, and quotes within texts with a backslash: what stands before the
/// first `"spec":{` and looks like one of these fields is it.
pub(crate) fn controlled_uid(workload: &[u8]) -> Option<&str> {
    let (owners_field, uid_field) = (b"\"ownerReferences\":", b"\"uid\":\"");
    let metadata = &workload[..find(workload, b"\"spec\":{")?];
    let owners = find(metadata, owners_field)?;
    let uid = find(&metadata[..owners], uid_field)? + uid_field.len();
    let uid = &metadata[uid..uid + memchr::memchr(b'"', &metadata[uid..])?];
    let mut owners = serde_json::Deserializer::from_slice(&metadata[owners + owners_field.len()..]);
    let owners = Vec::<Owner<'_>>::deserialize(&mut owners).ok()?;
    let is_controlled =
        owners.iter().any(|owner| owner.controller && is_assessed(owner.api_version, owner.kind));
    is_controlled.then_some(std::str::from_utf8(uid).ok()?)
}

/// The uid of an object of which nothing is concluded, since another that is assessed controls it: whoever has this need not give the object to
/// [`crate::Assessment::apply`], but is to [`crate::Assessment::remove`] it, lest it was known before.
pub fn passed_by<'o>(api_version: &str, kind: &str, object: &'o [u8]) -> Option<&'o str> {
    Kind::of(api_version, kind)
        .filter(|kind| kind.is_workload())
        .and_then(|_| controlled_uid(object))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner<'o> {
    api_version: &'o str,
    kind: &'o str,
    #[serde(default)]
    controller: bool,
}
