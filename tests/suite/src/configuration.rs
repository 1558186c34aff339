//! The configuration file of each program, for a suite on one machine.

use crate::certificates::Certificates;
use free_ports::free_port;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where the programs of one suite meet: ports of the loopback interface and files.
#[derive(Clone, Debug)]
pub struct Places {
    /// Everything below here belongs to this suite.
    pub directory: PathBuf,
    /// The node's name.
    pub node: String,
    /// The backend's API and page.
    pub api_port: u16,
    /// The backend's ingest.
    pub ingest_port: u16,
    /// Metrics and health of each program, in the order of [`crate::program::Name::ALL`].
    pub admin_ports: [u16; 4],
}

impl Places {
    /// A suite below `directory` on ports that are free now.
    pub fn below(directory: &Path, node: &str) -> Self {
        let [api_port, ingest_port, admin_ports @ ..] = [(); 6].map(|()| free_port());
        Self { directory: directory.into(), node: node.into(), api_port, ingest_port, admin_ports }
    }

    /// The publisher's socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("publisher.sock")
    }

    /// The publisher's spool.
    pub fn spool(&self) -> PathBuf {
        self.directory.join("spool")
    }

    /// The backend's store.
    pub fn store(&self) -> PathBuf {
        self.directory.join("store")
    }

    /// The backend's configuration.
    pub fn backend(&self, certificates: &Certificates, admin: u16) -> Value {
        let (certificate, key) = certificates.backend();
        json!({
            "ingest": {
                "listen": format!("127.0.0.1:{}", self.ingest_port),
                "certificate_file": certificate,
                "key_file": key,
                "client_ca_file": certificates.authority(),
            },
            "api": { "listen": format!("127.0.0.1:{}", self.api_port) },
            "store": { "directory": self.store() },
            "admin": { "listen": format!("127.0.0.1:{admin}") },
        })
    }

    /// The publisher's configuration.
    pub fn publisher(&self, certificates: &Certificates, admin: u16) -> Value {
        let (certificate, key) = certificates.publisher();
        json!({
            "node": { "name": self.node },
            "listen": { "socket": self.socket() },
            "spool": { "directory": self.spool() },
            "backend": {
                "url": format!("https://localhost:{}", self.ingest_port),
                "ca_file": certificates.authority(),
                "certificate_file": certificate,
                "key_file": key,
            },
            "admin": { "listen": format!("127.0.0.1:{admin}") },
        })
    }

    /// The node sensor's configuration.
    pub fn collector_ds(&self, rules: &Path, docker_socket: Option<&Path>, admin: u16) -> Value {
        let docker: Vec<_> = docker_socket.into_iter().collect();
        let mut config = json!({
            "node": { "name": self.node },
            "publisher": { "socket": self.socket() },
            "rules": { "paths": [rules] },
            "admin": { "listen": format!("127.0.0.1:{admin}") },
        });
        if !docker.is_empty() {
            config["container_runtimes"] = json!({ "docker_sockets": docker });
        }
        config
    }

    /// The cluster collector's configuration.
    pub fn collector_misc(&self, kubeconfig: &Path, admin: u16) -> Value {
        json!({
            "node": { "name": self.node },
            "publisher": { "socket": self.socket() },
            "kubernetes": { "kubeconfig": kubeconfig },
            "admin": { "listen": format!("127.0.0.1:{admin}") },
        })
    }
}
