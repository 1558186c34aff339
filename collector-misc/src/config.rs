//! The configuration of collector-misc.

use serde::{Deserialize, Serialize};
use service_runtime::{
    AdminConfig, Bytes, ConfigProblem, LogConfig, NodeConfig, ServiceConfig, SharedConfig,
    ShutdownConfig,
};
use std::path::PathBuf;

/// All keys. The defaults suit the pod in the chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The node that this collector runs on.
    pub node: NodeConfig,
    /// The way to the publisher.
    pub publisher: PublisherConfig,
    /// The way to the Kubernetes API.
    pub kubernetes: KubernetesConfig,
    /// Logs.
    pub log: LogConfig,
    /// `/metrics`, `/healthz` and `/readyz`.
    pub admin: AdminConfig,
    /// How the program ends.
    pub shutdown: ShutdownConfig,
}

/// The key `publisher`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PublisherConfig {
    /// The Unix socket of the publisher on this node.
    pub socket: PathBuf,
    /// How much may wait for the publisher.
    pub queue_bytes: Bytes,
}

/// The key `kubernetes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KubernetesConfig {
    /// A kubeconfig file. Empty: the pod's service account, else the file that KUBECONFIG names,
    /// else `~/.kube/config`.
    pub kubeconfig: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node: NodeConfig::default(),
            publisher: PublisherConfig::default(),
            kubernetes: KubernetesConfig::default(),
            // What the client library says of failures, it says with each attempt. We say it once.
            log: LogConfig {
                level: "info,kube_client=error,kube_runtime=error".to_owned(),
                ..LogConfig::default()
            },
            admin: AdminConfig::on_port(9103),
            shutdown: ShutdownConfig::default(),
        }
    }
}

impl Default for PublisherConfig {
    fn default() -> Self {
        Self { socket: "/run/defender/publisher.sock".into(), queue_bytes: Bytes::mebibytes(8) }
    }
}

impl ServiceConfig for Config {
    fn shared(&self) -> SharedConfig<'_> {
        SharedConfig { log: &self.log, admin: &self.admin, shutdown: &self.shutdown }
    }

    fn validate(&self) -> Result<(), ConfigProblem> {
        if self.publisher.queue_bytes < Bytes::mebibytes(1) {
            return Err(ConfigProblem::new("publisher.queue_bytes", "must be at least 1MiB"));
        }
        if !self.publisher.socket.is_absolute() {
            return Err(ConfigProblem::new("publisher.socket", "must be an absolute path"));
        }
        Ok(())
    }
}
