//! The rules about requests, on the follower's own thread.

use crate::alert_gate::{AlertGate, Subject};
use crate::detect::{Rules, Tally};
use crate::publish::Outlet;
use detection::AuditAct;
use event_model::{AuditEvent, Host};
use std::sync::Arc;
use std::time::Instant;

/// What requests are asked. The rules are those of the pipeline, in the same memory: evaluating changes nothing.
pub struct Detection {
    rules: Arc<Rules>,
    tally: Tally,
    host: Host,
    gate: AlertGate,
}

impl Detection {
    /// On this node.
    pub fn new(rules: Arc<Rules>, host: Host, gate: AlertGate) -> Self {
        Self { rules, tally: Tally::default(), host, gate }
    }

    /// Sends or counts the alerts that a request raises.
    pub(super) fn look(&mut self, event: &AuditEvent, now: Instant, outlet: &impl Outlet) {
        let act = AuditAct { event, host: &self.host };
        for matched in self.rules.audit_matches(&act, &mut self.tally) {
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
}
