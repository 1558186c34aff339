//! Cases beside rules: acts, and whether they raise an alert.

#![allow(dead_code)] // Each of the tests that share this module needs a part of it.

use detection::Act;
use event_model::{
    Container, ContainerId, Credentials, Event, EventKind, Executable, Host, Pod, Process,
    ProcessKey, ProcessRef, Timestamp,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The cases of one rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleCases {
    pub rule: String,
    /// Acts that must raise the rule's alert, also while nothing but the container's id is known.
    pub alerts: Vec<Case>,
    /// Acts that must not.
    pub silent: Vec<Case>,
}

/// The start of a program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// In words.
    pub what: String,
    /// None on the host.
    pub container: Option<CaseContainer>,
    pub process: CaseProcess,
    /// The parent first. In a container, without any, the runtime's processes on the host.
    #[serde(default)]
    pub ancestors: Vec<CaseProcess>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseContainer {
    pub image: String,
    #[serde(default)]
    pub namespace: Option<String>,
    #[serde(default)]
    pub service_account: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
        })
    }
}

impl Case {
    /// The same case with other arguments.
    pub fn with_arguments(&self, arguments: &[String]) -> Self {
        let process = CaseProcess { arguments: Some(arguments.to_vec()), ..self.process.clone() };
        Self { process, ..self.clone() }
    }

    pub fn scene(&self) -> Scene {
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
                time: Timestamp(1_800_000_000_000_000_000),
                process: process.reference,
                container: id.clone(),
                kind: EventKind::Exec,
            },
            ancestors: ancestors.collect(),
            process,
            container,
            host: Host { hostname: "worker-1".to_owned(), ..Host::default() },
        }
    }
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
        assert!(!self.path.is_empty(), "a process of a case needs a path: {self:?}");
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
                ..Credentials::default()
            },
            namespace_pid: self.pid_in_namespace,
            terminal: self.terminal.clone(),
            container: container.filter(|_| !self.on_host).cloned(),
            ..Process::default()
        }
    }
}
