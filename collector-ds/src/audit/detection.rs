//! The rules about requests, on the follower's own thread.

use crate::detect::{AlertCounts, Rules, Tally};
use crate::publish::Outlet;
use crate::record::Recorder;
use event_model::{AuditEvent, Host, Record};
use std::sync::Arc;

/// What requests are asked. The rules are those of the pipeline, in the same memory: evaluating changes nothing.
pub struct Detection {
    rules: Arc<Rules>,
    tally: Tally,
    host: Host,
    alerts: AlertCounts,
    recorder: Option<Recorder>,
}

impl Detection {
    /// On this node.
    pub fn new(rules: Arc<Rules>, host: Host, alerts: AlertCounts) -> Self {
        Self { rules, tally: Tally::default(), host, alerts, recorder: None }
    }

    /// What it looks at, with the alerts, goes there too.
    #[must_use]
    pub fn recorded_by(self, recorder: Option<Recorder>) -> Self {
        Self { recorder, ..self }
    }

    /// Sends the alerts that a request raises.
    pub(super) fn look(&mut self, event: &AuditEvent, outlet: &impl Outlet) {
        let alerts = self.rules.audit_alerts(event, &self.host, &mut self.tally);
        if let Some(recorder) = &self.recorder {
            recorder.request(event, &alerts);
        }
        for alert in alerts {
            self.alerts.count(alert.priority);
            outlet.send(Record::Alert(Box::new(alert)));
        }
    }
}
