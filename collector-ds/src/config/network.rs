//! The key `kernel.network`.

use crate::kernel::{NetworkFilter, UnixSockets};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use service_runtime::ConfigProblem;
use std::collections::BTreeSet;
use std::time::Duration;

/// What the kernel's maps hold, with room to spare.
const MAXIMUM_NETWORKS: usize = 4096;
const MAXIMUM_PORTS: usize = 2048;
const MAXIMUM_SOCKETS: usize = 256;
const LONGEST_SOCKET_NAME: usize = 31;
const LONGEST_WINDOW: u64 = 3600;

/// Which acts on sockets to leave out. Sockets that are bound or listen, raw sockets and names that are asked for are
/// reported whatever stands here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Report connections and datagrams to loopback addresses, too. They are many, and stay on the machine.
    pub loopback: bool,
    /// Ports that are reported on loopback addresses even so: those of services that rule the node.
    pub loopback_ports: BTreeSet<u16>,
    /// Other ends that are not reported, such as `10.0.0.0/8`.
    pub ignored_networks: Vec<IpNet>,
    /// Ports of services that are not reported.
    pub ignored_ports: BTreeSet<u16>,
    /// Unix sockets to which connections are reported, by the names of their files, at most 31 bytes; abstract ones by an `@` and the
    /// first 16 bytes. `*` stands for all.
    pub unix_sockets: BTreeSet<String>,
    /// How many connections, ends of connections or datagrams between a container and one address and port
    /// are reported in a window; the others are counted. 0 is no limit.
    pub limit: u64,
    /// How long a window is.
    pub window_seconds: u64,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        let sockets = [
            "docker.sock",
            "dockershim.sock",
            "cri-dockerd.sock",
            "containerd.sock",
            "containerd.sock.ttrpc",
            "crio.sock",
            "podman.sock",
            "buildkitd.sock",
            "kubelet.sock",
            "@/containerd-shim",
        ];
        Self {
            loopback: false,
            // Docker's API, etcd, the Kubernetes API, kubelet.
            loopback_ports: [2375, 2376, 2379, 2380, 6443, 10250, 10255].into(),
            ignored_networks: vec![],
            ignored_ports: BTreeSet::new(),
            unix_sockets: sockets.into_iter().map(str::to_owned).collect(),
            limit: 20,
            window_seconds: 10,
        }
    }
}

impl NetworkConfig {
    /// As the kernel's loader takes it.
    pub fn filter(&self) -> NetworkFilter {
        NetworkFilter {
            loopback: self.loopback,
            loopback_ports: self.loopback_ports.clone(),
            ignored_networks: self.ignored_networks.clone(),
            ignored_ports: self.ignored_ports.clone(),
            unix_sockets: if self.unix_sockets.contains("*") {
                UnixSockets::All
            } else {
                UnixSockets::Named(self.unix_sockets.clone())
            },
            limit: (self.limit > 0).then_some(self.limit),
            window: Duration::from_secs(self.window_seconds),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        let ports = self.loopback_ports.len() + self.ignored_ports.len();
        let counts = [
            ("kernel.network.ignored_networks", self.ignored_networks.len(), MAXIMUM_NETWORKS),
            ("kernel.network.ignored_ports", ports, MAXIMUM_PORTS),
            ("kernel.network.unix_sockets", self.unix_sockets.len(), MAXIMUM_SOCKETS),
        ];
        for (key, count, maximum) in counts {
            if count > maximum {
                return Err(ConfigProblem::new(
                    key,
                    format!("has {count} entries, of at most {maximum}"),
                ));
            }
        }
        self.check_sockets()?;
        if !(1..=LONGEST_WINDOW).contains(&self.window_seconds) {
            let message = format!("must be from 1 to {LONGEST_WINDOW}");
            return Err(ConfigProblem::new("kernel.network.window_seconds", message));
        }
        Ok(())
    }

    fn check_sockets(&self) -> Result<(), ConfigProblem> {
        for name in &self.unix_sockets {
            let is_path = name.contains('/') && !name.starts_with('@');
            if name.is_empty() || name.len() > LONGEST_SOCKET_NAME || is_path {
                let message = format!(
                    "\"{name}\" must be the name of a file without its directories, of 1 to {LONGEST_SOCKET_NAME} bytes"
                );
                return Err(ConfigProblem::new("kernel.network.unix_sockets", message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of(change: impl FnOnce(&mut NetworkConfig)) -> String {
        let mut config = NetworkConfig::default();
        assert_eq!(config.check(), Ok(()));
        change(&mut config);
        config.check().expect_err("the configuration is wrong").to_string()
    }

    #[test]
    fn what_the_kernel_cannot_hold_is_refused_by_its_key() {
        let problem = problem_of(|config| config.window_seconds = 0);
        assert!(problem.starts_with("kernel.network.window_seconds: must be from"), "{problem}");
        let problem = problem_of(|config| config.unix_sockets = ["/run/docker.sock".into()].into());
        assert!(
            problem.starts_with("kernel.network.unix_sockets: \"/run/docker.sock\""),
            "{problem}"
        );
        let problem = problem_of(|config| config.ignored_ports = (0..3000).collect());
        assert!(problem.starts_with("kernel.network.ignored_ports: has 3007"), "{problem}");
    }

    #[test]
    fn a_star_stands_for_all_unix_sockets_and_0_for_no_limit() {
        let all = NetworkConfig {
            unix_sockets: ["*".into()].into(),
            limit: 0,
            ..NetworkConfig::default()
        };
        assert_eq!((all.filter().unix_sockets, all.filter().limit), (UnixSockets::All, None));
        let some = NetworkConfig::default().filter();
        assert!(
            matches!(some.unix_sockets, UnixSockets::Named(names) if names.contains("docker.sock"))
        );
        assert_eq!(some.limit, Some(20));
    }
}
