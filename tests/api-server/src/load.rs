//! Clusters of any size, made from numbers: the same each time but for their times of change.

mod churn;
mod cluster;
mod nodes;
mod pods;
mod services;

pub use churn::{CHANGED_AT, Churn};

use crate::store::Store;

/// How large a cluster is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Worker nodes.
    pub nodes: usize,
    /// Pods, each of a Deployment by way of its ReplicaSet, ten to a Deployment.
    pub pods: usize,
    /// Services, each with an EndpointSlice.
    pub services: usize,
    /// Namespaces, each with a ServiceAccount.
    pub namespaces: usize,
}

impl Size {
    /// The largest cluster that Kubernetes is tested with.
    /// <https://kubernetes.io/docs/setup/best-practices/cluster-large/>
    pub const LARGEST: Self =
        Self { nodes: 5_000, pods: 150_000, services: 10_000, namespaces: 500 };

    /// What fits into a test.
    pub const SMALL: Self = Self { nodes: 5, pods: 100, services: 10, namespaces: 3 };
}

/// Puts a cluster of `size` into `store`, as one that stood before the server started: without
/// history.
pub fn fill(store: &mut Store, size: &Size) {
    cluster::fill(store, size);
}
