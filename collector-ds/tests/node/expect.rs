//! Waiting for what must come, with an end, and words for what came instead.

use event_model::{Alert, Container, Event, EventKind, Process, Record};
use std::time::{Duration, Instant};

/// How long a test waits for what it expects: where others use the machine, the inventory takes a minute.
pub const PATIENCE: Duration = Duration::from_mins(4);

/// Of what came, so many of the last records are printed on failure.
const PRINTED: usize = 40;

/// Calls `attempt` until it gives a value; fails with what `instead` tells.
pub fn wait_for<T>(
    what: &str,
    mut attempt: impl FnMut() -> Option<T>,
    instead: impl FnOnce() -> String,
) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        if Instant::now() >= end {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain for {what}; instead:\n{}", instead())
}

/// An exec, with the process that it made.
#[derive(Clone, Debug)]
pub struct Exec {
    pub event: Event,
    pub process: Process,
}

impl Exec {
    pub fn container(&self) -> Option<&str> {
        self.event.container.as_ref().map(|id| &*id.0)
    }
}

/// The first exec with these very arguments.
pub fn exec_of(records: &[Record], arguments: &[&str]) -> Option<Exec> {
    processes(records)
        .filter(|process| process.arguments == arguments)
        .find_map(|process| exec(records, process))
}

pub fn processes(records: &[Record]) -> impl Iterator<Item = &Process> {
    records.iter().filter_map(|record| match record {
        Record::Process(process) => Some(&**process),
        _ => None,
    })
}

/// The exec by which a process began its program, where that was seen.
pub fn exec(records: &[Record], process: &Process) -> Option<Exec> {
    records.iter().find_map(|record| match record {
        Record::Event(event)
            if event.kind == EventKind::Exec && event.process == process.reference =>
        {
            Some(Exec { event: event.clone(), process: process.clone() })
        }
        _ => None,
    })
}

/// What was last told of a container.
pub fn container(records: &[Record], id: &str) -> Option<Container> {
    records.iter().rev().find_map(|record| match record {
        Record::Container(container) if *container.id.0 == *id => Some(Container::clone(container)),
        _ => None,
    })
}

pub fn alerts(records: &[Record]) -> impl Iterator<Item = &Alert> {
    records.iter().filter_map(|record| match record {
        Record::Alert(alert) => Some(&**alert),
        _ => None,
    })
}

/// The last records, a line each.
pub fn outline(records: &[Record]) -> String {
    let skipped = records.len().saturating_sub(PRINTED);
    let lines: Vec<String> = records.iter().skip(skipped).map(line).collect();
    format!("({skipped} records before)\n{}", lines.join("\n"))
}

fn line(record: &Record) -> String {
    match record {
        Record::Process(process) => format!(
            "process {} {:?} in {:?}",
            process.reference.key, process.arguments, process.container
        ),
        Record::Event(event) => {
            format!("{} {} in {:?}", event.kind.name(), event.process.key, event.container)
        }
        Record::Container(container) => format!("{container:?}"),
        Record::Alert(alert) => format!("alert {}: {}", alert.rule, alert.message),
        Record::HeldAlerts(held) => format!("{held:?}"),
        Record::SensorStatus(status) => format!("status, problems {:?}", status.problems),
        other => other.kind().to_owned(),
    }
}

/// What the process did that an alert is about.
pub fn kind_of(alert: &Alert) -> &EventKind {
    &alert.event().expect("an alert about an act").kind
}
