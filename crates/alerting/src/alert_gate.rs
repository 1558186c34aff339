//! Which alerts leave at once, and which are counted: repeats of an alert, what passes the limit of a rule in one
//! place, and what a suppression takes.
//!
//! Each alert that a rule raises is either sent or in one of the counts that follow it as [`HeldAlerts`]. Counts are
//! told when their time is over, when room is needed, and at the end.

mod config;
mod identity;
mod suppressed;
mod telling;
#[cfg(test)]
mod tests;
mod windows;

pub use config::AlertsConfig;

use crate::AlertCounts;
use detection::{Act, AuditAct, Match};
use event_model::{Alert, HeldAlerts, HeldReason, Record, Timestamp};
use identity::{Finding, Identities, Identity};
use node_link::Outlet;
use std::time::{Duration, Instant};
use suppressed::Suppressed;
use uuid::Uuid;
use windows::Windows;

/// The time of a limit.
const MINUTE: Duration = Duration::from_mins(1);
/// Alerts of which repeats are looked for: about 100 bytes each.
const MOST_ALERTS: usize = 16 << 10;
/// Rules and places of which alerts are counted.
const MOST_PLACES: usize = 4 << 10;

/// The alerts of one thread on their way out.
pub struct AlertGate {
    identities: Identities,
    /// Those that were sent. None: each alert leaves.
    repeats: Option<Windows<Uuid>>,
    /// What left of a rule in one place. None: there is no limit.
    places: Option<Windows<Sent>>,
    suppressed: Suppressed,
    per_minute: u32,
    counts: AlertCounts,
}

/// What a rule matched.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// What a process did.
    Act(&'a Act<'a>),
    /// A request to the API server of Kubernetes.
    Request(&'a AuditAct<'a>),
}

/// What left of a rule in one place within a minute.
struct Sent {
    last: Uuid,
    alerts: u32,
}

impl AlertGate {
    /// A gate that has seen no alert yet.
    pub fn new(config: &AlertsConfig, counts: AlertCounts) -> Self {
        let repeats = config.repeat_within().map(|within| Windows::new(within, MOST_ALERTS));
        let places = (config.per_minute > 0).then(|| Windows::new(MINUTE, MOST_PLACES));
        Self {
            identities: Identities::new(),
            repeats,
            places,
            suppressed: Suppressed::new(),
            per_minute: config.per_minute,
            counts,
        }
    }

    /// Sends the alert of a match, or counts it. `subject` is what matched.
    pub fn take(
        &mut self,
        matched: Match<'_>,
        subject: Subject<'_>,
        now: Instant,
        outlet: &impl Outlet,
    ) {
        let finding = Finding::of(&matched, subject);
        if let Some(suppression) = matched.suppression() {
            let Finding { rule, time, .. } = finding;
            let reason = self.suppressed.count(rule, suppression.name(), time, now);
            return self.counts.held(&reason);
        }
        let identity = self.identities.of(&finding);
        if !self.holds(&finding, &identity, now) {
            let detected_at = Timestamp::now();
            let alert = match subject {
                Subject::Act(act) => matched.into_alert(act, detected_at),
                Subject::Request(act) => matched.into_audit_alert(act, detected_at),
            };
            self.send(alert, &identity, now, outlet);
        }
    }

    /// Sends the counts whose time is over.
    pub fn tell(&mut self, now: Instant, outlet: &impl Outlet) {
        let (repeats, places) = (self.repeats.iter_mut(), self.places.iter_mut());
        let held = repeats.flat_map(|windows| windows.over(now));
        let held = held.chain(places.flat_map(|windows| windows.over(now)));
        send(held.chain(self.suppressed.over(now)), outlet);
    }

    /// Sends all counts, at the end.
    pub fn tell_all(&mut self, outlet: &impl Outlet) {
        let (repeats, places) = (self.repeats.iter_mut(), self.places.iter_mut());
        let held = repeats.flat_map(Windows::close_all);
        let held = held.chain(places.flat_map(Windows::close_all));
        send(held.chain(self.suppressed.close_all()), outlet);
    }

    /// Whether an alert is to be counted, which it then was. To be asked before it is made: of a storm, few are.
    fn holds(&mut self, finding: &Finding<'_>, identity: &Identity, now: Instant) -> bool {
        let reason =
            self.repeat(finding, identity, now).or_else(|| self.excess(finding, identity, now));
        if let Some(reason) = &reason {
            self.counts.held(reason);
        }
        reason.is_some()
    }

    fn send(&mut self, alert: Alert, identity: &Identity, now: Instant, outlet: &impl Outlet) {
        if let Some(windows) = &mut self.repeats {
            windows.open(identity.act, now, alert.id);
        }
        if let Some(places) = &mut self.places {
            match places.get(identity.place, now) {
                None => places.open(identity.place, now, Sent { last: alert.id, alerts: 1 }),
                Some(window) => {
                    window.state.alerts += 1;
                    window.state.last = alert.id;
                }
            }
        }
        self.counts.sent(alert.priority);
        outlet.send(Record::Alert(Box::new(alert)));
    }

    /// Counts an alert that tells what one before it told.
    fn repeat(
        &mut self,
        finding: &Finding<'_>,
        identity: &Identity,
        now: Instant,
    ) -> Option<HeldReason> {
        let window = self.repeats.as_mut()?.get(identity.act, now)?;
        let reason = HeldReason::Repeated { alert: window.state };
        window.hold(finding.rule, &reason, finding.time);
        Some(reason)
    }

    /// Counts an alert that is one too many of its rule in its place.
    fn excess(
        &mut self,
        finding: &Finding<'_>,
        identity: &Identity,
        now: Instant,
    ) -> Option<HeldReason> {
        let window = self.places.as_mut()?.get(identity.place, now)?;
        if window.state.alerts < self.per_minute {
            return None;
        }
        let reason = HeldReason::RateLimited { alert: window.state.last };
        window.hold(finding.rule, &reason, finding.time);
        Some(reason)
    }
}

fn send(held: impl Iterator<Item = HeldAlerts>, outlet: &impl Outlet) {
    for held in held {
        outlet.send(Record::HeldAlerts(Box::new(held)));
    }
}
