//! Something that rules can be asked of, wherever it comes from.

use capture::{CapturedAct, CapturedRequest};
use detection::{Engine, Why};
use event_model::{AuditEvent, EventKind, Host, Process, Timestamp};
use rule_cases::Case;

/// Longest command line that a line of text shows, in characters.
const LONGEST_COMMAND: usize = 100;

/// An act, a request, or a case that stands for one.
#[derive(Clone, Debug)]
pub enum Occurrence {
    Act(CapturedAct),
    Request(CapturedRequest),
    Case(Box<Case>),
}

impl Occurrence {
    /// Why a rule matches it, or does not; None where there is no such rule.
    pub fn why(&self, engine: &Engine, rule: &str, host: &Host) -> Option<Why> {
        match self {
            Self::Act(act) => act.with_act(host, |act| engine.why(rule, act)),
            Self::Request(request) => engine.why_audit(rule, &request.act(host)),
            Self::Case(case) => case.why(engine, rule, true),
        }
    }

    /// How far it is from matching a rule: 0 where it does.
    pub fn distance(&self, engine: &Engine, rule: &str, host: &Host) -> Option<u64> {
        match self {
            Self::Act(act) => act.with_act(host, |act| engine.distance(rule, act)),
            Self::Request(request) => engine.distance_audit(rule, &request.act(host)),
            Self::Case(case) => case.distance(engine, rule),
        }
    }

    /// What it is, in a line.
    pub fn in_words(&self) -> String {
        match self {
            Self::Act(act) => format!("{}, {}", done(&act.event.kind), by(&act.process)),
            Self::Request(request) => asked(&request.event),
            Self::Case(case) => case.what.clone(),
        }
    }

    /// When it happened; of cases nobody knows.
    pub fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Act(act) => Some(act.event.time),
            Self::Request(request) => Some(request.event.stage_at),
            Self::Case(_) => None,
        }
    }
}

/// The act and what it was done to.
fn done(kind: &EventKind) -> String {
    let object = match kind {
        EventKind::File(file) => Some(file.path.clone()),
        EventKind::Network(network) => {
            network.remote.map(|remote| remote.to_string()).or_else(|| network.path.clone())
        }
        EventKind::Dns(dns) => dns.questions.first().map(|question| question.name.clone()),
        EventKind::Exec | EventKind::Fork { .. } | EventKind::Exit(_) | EventKind::System(_) => {
            None
        }
    };
    object.map_or_else(|| kind.name().to_owned(), |object| format!("{} {object}", kind.name()))
}

/// Who did it.
fn by(process: &Process) -> String {
    let command = process.command_line();
    let command = match command.char_indices().nth(LONGEST_COMMAND) {
        Some((end, _)) => format!("{}…", &command[..end]),
        None => command,
    };
    format!("{} ({}): {command}", process.name, process.reference.key.pid)
}

fn asked(event: &AuditEvent) -> String {
    let AuditEvent { verb, request_uri, user, object, .. } = event;
    let object = object.as_ref().map_or(request_uri, |object| &object.resource);
    let words = [verb.as_str(), object, "by", &user.name];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
