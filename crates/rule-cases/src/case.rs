//! An act, and what it refers to.

use crate::CaseAudit;
use detection::{Act, AuditAct, Engine, Tally, Why};
use event_model::{
    Argument, Container, ContainerId, Credentials, DnsAnswer, DnsEvent, DnsQuestion, Event,
    EventKind, Executable, FileAct, FileEvent, Flow, Host, NetworkAct, NetworkEvent, PathSource,
    Pod, Process, ProcessKey, ProcessRef, SystemAct, SystemEvent, Timestamp,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// The cases of one rule.
#[derive(Debug)]
pub struct RuleCases {
    /// The rule's name.
    pub rule: String,
    /// What the rule remembers of the acts before counts. Else each case is asked by itself.
    pub in_order: bool,
    /// Where they stand in their file, from 1.
    pub line: usize,
    /// Acts that must raise the rule's alert, also while nothing but the container's id is known.
    pub alerts: Vec<Case>,
    /// Acts that must not.
    pub silent: Vec<Case>,
}

/// A request to an API server (`audit`), or an act: without any of `file`, `network`, `dns` and `system`, the start of a program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// In words.
    pub what: String,
    /// Where it stands in its file, from 1.
    #[serde(skip)]
    pub line: usize,
    /// None on the host.
    pub container: Option<CaseContainer>,
    /// A request to an API server, instead of an act.
    pub audit: Option<CaseAudit>,
    /// Who acted; after the start of a program, the new one.
    #[serde(default)]
    pub process: CaseProcess,
    /// The parent first. In a container, without any, the runtime's processes on the host.
    #[serde(default)]
    pub ancestors: Vec<CaseProcess>,
    /// An act on a file.
    pub file: Option<CaseFile>,
    /// An act on a socket.
    pub network: Option<CaseNetwork>,
    /// A question to the domain name system, or its answer.
    pub dns: Option<CaseDns>,
    /// An act on a process, the kernel or memory.
    pub system: Option<CaseSystem>,
    /// By which the domain name system told the other end's address.
    pub remote_name: Option<String>,
    /// It was done to the sensor itself.
    #[serde(default)]
    pub on_sensor: bool,
    /// What was done before, the first of it first. Counts where the cases are `in_order`.
    #[serde(default)]
    pub before: Vec<Case>,
    /// So many seconds after the act before it.
    #[serde(default = "one")]
    pub waits: u64,
    /// Variables, as `NAME=value`.
    #[serde(default)]
    pub environment: Vec<String>,
    /// The rule can hold only once the container runtime has told of the container.
    #[serde(default)]
    pub needs_metadata: bool,
}

const fn one() -> u64 {
    1
}

/// An act on a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaseFile {
    act: FileAct,
    path: String,
    other_path: Option<String>,
    host_path: Option<String>,
    callers_path: bool,
    flags: u64,
    created: bool,
    /// In YAML with `0o`. A regular file of 0644, unless given.
    mode: Option<u32>,
    owner: Option<u32>,
    name: Option<String>,
    error: Option<u16>,
}

/// An act on a socket; the family is that of its addresses or path, unless given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaseNetwork {
    act: NetworkAct,
    family: Option<u16>,
    socket_type: u16,
    protocol: u16,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    path: Option<String>,
    inbound: Option<bool>,
    bytes_sent: u64,
    error: Option<u16>,
}

/// A question, or its answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaseDns {
    names: Vec<String>,
    answers: Vec<String>,
    server: Option<SocketAddr>,
}

/// An act on a process, the kernel or memory.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaseSystem {
    act: SystemAct,
    arguments: BTreeMap<String, String>,
    target: Option<u32>,
    result: Option<i64>,
}

impl CaseFile {
    fn event(&self) -> FileEvent {
        FileEvent {
            act: self.act,
            path: self.path.clone(),
            path_source: if self.callers_path { PathSource::Caller } else { PathSource::Kernel },
            host_path: self.host_path.clone(),
            other_path: self.other_path.clone(),
            flags: self.flags,
            created: self.created,
            mode: self.mode.unwrap_or(0o100_644),
            owner: self.owner,
            name: self.name.clone(),
            error: self.error,
            ..FileEvent::default()
        }
    }
}

impl CaseNetwork {
    fn event(&self) -> NetworkEvent {
        let family = match self.remote.or(self.local) {
            Some(SocketAddr::V4(_)) => 2,
            Some(SocketAddr::V6(_)) => 10,
            None => 1,
        };
        NetworkEvent {
            act: self.act,
            family: self.family.unwrap_or(family),
            socket_type: if self.socket_type == 0 { 1 } else { self.socket_type },
            protocol: self.protocol,
            local: self.local,
            remote: self.remote,
            path: self.path.clone(),
            flow: self.inbound.map(|inbound| Flow {
                inbound,
                bytes_sent: self.bytes_sent,
                ..Flow::default()
            }),
            error: self.error,
            ..NetworkEvent::default()
        }
    }
}

impl CaseDns {
    fn event(&self) -> DnsEvent {
        let name = |name: &String| DnsQuestion { name: name.clone(), record_type: "A".to_owned() };
        let answer = |data: &String| DnsAnswer {
            name: self.names.first().cloned().unwrap_or_default(),
            record_type: "A".to_owned(),
            ttl: 60,
            data: data.clone(),
        };
        DnsEvent {
            server: self.server.or("10.96.0.10:53".parse().ok()),
            response: !self.answers.is_empty(),
            questions: self.names.iter().map(name).collect(),
            answers: self.answers.iter().map(answer).collect(),
            ..DnsEvent::default()
        }
    }
}

impl CaseSystem {
    fn event(&self) -> SystemEvent {
        let argument = |(name, value): (&String, &String)| Argument {
            name: name.clone(),
            value: value.clone(),
        };
        let target = |pid| ProcessRef { key: ProcessKey { pid, start_time: 10 }, generation: 0 };
        SystemEvent {
            act: self.act,
            arguments: self.arguments.iter().map(argument).collect(),
            target: self.target.map(target),
            result: self.result,
        }
    }
}

/// The container in which it was done.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseContainer {
    /// As it was asked for, such as `docker.io/library/nginx:1.27`.
    pub image: String,
    /// Of its pod; without one it is of no pod.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Of its pod.
    #[serde(default)]
    pub service_account: Option<String>,
}

/// A process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
pub struct CaseProcess {
    /// The last part of the path, unless given.
    name: Option<String>,
    path: String,
    invoked_as: Option<String>,
    /// The path, unless given. An empty list is one without even a name.
    arguments: Option<Vec<String>>,
    directory: String,
    uid: u32,
    /// The uid, unless given.
    euid: Option<u32>,
    mode: u32,
    terminal: Option<String>,
    pid_in_namespace: u32,
    upper_layer: bool,
    memfd: bool,
    /// Effective ones, a bit each.
    capabilities: u64,
    /// An ancestor outside the container.
    on_host: bool,
}

impl Default for CaseProcess {
    fn default() -> Self {
        Self {
            name: None,
            path: String::new(),
            invoked_as: None,
            arguments: None,
            directory: "/".to_owned(),
            uid: 0,
            euid: None,
            mode: 0o755,
            terminal: None,
            pid_in_namespace: 42,
            upper_layer: false,
            memfd: false,
            capabilities: 0,
            on_host: false,
        }
    }
}

/// Everything that an act refers to.
pub struct Scene {
    event: Event,
    process: Process,
    ancestors: Vec<Process>,
    container: Option<Container>,
    host: Host,
    remote_name: Option<String>,
    is_on_sensor: bool,
    environment: Option<String>,
}

impl Scene {
    /// Calls `look` with the act. Where `metadata_known` is false, nothing but the container's id is known.
    pub fn with_act<T>(&self, metadata_known: bool, look: impl FnOnce(&Act<'_>) -> T) -> T {
        let ancestors: Vec<&Process> = self.ancestors.iter().collect();
        look(&Act {
            event: &self.event,
            process: &self.process,
            ancestors: &ancestors,
            container: self.container.as_ref().filter(|_| metadata_known),
            host: &self.host,
            remote_name: self.remote_name.as_deref(),
            is_on_sensor: self.is_on_sensor,
            environment: self.environment.as_deref(),
            login_name: None,
            group_name: None,
        })
    }
}

impl Case {
    /// The same case with other arguments.
    #[must_use]
    pub fn with_arguments(&self, arguments: &[String]) -> Self {
        let process = CaseProcess { arguments: Some(arguments.to_vec()), ..self.process.clone() };
        Self { process, ..self.clone() }
    }

    /// The names of the rules whose conditions it matches. Where `metadata_known` is false, nothing but the id of
    /// its container is known.
    pub fn matches(&self, engine: &Engine, metadata_known: bool) -> BTreeSet<String> {
        if let Some(request) = &self.audit {
            return request.matches(engine);
        }
        self.scene().with_act(metadata_known, |act| {
            engine.evaluate(act).map(|matched| matched.rule().name().to_owned()).collect()
        })
    }

    /// The names of the rules of which it makes an alert after the acts before it.
    pub fn alerts_in_order(&self, engine: &Engine, metadata_known: bool) -> BTreeSet<String> {
        let (mut tally, mut seconds, mut raised) = (Tally::default(), 0, BTreeSet::new());
        for act in self.before.iter().chain([self]) {
            seconds += act.waits;
            raised = match &act.audit {
                Some(request) => request.alerts(engine, &mut tally, seconds),
                None => act.scene_after(seconds).with_act(metadata_known, |act| {
                    let matches = engine.detect(act, &mut tally);
                    matches.iter().map(|matched| matched.rule().name().to_owned()).collect()
                }),
            };
        }
        raised
    }

    /// Why a rule matches it, or does not; None where there is no such rule.
    pub fn why(&self, engine: &Engine, rule: &str, metadata_known: bool) -> Option<Why> {
        if let Some(request) = &self.audit {
            let (event, host) = (request.event(0), Host::default());
            return engine.why_audit(rule, &AuditAct { event: &event, host: &host });
        }
        self.scene().with_act(metadata_known, |act| engine.why(rule, act))
    }

    /// How far it is from matching a rule, as [`Why::distance`] tells; None where there is no such rule.
    pub fn distance(&self, engine: &Engine, rule: &str) -> Option<u64> {
        if let Some(request) = &self.audit {
            let (event, host) = (request.event(0), Host::default());
            return engine.distance_audit(rule, &AuditAct { event: &event, host: &host });
        }
        self.scene().with_act(true, |act| engine.distance(rule, act))
    }

    /// What keeps it from being an act or a request, and the way out.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let acts = [self.file.is_some(), self.network.is_some(), self.dns.is_some()];
        let acts = [&acts[..], &[self.system.is_some(), self.audit.is_some()]].concat();
        if acts.iter().filter(|is_there| **is_there).count() > 1 {
            let problem =
                "a case is one act: of `file`, `network`, `dns`, `system` and `audit` at most one";
            return Some((problem, "write a case for each"));
        }
        let mut processes = self.ancestors.iter().chain([&self.process]);
        if self.audit.is_none() && processes.any(|process| process.path.is_empty()) {
            let problem = "a process of a case needs the path of its program";
            return Some((problem, "write it as `process: { path: /usr/bin/curl }`"));
        }
        None
    }

    fn kind(&self) -> EventKind {
        let file = self.file.as_ref().map(|file| EventKind::File(Box::new(file.event())));
        let network = || Some(EventKind::Network(Box::new(self.network.as_ref()?.event())));
        let dns = || Some(EventKind::Dns(Box::new(self.dns.as_ref()?.event())));
        let system = || Some(EventKind::System(Box::new(self.system.as_ref()?.event())));
        file.or_else(network).or_else(dns).or_else(system).unwrap_or(EventKind::Exec)
    }

    /// The act, with everything that it refers to.
    pub fn scene(&self) -> Scene {
        self.scene_after(0)
    }

    /// The same, so many seconds later.
    pub fn scene_after(&self, seconds: u64) -> Scene {
        let container = self.container.as_ref().map(CaseContainer::container);
        let id = container.as_ref().map(|container| container.id.clone());
        let runtime =
            [host_process("/usr/bin/runc"), host_process("/usr/bin/containerd-shim-runc-v2")];
        let ancestors =
            if self.ancestors.is_empty() && id.is_some() { &runtime[..] } else { &self.ancestors };
        let process = self.process.process(1000, id.as_ref());
        let ancestors = (0..)
            .zip(ancestors)
            .map(|(generation, process)| process.process(999 - generation, id.as_ref()));
        Scene {
            event: Event {
                time: time_after(seconds),
                process: process.reference,
                container: id.clone(),
                kind: self.kind(),
            },
            ancestors: ancestors.collect(),
            process,
            container,
            host: Host { hostname: "worker-1".to_owned(), ..Host::default() },
            remote_name: self.remote_name.clone(),
            is_on_sensor: self.on_sensor,
            environment: (!self.environment.is_empty()).then(|| self.environment.join("\0")),
        }
    }
}

/// When cases happen.
pub(crate) fn time_after(seconds: u64) -> Timestamp {
    Timestamp((1_800_000_000 + seconds) * 1_000_000_000)
}

fn host_process(path: &str) -> CaseProcess {
    CaseProcess { path: path.to_owned(), on_host: true, ..CaseProcess::default() }
}

impl CaseContainer {
    fn container(&self) -> Container {
        Container {
            id: ContainerId::from(
                "4f1c8d7b2a9e0f3c5d6b7a8990e1f2d3c4b5a69788796a5b4c3d2e1f00112233",
            ),
            runtime: Some("containerd".to_owned()),
            name: Some("app".to_owned()),
            image: Some(self.image.clone()),
            pod: self.namespace.clone().map(|namespace| Pod {
                uid: "6c1f".to_owned(),
                name: Some("app-0".to_owned()),
                namespace: Some(namespace),
                labels: BTreeMap::new(),
                service_account: self.service_account.clone(),
            }),
            privileged: Some(false),
            ..Container::default()
        }
    }
}

impl CaseProcess {
    fn process(&self, pid: u32, container: Option<&ContainerId>) -> Process {
        let name = self.name.clone().unwrap_or_else(|| {
            // The kernel keeps 15 bytes.
            self.path.rsplit('/').next().unwrap_or_default().chars().take(15).collect()
        });
        let arguments = self.arguments.clone().unwrap_or_else(|| vec![self.path.clone()]);
        Process {
            reference: ProcessRef { key: ProcessKey { pid, start_time: 10 }, generation: 1 },
            name,
            executable: Executable {
                path: self.path.clone(),
                invoked_as: self.invoked_as.clone().unwrap_or_else(|| self.path.clone()),
                mode: 0o10_0000 | self.mode,
                upper_layer: self.upper_layer,
                memfd: self.memfd,
                ..Executable::default()
            },
            arguments,
            working_directory: self.directory.clone(),
            credentials: Credentials {
                uid: self.uid,
                euid: self.euid.unwrap_or(self.uid),
                capabilities_effective: self.capabilities,
                ..Credentials::default()
            },
            namespace_pid: self.pid_in_namespace,
            terminal: self.terminal.clone(),
            container: container.filter(|_| !self.on_host).cloned(),
            ..Process::default()
        }
    }
}
