//! Acts of a node, one after another, and the alerts that rules make of them.

use detection::{Act, Engine, RuleSet, SourceFile, Tally};
use event_model::{
    Container, ContainerId, Event, EventKind, FileAct, FileEvent, Host, MatchedField, Process,
    ProcessKey, ProcessRef, Timestamp,
};

pub const SECOND: u64 = 1_000_000_000;
const BEGIN: u64 = 1_800_000_000 * SECOND;

pub fn load(text: &str) -> Result<Engine, String> {
    let rules = RuleSet::load(&[SourceFile { name: "rules.yaml", text }]);
    rules.map(Engine::compile).map_err(|error| error.to_string())
}

/// One act: who did it, where, what, and when.
#[derive(Clone)]
pub struct Done {
    pub second: u64,
    pub pid: u32,
    /// The parent first.
    pub ancestors: Vec<u32>,
    pub container: Option<&'static str>,
    pub image: Option<&'static str>,
    pub name: &'static str,
    pub executable: &'static str,
    /// None: a program's start.
    pub file: Option<(FileAct, &'static str)>,
}

pub const DONE: Done = Done {
    second: 0,
    pid: 7,
    ancestors: vec![],
    container: Some("c1"),
    image: None,
    name: "sh",
    executable: "/bin/sh",
    file: None,
};

fn process(pid: u32) -> Process {
    let key = ProcessKey { pid, start_time: 1 };
    Process { reference: ProcessRef { key, generation: 1 }, ..Process::default() }
}

/// An alert: its rule, and the fields that matched.
pub struct Raised {
    pub rule: String,
    pub fields: Vec<MatchedField>,
}

impl Raised {
    pub fn value(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|it| it.field == field).map(|it| it.value.as_str())
    }
}

pub struct Node {
    pub engine: Engine,
    pub tally: Tally,
}

impl Node {
    pub fn with(rules: &str) -> Self {
        let engine = load(rules).unwrap_or_else(|error| panic!("{error}"));
        Self { engine, tally: Tally::default() }
    }

    pub fn detect(&mut self, done: &Done) -> Vec<Raised> {
        let mut process_that_acts = process(done.pid);
        done.name.clone_into(&mut process_that_acts.name);
        done.executable.clone_into(&mut process_that_acts.executable.path);
        let ancestors: Vec<Process> = done.ancestors.iter().map(|pid| process(*pid)).collect();
        let ancestors: Vec<&Process> = ancestors.iter().collect();
        let container = done.container.map(|id| Container {
            id: ContainerId::from(id),
            image: done.image.map(str::to_owned),
            ..Container::default()
        });
        let kind = match done.file {
            None => EventKind::Exec,
            Some((act, path)) => EventKind::File(Box::new(FileEvent {
                act,
                path: path.to_owned(),
                ..FileEvent::default()
            })),
        };
        let event = Event {
            time: Timestamp(BEGIN + done.second * SECOND),
            process: process_that_acts.reference,
            container: container.as_ref().map(|container| container.id.clone()),
            kind,
        };
        let act = Act {
            event: &event,
            process: &process_that_acts,
            ancestors: &ancestors,
            container: container.as_ref(),
            host: &Host::default(),
            remote_name: None,
            is_on_sensor: false,
            environment: None,
            login_name: None,
            group_name: None,
        };
        let matches = self.engine.detect(&act, &mut self.tally).into_iter();
        let raised = |matched: detection::Match<'_>| Raised {
            rule: matched.rule().name().to_owned(),
            fields: matched.matched_fields().to_vec(),
        };
        matches.map(raised).collect()
    }

    /// Whether an act raises an alert.
    pub fn alerts(&mut self, done: &Done) -> bool {
        !self.detect(done).is_empty()
    }
}
