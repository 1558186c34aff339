//! The configuration file, key by key.

mod network;

use crate::audit::AuditConfig;
use crate::inventory::InventoryConfig;
use crate::kernel::{self, FileFilter, WatchedPaths};
use crate::record::RecordConfig;
use alerting::{
    AlertsConfig, RulePaths, RulesConfig, SuppressionsConfig, ThreatIntelligenceConfig,
};
use ebpf_probes::RecordKind;
pub use network::NetworkConfig;
use serde::{Deserialize, Serialize};
use service_runtime::{
    AdminConfig, Bytes, ConfigProblem, LogConfig, NodeConfig, ServiceConfig, SharedConfig,
    ShutdownConfig,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The port of the admin server, unless `admin.listen` says otherwise.
const ADMIN_PORT: u16 = 9101;

/// The smallest ring that holds the largest record of the kernel several times.
const MINIMUM_RING_BYTES: u64 = 256 << 10;
/// Locked kernel memory beyond this is a mistake.
const MAXIMUM_RING_BYTES: u64 = 256 << 20;
/// The smallest queue that is worth having.
const MINIMUM_QUEUE_BYTES: u64 = 1 << 20;

/// The configuration of collector-ds. The defaults suit the chart's pods but for `host_root`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which node this is.
    pub node: NodeConfig,
    /// Where the node's root directory is mounted: `/` on the node itself, `/host` in the chart's pods.
    pub host_root: PathBuf,
    /// The way out.
    pub publisher: PublisherConfig,
    /// What is looked for.
    pub rules: RulesConfig,
    /// Which of its alerts are expected.
    pub suppressions: SuppressionsConfig,
    /// How many alerts are sent one by one.
    pub alerts: AlertsConfig,
    /// What others know to be malicious.
    pub threat_intelligence: ThreatIntelligenceConfig,
    /// Who knows the names of containers.
    pub container_runtimes: ContainerRuntimesConfig,
    /// What the kernel is asked for.
    pub kernel: KernelConfig,
    /// What is there.
    pub inventory: InventoryConfig,
    /// The audit file of a Kubernetes API server.
    pub audit: AuditConfig,
    /// What the rules are asked, in a file.
    pub record: RecordConfig,
    /// Logs.
    pub log: LogConfig,
    /// Metrics, health and readiness.
    pub admin: AdminConfig,
    /// The orderly end.
    pub shutdown: ShutdownConfig,
}

/// The key `publisher`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PublisherConfig {
    /// The Unix socket of the node's publisher-ds.
    pub socket: PathBuf,
    /// How much may wait for the publisher. Over it the least worthy lane loses its oldest records, counted.
    pub queue_bytes: Bytes,
}

/// The key `container_runtimes`. Sockets that do not exist are skipped until they do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContainerRuntimesConfig {
    /// Sockets of the Kubernetes container runtime interface, below `host_root`.
    pub cri_sockets: Vec<PathBuf>,
    /// Sockets of the Docker Engine API (docker, podman), below `host_root`.
    pub docker_sockets: Vec<PathBuf>,
}

/// The key `kernel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelConfig {
    /// Size of the ring that the kernel writes process and cgroup records to: a power of two.
    pub ring_bytes: Bytes,
    /// Size of the ring for acts on files, sockets and the system: a power of two.
    pub act_ring_bytes: Bytes,
    /// Which acts to report, by the names of their events, such as `open` and `connect`.
    pub acts: Vec<String>,
    /// Whether a program may look at the end of every system call of the node where the kernel has no better hook for an
    /// act. False costs no call anything, and such acts are not seen.
    pub end_of_calls: bool,
    /// Which files the acts on files are reported of.
    pub files: FilesConfig,
    /// Which acts on sockets to leave out.
    pub network: NetworkConfig,
}

/// The key `kernel.files`. In the lists of paths, `/etc/shadow` is that file, `/etc/` the directory with all below it, `*` any one name,
/// and `**/id_rsa` a file of this name in every directory. Paths are as the process sees them, in containers too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesConfig {
    /// Files whose opening to read is reported.
    pub read: Vec<String>,
    /// Files whose opening to write, or making, is reported. All other acts are reported of files in either list.
    pub write: Vec<String>,
    /// Cgroups whose processes' acts on files are not reported, as paths below the root of the hierarchy.
    pub ignored_cgroups: Vec<PathBuf>,
    /// An open like one before it within this time (of the same file, by the same process, program and user, for the same) is
    /// counted, not reported; 0 reports each.
    pub repeat_milliseconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node: NodeConfig::default(),
            host_root: "/".into(),
            publisher: PublisherConfig::default(),
            rules: RulesConfig::default(),
            suppressions: SuppressionsConfig::default(),
            alerts: AlertsConfig::default(),
            threat_intelligence: ThreatIntelligenceConfig::default(),
            container_runtimes: ContainerRuntimesConfig::default(),
            kernel: KernelConfig::default(),
            inventory: InventoryConfig::default(),
            audit: AuditConfig::default(),
            record: RecordConfig::default(),
            log: LogConfig::default(),
            admin: AdminConfig::on_port(ADMIN_PORT),
            shutdown: ShutdownConfig::default(),
        }
    }
}

impl Default for PublisherConfig {
    fn default() -> Self {
        let socket = "/run/defender/publisher.sock".into();
        Self { socket, queue_bytes: Bytes::mebibytes(16) }
    }
}

impl Default for ContainerRuntimesConfig {
    fn default() -> Self {
        Self {
            cri_sockets: vec![
                "/run/containerd/containerd.sock".into(),
                "/run/crio/crio.sock".into(),
                "/run/k3s/containerd/containerd.sock".into(),
            ],
            // Not by way of /var/run: that is an absolute link, which leads out of host_root.
            docker_sockets: vec!["/run/docker.sock".into()],
        }
    }
}

impl Default for KernelConfig {
    fn default() -> Self {
        Self {
            ring_bytes: Bytes::mebibytes(2),
            act_ring_bytes: Bytes::mebibytes(2),
            acts: vec![],
            end_of_calls: true,
            files: FilesConfig::default(),
            network: NetworkConfig::default(),
        }
    }
}

impl Default for FilesConfig {
    fn default() -> Self {
        let WatchedPaths { read, write } = kernel::watched_by_default();
        Self { read, write, ignored_cgroups: vec![], repeat_milliseconds: 1000 }
    }
}

impl FilesConfig {
    /// What the kernel filters by. Cgroups are looked for now: those that do not exist are not ignored later.
    pub fn filter(&self, proc_root: &Path) -> Result<FileFilter, ConfigProblem> {
        let paths = WatchedPaths { read: self.read.clone(), write: self.write.clone() };
        let ignored = self.ignored_cgroups.iter();
        let ignored = ignored.flat_map(|path| kernel::cgroups_at(proc_root, path)).collect();
        FileFilter::new(&paths, ignored)
            .map(|filter| filter.counting_repeats(Duration::from_millis(self.repeat_milliseconds)))
            .map_err(|error| ConfigProblem::new("kernel.files", error.to_string()))
    }
}

impl Config {
    /// A path of the node as this program reaches it.
    pub fn below_host_root(&self, path: &Path) -> PathBuf {
        self.host_root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The acts to report, as the kernel's loader takes them.
    pub fn acts(&self) -> Result<BTreeSet<RecordKind>, ConfigProblem> {
        self.kernel.acts.iter().map(|name| act_named(name)).collect()
    }

    fn check_rings(&self) -> Result<(), ConfigProblem> {
        let rings = [
            ("kernel.ring_bytes", self.kernel.ring_bytes),
            ("kernel.act_ring_bytes", self.kernel.act_ring_bytes),
        ];
        for (key, bytes) in rings {
            let bounds = MINIMUM_RING_BYTES..=MAXIMUM_RING_BYTES;
            if !bytes.get().is_power_of_two() || !bounds.contains(&bytes.get()) {
                let message = "must be a power of two from 256KiB to 256MiB, such as 4MiB";
                return Err(ConfigProblem::new(key, message));
            }
        }
        Ok(())
    }

    /// Where rules are, and what belongs to them.
    pub fn rule_paths(&self) -> RulePaths {
        RulePaths {
            rules: self.rules.paths.clone(),
            suppressions: self.suppressions.paths.clone(),
            threat_intelligence: self.threat_intelligence.paths.clone(),
        }
    }

    fn check_paths(&self) -> Result<(), ConfigProblem> {
        let runtimes = &self.container_runtimes;
        let paths = [("host_root", &self.host_root), ("publisher.socket", &self.publisher.socket)]
            .into_iter()
            .chain(keyed("container_runtimes.cri_sockets", &runtimes.cri_sockets))
            .chain(keyed("container_runtimes.docker_sockets", &runtimes.docker_sockets));
        for (key, path) in paths {
            if !path.is_absolute() {
                let message = format!("{} must be an absolute path", path.display());
                return Err(ConfigProblem::new(key, message));
            }
        }
        Ok(())
    }
}

fn act_named(name: &str) -> Result<RecordKind, ConfigProblem> {
    let mut acts = RecordKind::ALL.into_iter().filter(|kind| kind.is_act());
    acts.find(|kind| kind.name() == name).ok_or_else(|| {
        let known: Vec<_> = RecordKind::ALL
            .into_iter()
            .filter(|kind| kind.is_act())
            .map(RecordKind::name)
            .collect();
        let message = format!("{name} is no act; known are {}", known.join(", "));
        ConfigProblem::new("kernel.acts", message)
    })
}

fn keyed<'a>(key: &'a str, paths: &'a [PathBuf]) -> impl Iterator<Item = (&'a str, &'a PathBuf)> {
    paths.iter().map(move |path| (key, path))
}

impl ServiceConfig for Config {
    fn shared(&self) -> SharedConfig<'_> {
        SharedConfig { log: &self.log, admin: &self.admin, shutdown: &self.shutdown }
    }

    /// Compiles the rules too, so that `--check-config` finds a broken rule file before a rollout does.
    fn validate(&self) -> Result<(), ConfigProblem> {
        if self.publisher.queue_bytes.get() < MINIMUM_QUEUE_BYTES {
            return Err(ConfigProblem::new("publisher.queue_bytes", "must be at least 1MiB"));
        }
        self.check_rings()?;
        self.acts()?;
        self.kernel.files.filter(Path::new("/proc"))?;
        self.kernel.network.check()?;
        self.check_paths()?;
        self.inventory.validate()?;
        self.audit.validate()?;
        self.alerts.validate()?;
        self.record.validate()?;
        alerting::check_rules(&self.rule_paths())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> (tempfile::TempDir, Config) {
        let rules = tempfile::tempdir().expect("a directory");
        let file = rules.path().join("shell.yaml");
        let rule = "- rule: Shell\n  desc: A shell.\n  condition: evt.type = execve and proc.name = sh\n  output: A shell\n  priority: NOTICE\n";
        std::fs::write(file, rule).expect("a rule file");
        let paths = vec![rules.path().to_owned()];
        (
            rules,
            Config { rules: RulesConfig { paths, ..RulesConfig::default() }, ..Config::default() },
        )
    }

    fn problem_of(change: impl FnOnce(&mut Config)) -> String {
        let (_rules, mut config) = valid();
        assert_eq!(config.validate(), Ok(()));
        change(&mut config);
        config.validate().expect_err("the configuration is wrong").to_string()
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_key() {
        let problem = problem_of(|config| config.kernel.ring_bytes = Bytes::new(3 << 20));
        assert!(problem.starts_with("kernel.ring_bytes: must be a power of two"), "{problem}");
        let problem = problem_of(|config| config.kernel.files.read.push("/etc/sh*".to_owned()));
        assert!(problem.starts_with("kernel.files: /etc/sh*: * stands for"), "{problem}");
        let problem = problem_of(|config| config.publisher.queue_bytes = Bytes::new(1));
        assert!(problem.starts_with("publisher.queue_bytes: must be at least"), "{problem}");
        let problem = problem_of(|config| config.host_root = "host".into());
        assert!(problem.starts_with("host_root: host must be an absolute"), "{problem}");
        let problem = problem_of(|config| {
            config.container_runtimes.docker_sockets = vec!["docker.sock".into()];
        });
        assert!(problem.starts_with("container_runtimes.docker_sockets: "), "{problem}");
        let problem = problem_of(|config| config.inventory.interval_seconds = 1);
        assert!(problem.starts_with("inventory.interval_seconds: must be 30"), "{problem}");
        let problem = problem_of(|config| config.inventory.packages = false);
        assert!(problem.starts_with("inventory.languages: needs"), "{problem}");
        let problem = problem_of(|config| {
            config.threat_intelligence.paths = vec!["/nowhere/malicious_domains.txt".into()];
        });
        assert!(
            problem.starts_with("threat_intelligence.paths: cannot read /nowhere"),
            "{problem}"
        );
        let problem = problem_of(|config| config.audit.path = "audit.log".into());
        assert!(problem.starts_with("audit.path: audit.log must be an absolute"), "{problem}");
        let problem = problem_of(|config| config.audit.bytes_per_second = Bytes::new(1));
        assert!(problem.starts_with("audit.bytes_per_second: must be at least"), "{problem}");
        let problem = problem_of(|config| config.record.maximum_bytes = Bytes::new(1));
        assert!(problem.starts_with("record.maximum_bytes: must be at least"), "{problem}");
    }

    #[test]
    fn a_broken_rule_file_is_a_wrong_configuration() {
        let problem = problem_of(|config| {
            let file = config.rules.paths[0].join("broken.yaml");
            let rule = "- rule: Broken\n  desc: A.\n  condition: evt.type = execve and proc.nme = sh\n  output: A\n  priority: NOTICE\n";
            std::fs::write(&file, rule).expect("a rule file");
        });
        assert!(problem.starts_with("rules.paths: "), "{problem}");
        assert!(problem.contains("broken.yaml:3"), "{problem}");
    }

    #[test]
    fn a_broken_file_of_suppressions_is_a_wrong_configuration() {
        let problem = problem_of(|config| {
            let file = config.rules.paths[0].join("suppressions.yml.off");
            let text = "- {suppression: S, rule: Shel, when: proc.name = sh, reason: R, owner: O, expires: 2020-01-01}\n";
            std::fs::write(&file, text).expect("a file");
            config.suppressions.paths = vec![file];
        });
        assert!(problem.starts_with("suppressions.paths: "), "{problem}");
        assert!(problem.contains("did you mean `Shell`?"), "{problem}");
        let problem = problem_of(|config| config.alerts.per_minute = 1_000_000);
        assert!(problem.starts_with("alerts.per_minute: must be"), "{problem}");
        let problem = problem_of(|config| config.alerts.repeat_seconds = 86_400);
        assert!(problem.starts_with("alerts.repeat_seconds: must be"), "{problem}");
    }

    #[test]
    fn the_nodes_paths_are_found_below_its_root() {
        let config = Config { host_root: "/host".into(), ..Config::default() };
        let socket = config.below_host_root(Path::new("/run/crio/crio.sock"));
        assert_eq!(socket, Path::new("/host/run/crio/crio.sock"));
    }

    #[test]
    fn no_default_socket_goes_by_way_of_the_link_var_run() {
        let ContainerRuntimesConfig { cri_sockets, docker_sockets } =
            ContainerRuntimesConfig::default();
        for socket in cri_sockets.iter().chain(&docker_sockets) {
            assert!(socket.starts_with("/run"), "{} leads out of host_root", socket.display());
        }
    }
}
