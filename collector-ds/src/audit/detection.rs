//! The rules about requests, on the follower's own thread.

use crate::detect::{AlertCounts, RuleMemory, Rules, SharedRules};
use crate::publish::Outlet;
use event_model::{AuditEvent, Host, Record};
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
    alerts: AlertCounts,
}

impl Detection {
    /// On this node.
    pub fn new(rules: SharedRules, memory: RuleMemory, host: Host, alerts: AlertCounts) -> Self {
        let asked = rules.load_full();
        Self { rules, asked, memory, host, alerts }
    }

    /// Sends the alerts that a request raises.
    pub(super) fn look(&mut self, event: &AuditEvent, outlet: &impl Outlet) {
        let rules = self.rules.load_full();
        if !Arc::ptr_eq(&rules, &self.asked) {
            self.memory.exchange_rules(&rules);
        }
        self.asked = rules;
        for alert in self.asked.audit_alerts(event, &self.host, &mut self.memory.tally) {
            self.alerts.count(alert.priority);
            outlet.send(Record::Alert(Box::new(alert)));
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
