//! Wires the parts of the sensor, and turns its wheel: records, findings, ticks, connections.

mod coverage;
mod metrics;
mod watch;

use crate::audit::{AuditFile, State};
use crate::config::{Config, FilesConfig};
use crate::detect::wanted_acts;
use crate::enrich::Enricher;
use crate::enrich::containers::metadata::{Metadata, RuntimeSockets};
use crate::enrich::containers::{ContainerLimits, Containers};
use crate::enrich::host;
use crate::enrich::node_paths::NodePaths;
use crate::enrich::processes::{ProcessLimits, Processes};
use crate::enrich::users::Users;
use crate::inventory::Inventory;
use crate::kernel::{KernelConfig, Sensor, SensorError};
use crate::own::{LastRun, Own};
use crate::pipeline::Pipeline;
use crate::publish::{StatusFacts, StatusReporter};
use crate::record::Recorder;
use alerting::{
    Reload, Reloaded, RequestDetection, RuleMatching, RuleMemory, RulePaths, Rules, RulesError,
};
use anyhow::Context;
use coverage::Coverage;
use event_model::{Component, Host, Record, SourceDescription, SourceId};
use node_link::{LinkConfig, Outbox};
use service_runtime::{Part, Service};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use watch::{Beside, Told, Watch};

/// Runs the sensor until the service is to end.
pub async fn run(config: Config, service: Service) -> anyhow::Result<()> {
    metrics::describe();
    let reload = Reload::of(config.rule_paths()).context("listening to SIGHUP")?;
    let rules = load_rules(&config, &service)?;
    let host = host::gather(&config.host_root, &config.node)?;
    tracing::info!(node = host.node, kernel = host.kernel, "this node");
    let description = describe_source(&host);
    let way_out = WayOut::open(&config, &description, &service);
    let mut status = StatusReporter::new(description);

    let probes = service.part("probes");
    let own = Own::find(&config, service.config_file(), &proc_root(&config));
    let (sensor, coverage) = match Sensor::load(&kernel_config(&config, &rules, &own)?) {
        Ok(loaded) => loaded,
        Err(error) => return Err(report_blindness(&error, &probes, &mut status, &way_out)),
    };
    let coverage = Coverage::new(coverage);
    coverage.report(&probes);

    let (metadata, findings, work) = Metadata::start(runtime_sockets(&config), service.shutdown());
    service.spawn("container metadata", async move {
        work.await;
        anyhow::Ok(())
    });
    let (inventory, views) = Inventory::start(
        config.inventory,
        config.host_root.clone(),
        proc_root(&config),
        way_out.outbox.clone(),
    );
    let questions = metadata.clone();
    let last_run = Rc::new(LastRun::look(&config.audit.state_directory, host.boot_id));
    let memory_of = |name| rule_memory(&config, name, &rules);
    let (memory, audit_memory) = (memory_of("baselines"), memory_of("audit-baselines"));
    let recorder = Recorder::start(&config.record, &config.rules.paths, &host);
    let mut pipeline = Pipeline::new(
        enricher(&config.host_root, &proc_root(&config)),
        rules,
        host,
        Box::new(move |container| questions.ask(container)),
        own.with_objects(sensor.own_objects().clone()),
        way_out.outbox,
    )
    .with_alerts(config.alerts.clone())
    .recorded_by(recorder.clone());
    pipeline.remember(memory);
    let detection = pipeline.audit_detection(audit_memory);
    let outbox = pipeline.outlet().clone();
    let (audit, following) =
        follow_audit_file(&config, detection, outbox, way_out.connected.clone(), &service)?;
    let told = Told {
        findings,
        views,
        rules: reload_rules(reload, &config, &service),
        connected: way_out.connected,
    };
    let beside = Beside { metadata, inventory, audit, last_run: Rc::clone(&last_run) };
    let watch = Watch::new(sensor, coverage, pipeline, beside, status, config);
    let watched = Box::pin(watch.run(told, service.shutdown())).await;
    if watched.is_err() {
        // The follower of the audit file ends with the service.
        service.shutdown().cancel();
    }
    // Its last lines are to be on their way before the link ends.
    following.await.context("following the audit file")?;
    if let Some(recorder) = recorder {
        recorder.finish();
    }
    watched?;
    last_run.end();
    Ok(())
}

/// What rules remember, with the baselines that a file of the state directory keeps, where there is one.
fn rule_memory(config: &Config, name: &str, rules: &Rules) -> RuleMemory {
    let directory = &config.audit.state_directory;
    if directory.as_os_str().is_empty() {
        return RuleMemory::default();
    }
    RuleMemory::kept_in(directory.join(name), rules)
}

/// Starts to follow the audit file, where one is configured.
fn follow_audit_file(
    config: &Config,
    detection: RequestDetection,
    outbox: Outbox,
    connected: Receiver<bool>,
    service: &Service,
) -> anyhow::Result<(State, JoinHandle<()>)> {
    let state = State::new(&config.audit);
    let file = AuditFile::open(&config.audit, &config.host_root, detection, outbox, connected)
        .with_context(|| format!("host_root: {}", config.host_root.display()))?;
    let (told, shutdown) = (state.clone(), service.shutdown());
    let following = tokio::task::spawn_blocking(move || {
        if let Some(file) = file {
            file.run(&told, &shutdown);
        }
    });
    Ok((state, following))
}

fn load_rules(config: &Config, service: &Service) -> anyhow::Result<Rules> {
    let part = service.part("rules");
    let rules = read_rules(&config.rule_paths(), config.rules.matching)
        .context("the rules cannot be loaded")?;
    for warning in rules.warnings() {
        tracing::warn!("{warning}");
    }
    let suppressions = rules.suppressions().len();
    tracing::info!(rules = rules.loaded(), suppressions, "rules loaded");
    part.ready();
    Ok(rules)
}

/// At the start and after each change alike.
fn read_rules(paths: &RulePaths, matching: RuleMatching) -> Result<Rules, RulesError> {
    Ok(Rules::load_from(paths)?.with_matching(matching))
}

/// Reads the rules again when they change.
fn reload_rules(
    reload: Reload,
    config: &Config,
    service: &Service,
) -> mpsc::Receiver<Reloaded<Rules>> {
    let (paths, matching) = (config.rule_paths(), config.rules.matching);
    let load = move || read_rules(&paths, matching).map_err(|error| error.to_string());
    let (hand_on, reloaded) = mpsc::channel(1);
    let reloading = reload.run(load, hand_on, service.shutdown());
    service.spawn("rules", async move {
        reloading.await;
        anyhow::Ok(())
    });
    reloaded
}

/// Acts are looked at where a rule needs them or the configuration names them.
fn kernel_config(config: &Config, rules: &Rules, own: &Own) -> anyhow::Result<KernelConfig> {
    let mut acts = config.acts()?;
    acts.extend(wanted_acts(rules));
    let names: Vec<_> = acts.iter().map(|kind| kind.name()).collect();
    tracing::info!(acts = names.join(" "), "acts that are looked at");
    Ok(KernelConfig {
        ring_bytes: config.kernel.ring_bytes.get(),
        act_ring_bytes: config.kernel.act_ring_bytes.get(),
        acts,
        end_of_calls: config.kernel.end_of_calls,
        network: config.kernel.network.filter(),
        files: watched_files(config, rules, own).filter(&proc_root(config))?,
        environment: rules.want_environment(),
    })
}

/// The files that the configuration names, those that rules ask for by name, and the sensor's own.
fn watched_files(config: &Config, rules: &Rules, own: &Own) -> FilesConfig {
    let wanted = rules.wanted_paths();
    if !wanted.unbounded.is_empty() {
        let rules = wanted.unbounded.join(", ");
        tracing::info!(rules, "of acts on files, these rules see those that kernel.files names");
    }
    let own = own.watched();
    let mut files = config.kernel.files.clone();
    files.read.extend(wanted.read.iter().cloned().chain(own.read));
    files.write.extend(wanted.write.iter().cloned().chain(own.write));
    files
}

fn describe_source(host: &Host) -> SourceDescription {
    SourceDescription {
        id: SourceId::generate(),
        component: Component::CollectorDs,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: host.node.clone(),
        boot_id: host.boot_id,
    }
}

fn enricher(host_root: &Path, proc_root: &Path) -> Enricher {
    Enricher::new(
        Processes::new(ProcessLimits::default()),
        Containers::new(ContainerLimits::default()),
        Users::of_host(host_root),
    )
    .with_node_paths(NodePaths::new(proc_root))
    .with_groups(Users::groups_of_host(host_root))
}

fn runtime_sockets(config: &Config) -> RuntimeSockets {
    let below_root = |paths: &[PathBuf]| {
        paths.iter().map(|path| config.below_host_root(path)).collect::<Vec<_>>()
    };
    RuntimeSockets {
        cri: below_root(&config.container_runtimes.cri_sockets),
        docker: below_root(&config.container_runtimes.docker_sockets),
    }
}

/// The `/proc` that shows all processes of the node: the node's own where it is mounted with its
/// root, else that of this pid namespace, which is the node's with `hostPID`.
fn proc_root(config: &Config) -> PathBuf {
    let of_host = config.below_host_root(Path::new("/proc"));
    if of_host.join("1/stat").exists() { of_host } else { "/proc".into() }
}

/// Tells the backend why this node sees nothing, before the program ends with the same words.
fn report_blindness(
    error: &SensorError,
    probes: &Part,
    status: &mut StatusReporter,
    way_out: &WayOut,
) -> anyhow::Error {
    probes.not_ready(error.to_string());
    let facts = StatusFacts { problems: vec![error.to_string()], ..StatusFacts::default() };
    if let Some(status) = status.report(facts, Instant::now()) {
        way_out.outbox.send(Record::SensorStatus(Box::new(status)));
    }
    anyhow::anyhow!("the sensor sees nothing on this node: {error}")
}

/// The way to the publisher. What was sent is still delivered, for a while, after it is dropped.
struct WayOut {
    outbox: Outbox,
    connected: Receiver<bool>,
    _ends_the_link: DropGuard,
}

impl WayOut {
    fn open(config: &Config, description: &SourceDescription, service: &Service) -> Self {
        let link_config = LinkConfig {
            socket: config.publisher.socket.clone(),
            queue_bytes: config.publisher.queue_bytes.get(),
        };
        let (outbox, link) = node_link::connect(link_config, description.clone());
        let connected = link.connected();
        // The link outlives the shutdown of the rest: it has the last records to deliver.
        let end = CancellationToken::new();
        service.spawn("publisher link", link.run(end.clone()));
        report_connection(connected.clone(), service);
        Self { outbox, connected, _ends_the_link: end.drop_guard() }
    }
}

fn report_connection(mut connected: Receiver<bool>, service: &Service) {
    let part = service.part("publisher link");
    service.spawn("readiness of the publisher link", async move {
        loop {
            if *connected.borrow_and_update() {
                part.ready();
            } else {
                part.not_ready("no publisher answers at publisher.socket");
            }
            if connected.changed().await.is_err() {
                return anyhow::Ok(());
            }
        }
    });
}
