//! The configuration of collector-misc.

use crate::assess::AssessConfig;
use crate::audit::AuditConfig;
use alerting::{
    AlertsConfig, RulePaths, RulesConfig, SuppressionsConfig, ThreatIntelligenceConfig,
};
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
    /// What is concluded about the cluster's objects.
    pub assess: AssessConfig,
    /// Where API servers send their audit events.
    pub audit: AuditConfig,
    /// Rules about requests. Read where audit events are taken, as are the keys that follow.
    pub rules: RulesConfig,
    /// Which alerts are expected.
    pub suppressions: SuppressionsConfig,
    /// Values for the rules' lists.
    pub threat_intelligence: ThreatIntelligenceConfig,
    /// How many alerts are sent one by one.
    pub alerts: AlertsConfig,
    /// Which of several replicas sends.
    pub leadership: LeadershipConfig,
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
    /// Whether Secrets are told of, by their metadata. No contents are asked for; but the right to list Secrets is the
    /// right to read them, so that it is granted only where it is wanted.
    pub secrets: bool,
}

/// The key `leadership`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeadershipConfig {
    /// Of several replicas one leads, by a Lease (coordination.k8s.io/v1), and the others stand by. False: this one is the
    /// only one. The chart sets it.
    pub enabled: bool,
    /// The Lease's name. It is made where it does not exist.
    pub lease: String,
    /// The Lease's namespace. Empty: the pod's own, else that of the kubeconfig's context.
    pub namespace: String,
    /// This pod's name. Empty: the environment's `POD_NAME`, else the host name.
    pub pod: String,
    /// After so many seconds without a renewal another replica takes over.
    pub lease_seconds: u64,
    /// After so many seconds without a renewal the leader itself leads no more.
    pub renew_deadline_seconds: u64,
    /// Seconds from one attempt to take or renew the Lease to the next.
    pub retry_seconds: u64,
    /// How much a standby keeps of what the leader has not told delivered.
    pub buffer_bytes: Bytes,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node: NodeConfig::default(),
            publisher: PublisherConfig::default(),
            kubernetes: KubernetesConfig::default(),
            assess: AssessConfig::default(),
            audit: AuditConfig::default(),
            rules: RulesConfig::default(),
            suppressions: SuppressionsConfig::default(),
            threat_intelligence: ThreatIntelligenceConfig::default(),
            alerts: AlertsConfig::default(),
            leadership: LeadershipConfig::default(),
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

impl Config {
    /// Where rules are, and what belongs to them.
    pub(crate) fn rule_paths(&self) -> RulePaths {
        RulePaths {
            rules: self.rules.paths.clone(),
            suppressions: self.suppressions.paths.clone(),
            threat_intelligence: self.threat_intelligence.paths.clone(),
        }
    }
}

impl Default for LeadershipConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            lease: "defender-collector-misc".to_owned(),
            namespace: String::new(),
            pod: String::new(),
            lease_seconds: 15,
            renew_deadline_seconds: 10,
            retry_seconds: 2,
            buffer_bytes: Bytes::mebibytes(4),
        }
    }
}

impl LeadershipConfig {
    fn validate(&self) -> Result<(), ConfigProblem> {
        let problem =
            |key: &str, words: &str| Err(ConfigProblem::new(format!("leadership.{key}"), words));
        if self.lease.is_empty() {
            return problem("lease", "must not be empty");
        }
        if !(1..=300).contains(&self.lease_seconds) {
            return problem("lease_seconds", "must be from 1 to 300");
        }
        if self.renew_deadline_seconds >= self.lease_seconds {
            return problem("renew_deadline_seconds", "must be less than leadership.lease_seconds");
        }
        if self.retry_seconds == 0 || self.retry_seconds >= self.renew_deadline_seconds {
            let words = "must be at least 1, and less than leadership.renew_deadline_seconds";
            return problem("retry_seconds", words);
        }
        if self.buffer_bytes < Bytes::mebibytes(1) {
            return problem("buffer_bytes", "must be at least 1MiB");
        }
        Ok(())
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
        self.alerts.validate()?;
        self.audit.validate()?;
        if self.audit.is_on() {
            alerting::check_rules(&self.rule_paths())?;
        }
        self.leadership.validate()?;
        if self.leadership.buffer_bytes > self.publisher.queue_bytes {
            // All of it is sent at once when the standby takes over.
            let words = "must not be more than publisher.queue_bytes";
            return Err(ConfigProblem::new("leadership.buffer_bytes", words));
        }
        Ok(())
    }
}
