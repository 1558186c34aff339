//! A Kubernetes API server for tests: as a library that a test starts, changes and troubles, and as the
//! program `api-server`, which offers the same by admin routes.
//!
//! It follows <https://kubernetes.io/docs/reference/using-api/api-concepts/>. No package of crates.io, PyPI,
//! npm or Debian holds a kube-apiserver, or a stand-in for one that keeps versions: `kubernetes-mock` answers
//! calls that a test lists beforehand, and the others need a cluster. (What Debian does have is kubectl and etcd.)
//!
//! # True to the real one
//!
//! - **Store**: one version counts all changes; uid, times, generation, `managedFields` and the status of
//!   definitions are the server's; conflicts, preconditions, finalizers, dry runs; status has its own door.
//!   With a namespace goes what is in it, with a CustomResourceDefinition what it declared.
//! - **Lists**: pages that show the cluster as it was at the first, 410 with a token to go on by, exact and
//!   not-older versions, selectors of labels and of the usual fields, `PartialObjectMetadata`, gzip where asked.
//! - **Watches**: from any version that is remembered, bookmarks, streamed lists with their end told, selectors
//!   that turn changes into comings and goings, 410 in the stream.
//! - **Discovery**: group by group, and aggregated (apidiscovery.k8s.io/v2).
//! - **Who and what**: bearer tokens, client certificates, TokenRequest, role-based access control from the
//!   stored roles and bindings, access reviews; all that was asked for is remembered, so that rights
//!   [granted](ApiServer::granted) and [used](ApiServer::used) can be compared.
//! - **Failures** are `Status` objects with the real reasons and messages.
//! - **Audit**: events of all stages by a `Policy` file, in batches to a webhook, with a bounded buffer and retries.
//! - **Trouble**: see [`Trouble`], [`Behaviour`], [`Store::compact`], [`Store::spoil`], [`ApiServer::cut_connections`],
//!   [`ApiServer::stop`] and [`ApiServer::restart`].
//!
//! The types of the OpenAPI document (`k8s-openapi`) read and write again, unchanged, what it sends of each kind, and
//! kube's own client works with it; tests of this crate show both.
//!
//! # Not like the real one
//!
//! - JSON alone: no protobuf (406), no YAML, no tables for kubectl, no OpenAPI document.
//! - Patches are JSON patches and merge patches: no strategic merge patch, no server-side apply (415).
//! - Objects are not validated against their schema, nor given defaults; names only so far that paths hold them.
//!   A namespace need not exist for objects in it. CustomResourceDefinitions convert nothing but `apiVersion`.
//! - No admission and no controllers: nothing is scheduled, collected as garbage, or started; a pod goes at once.
//!   Aggregated ClusterRoles hold what they are given. An `exec` changes the protocol and then closes.
//! - 410 as a response is on demand ([`GoneAs::Response`]); real servers tell it in the stream.
//! - Bookmarks come at a fixed time, for each watch; a version that is not reached yet is refused at once, not after three seconds.
//! - The history is bounded by changes of each resource, not by time.

pub mod admin;
mod answer;
mod audit;
mod authentication;
mod authorization;
mod behaviour;
mod catalogue;
mod certificates;
mod compression;
mod discovery;
mod history;
mod kubeconfig;
mod list;
mod load;
mod objects;
mod representation;
mod request;
mod resource;
mod review;
mod selector;
mod server;
mod shared;
mod status;
mod store;
mod stored;
mod subresource;
mod trouble;
mod watch;
mod write;

pub use audit::{AuditConfig, AuditCounts, AuditLevel, AuditPolicy, Batch};
pub use authentication::User;
pub use authorization::{Access, Attributes, Authorization, Right};
pub use behaviour::{Behaviour, GoneAs, Streaming};
pub use certificates::{Authority, Identity};
pub use load::{CHANGED_AT, Churn, Size};
pub use resource::{Resource, Subresource};
pub use server::{ApiServer, Options, TOKEN};
pub use shared::Seen;
pub use store::Store;
pub use trouble::{Effect, Trouble};
