//! A backend, a publisher, a collector, and an API server that tells the collector of requests.

use anyhow::{Context, Result};
use api_server::{ApiServer, AuditConfig, AuditPolicy, Batch, Identity, Options, TOKEN};
use free_ports::free_port;
use pipeline::options;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use suite::Machine;
use suite::certificates::Certificates;
use suite::cgroup::Cgroup;
use suite::program::{Launch, Name};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A rule that the URI of a request can match.
const RULE: &str = "- {rule: Marked, desc: D., condition: 'ka.uri startswith /marked/ and jevt.value[/stage] = ResponseComplete', \
                    output: '%ka.uri', priority: NOTICE, source: k8s_audit}\n";

/// The programs but the sensor, and an API server that tells the collector of requests.
pub struct Scene {
    pub machine: Machine,
    pub server: ApiServer,
    pub certificates: Certificates,
    /// Where the collector takes requests.
    pub receiver: u16,
    _runtime: Runtime,
    _folder: TempDir,
}

impl Scene {
    /// `limits`, where there are any, are those of the collector.
    pub fn begin(policy: AuditPolicy, batch: Batch, limits: Option<&Cgroup>) -> Result<Self> {
        let folder = TempDir::new()?;
        let options = suite::Options { sensor: false, ..options(folder.path(), None)? };
        let mut machine = Machine::prepare(options)?;
        let tls = folder.path().join("tls");
        let certificates = Certificates::in_directory(&tls, "test", "test-node")?;
        let port = free_port();
        let runtime = Runtime::new()?;
        let server = runtime.block_on(async { serve(&certificates, port, policy, batch) })?;
        for name in [Name::Backend, Name::PublisherDs] {
            machine.add(&machine.launch(name)?)?;
        }
        let collector = collector(&machine, &server, &certificates, port)?;
        machine.add(&Launch { cgroup: limits.cloned(), ..collector })?;
        machine.wait_ready()?;
        Ok(Self {
            machine,
            server,
            certificates,
            receiver: port,
            _runtime: runtime,
            _folder: folder,
        })
    }

    /// What became of records on their way, as each program counts it.
    pub fn metrics(&mut self) -> String {
        let names = [Name::CollectorMisc, Name::PublisherDs, Name::Backend];
        let told = names.map(|name| {
            let metrics = self.machine.program(name).and_then(|program| program.metrics());
            let metrics = metrics.unwrap_or_else(|error| format!("defender_audit_: {error:#}"));
            let is_of_the_way = |line: &&str| ON_THE_WAY.iter().any(|it| line.starts_with(it));
            let lines: Vec<_> = metrics.lines().filter(is_of_the_way).collect();
            format!("{}:\n{}", name.file_name(), lines.join("\n"))
        });
        told.join("\n")
    }
}

/// Of which metrics [`Scene::metrics`] tells.
const ON_THE_WAY: [&str; 6] = [
    "defender_audit_",
    "defender_link_",
    "defender_records_",
    "defender_spool_",
    "defender_ingest_records",
    "defender_ingest_rejected",
];

fn serve(
    certificates: &Certificates,
    port: u16,
    policy: AuditPolicy,
    batch: Batch,
) -> Result<ApiServer> {
    let (certificate, key) = certificates.publisher();
    let mut audit = AuditConfig::new(&format!("https://localhost:{port}/audit"));
    audit.authority = Some(fs::read_to_string(certificates.authority())?);
    audit.client = Some(Identity {
        certificate: fs::read_to_string(certificate)?,
        key: fs::read_to_string(key)?,
    });
    (audit.policy, audit.batch) = (policy, batch);
    ApiServer::start_with(Options { audit: Some(audit), ..Options::default() })
}

fn collector(
    machine: &Machine,
    server: &ApiServer,
    certificates: &Certificates,
    port: u16,
) -> Result<Launch> {
    let suite::Options { binaries, places, .. } = machine.options();
    let directory = &places.directory;
    let (kubeconfig, rules) = (directory.join("kubeconfig"), directory.join("rules.yaml"));
    fs::write(&kubeconfig, server.kubeconfig(TOKEN))?;
    fs::write(&rules, RULE)?;
    let admin = places.admin_ports[Name::CollectorMisc as usize];
    let mut config = places.collector_misc(&kubeconfig, admin);
    config["rules"] = json!({ "paths": [rules] });
    config["alerts"] = json!({ "repeat_seconds": 0, "per_minute": 0 });
    config["audit"] = receiver(certificates, port, directory);
    Launch::new(Name::CollectorMisc, binaries, directory, &config, admin)
        .context("the collector's configuration")
}

fn receiver(certificates: &Certificates, port: u16, directory: &Path) -> Value {
    let (certificate, key) = certificates.backend();
    json!({
        "listen": format!("127.0.0.1:{port}"),
        "certificate_file": certificate,
        "key_file": key,
        "client_ca_file": certificates.authority(),
        "state_directory": directory.join("collector-misc"),
    })
}
