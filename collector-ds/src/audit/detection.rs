//! The rules about requests, on the follower's own thread.

use crate::alert_gate::{AlertGate, Subject};
use crate::detect::{RuleMemory, Rules, SharedRules};
use crate::publish::Outlet;
use crate::record::Recorder;
use detection::{AuditAct, Match};
use event_model::{AuditEvent, Host, Timestamp};
use std::sync::Arc;
use std::time::Instant;

/// What requests are asked. The rules are those of the pipeline, in the same memory, and exchanged with them: each request
/// is asked one set of them.
pub struct Detection {
    rules: SharedRules,
    memory: RuleMemory,
    /// The rules that were asked last.
    asked: Arc<Rules>,
    host: Host,
    gate: AlertGate,
    recorder: Option<Recorder>,
}

impl Detection {
    /// On this node.
    pub fn new(rules: SharedRules, memory: RuleMemory, host: Host, gate: AlertGate) -> Self {
        let asked = rules.load_full();
        Self { rules, asked, memory, host, gate, recorder: None }
    }

    /// What it looks at, with the alerts, goes there too.
    #[must_use]
    pub fn recorded_by(self, recorder: Option<Recorder>) -> Self {
        Self { recorder, ..self }
    }

    /// Sends or counts the alerts that a request raises.
    pub(super) fn look(&mut self, event: &AuditEvent, now: Instant, outlet: &impl Outlet) {
        let rules = self.rules.load_full();
        if !Arc::ptr_eq(&rules, &self.asked) {
            self.memory.exchange_rules(&rules);
        }
        self.asked = rules;
        let act = AuditAct { event, host: &self.host };
        let matches = self.asked.audit_matches(&act, &mut self.memory.tally);
        if let Some(recorder) = &self.recorder {
            let alert =
                |matched: &Match<'_>| matched.clone().into_audit_alert(&act, Timestamp::now());
            recorder.request(event, &matches.iter().map(alert).collect::<Vec<_>>());
        }
        for matched in matches {
            self.gate.take(matched, Subject::Request(&act), now, outlet);
        }
    }

    /// Sends the counts of alerts whose time is over, at the end all.
    pub(super) fn tell_held(&mut self, now: Instant, ends: bool, outlet: &impl Outlet) {
        if ends {
            self.gate.tell_all(outlet);
        } else {
            self.gate.tell(now, outlet);
        }
    }

    /// Keeps what was learnt. To be called every second or so.
    pub(super) fn tick(&mut self, now: Instant) {
        self.memory.tick(now);
    }

    /// Keeps what was learnt last.
    pub(super) fn end(&mut self) {
        self.memory.end();
    }
}
