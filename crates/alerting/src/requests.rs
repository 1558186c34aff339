//! The rules about requests to the API server of Kubernetes, on the thread that reads them.

use crate::{AlertGate, RuleMemory, Rules, SharedRules, Subject};
use detection::{AuditAct, Match};
use event_model::{Alert, AuditEvent, Host, Timestamp};
use node_link::Outlet;
use std::sync::Arc;
use std::time::Instant;

/// Is told each request that rules were asked about, with the alerts that they raised.
pub type Witness = Box<dyn Fn(&AuditEvent, &[Alert]) + Send>;

/// What requests are asked. The rules may be those of another thread, in the same memory, and exchanged with them: each request
/// is asked one set of them.
pub struct RequestDetection {
    rules: SharedRules,
    memory: RuleMemory,
    /// The rules that were asked last.
    asked: Arc<Rules>,
    host: Host,
    gate: AlertGate,
    witness: Option<Witness>,
}

impl RequestDetection {
    /// On this node.
    pub fn new(rules: SharedRules, memory: RuleMemory, host: Host, gate: AlertGate) -> Self {
        let asked = rules.load_full();
        Self { rules, asked, memory, host, gate, witness: None }
    }

    /// What it looks at, with the alerts, is told to that one too.
    #[must_use]
    pub fn witnessed_by(self, witness: Option<Witness>) -> Self {
        Self { witness, ..self }
    }

    /// Sends or counts the alerts that a request raises.
    pub fn look(&mut self, event: &AuditEvent, now: Instant, outlet: &impl Outlet) {
        let rules = self.rules.load_full();
        if !Arc::ptr_eq(&rules, &self.asked) {
            self.memory.exchange_rules(&rules);
        }
        self.asked = rules;
        let act = AuditAct { event, host: &self.host };
        let matches = self.asked.audit_matches(&act, &mut self.memory.tally);
        if let Some(witness) = &self.witness {
            let alert =
                |matched: &Match<'_>| matched.clone().into_audit_alert(&act, Timestamp::now());
            witness(event, &matches.iter().map(alert).collect::<Vec<_>>());
        }
        for matched in matches {
            self.gate.take(matched, Subject::Request(&act), now, outlet);
        }
    }

    /// Sends the counts of alerts whose time is over, at the end all.
    pub fn tell_held(&mut self, now: Instant, ends: bool, outlet: &impl Outlet) {
        if ends {
            self.gate.tell_all(outlet);
        } else {
            self.gate.tell(now, outlet);
        }
    }

    /// Keeps what was learnt. To be called every second or so.
    pub fn tick(&mut self, now: Instant) {
        self.memory.tick(now);
    }

    /// Keeps what was learnt last.
    pub fn end(&mut self) {
        self.memory.end();
    }
}
