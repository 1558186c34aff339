//! The rules about requests, on the follower's own thread.

use crate::detect::{AlertCounts, Rules, Tally};
use crate::publish::Outlet;
use event_model::{AuditEvent, Host, Record};
use std::sync::Arc;

/// What requests are asked. The rules are those of the pipeline, in the same memory: evaluating changes nothing.
pub struct Detection {
    rules: Arc<Rules>,
    tally: Tally,
    host: Host,
    alerts: AlertCounts,
}

impl Detection {
    /// On this node.
    pub fn new(rules: Arc<Rules>, host: Host, alerts: AlertCounts) -> Self {
        Self { rules, tally: Tally::default(), host, alerts }
    }

    /// Sends the alerts that a request raises.
    pub(super) fn look(&mut self, event: &AuditEvent, outlet: &impl Outlet) {
        for alert in self.rules.audit_alerts(event, &self.host, &mut self.tally) {
            self.alerts.count(alert.priority);
            outlet.send(Record::Alert(Box::new(alert)));
        }
    }
}
