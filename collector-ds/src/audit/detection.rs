//! The rules about requests, on the follower's own thread.

use crate::detect::{AlertCounts, SharedRules, Tally};
use crate::publish::Outlet;
use event_model::{AuditEvent, Host, Record};

/// What requests are asked. The rules are those of the pipeline, in the same memory, and exchanged with them: each request
/// is asked one set of them.
pub struct Detection {
    rules: SharedRules,
    tally: Tally,
    host: Host,
    alerts: AlertCounts,
}

impl Detection {
    /// On this node.
    pub fn new(rules: SharedRules, host: Host, alerts: AlertCounts) -> Self {
        Self { rules, tally: Tally::default(), host, alerts }
    }

    /// Sends the alerts that a request raises.
    pub(super) fn look(&mut self, event: &AuditEvent, outlet: &impl Outlet) {
        let rules = self.rules.load();
        for alert in rules.audit_alerts(event, &self.host, &mut self.tally) {
            self.alerts.count(alert.priority);
            outlet.send(Record::Alert(Box::new(alert)));
        }
    }
}
