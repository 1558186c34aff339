use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Which parts of a service are ready. The service is when all of them are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness {
    parts: Arc<Mutex<BTreeMap<String, State>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// As what, where there is more than one way to be ready.
    Ready(Option<String>),
    /// Why not.
    NotReady(String),
}

/// A part of a service that tells whether it is ready. It begins as not ready.
#[derive(Clone, Debug)]
pub struct Part {
    name: String,
    readiness: Readiness,
}

impl Part {
    /// The part does its work.
    pub fn ready(&self) {
        if self.readiness.set(&self.name, State::Ready(None)) {
            tracing::info!(part = self.name, "ready");
        }
    }

    /// The part does its work, which is one of several: `role` says which, for people.
    pub fn ready_as(&self, role: impl Into<String>) {
        let role = role.into();
        if self.readiness.set(&self.name, State::Ready(Some(role.clone()))) {
            tracing::info!(part = self.name, role, "ready");
        }
    }

    /// The part cannot do its work now. `reason` is for the person who will mend it.
    pub fn not_ready(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.readiness.set(&self.name, State::NotReady(reason.clone())) {
            tracing::warn!(part = self.name, reason, "not ready");
        }
    }
}

impl Readiness {
    /// Adds a part that has yet to become ready.
    pub(crate) fn part(&self, name: impl Into<String>) -> Part {
        let part = Part { name: name.into(), readiness: self.clone() };
        self.set(&part.name, State::NotReady("starting".to_owned()));
        part
    }

    /// Notes a part's state; tells whether it is another than before.
    fn set(&self, name: &str, state: State) -> bool {
        let value = if state.is_ready() { 1.0 } else { 0.0 };
        metrics::gauge!("defender_part_ready", "part" => name.to_owned()).set(value);
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = parts.insert(name.to_owned(), state.clone());
        before != Some(state)
    }

    /// Whether all parts are ready, and each part's state, a line for each.
    pub(crate) fn report(&self) -> (bool, String) {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.is_empty() {
            return (false, "[-]service: starting\n".to_owned());
        }
        let mut lines = String::new();
        for (name, state) in &*parts {
            let _ = match state {
                State::Ready(None) => writeln!(lines, "[+]{name} ready"),
                State::Ready(Some(role)) => writeln!(lines, "[+]{name} ready: {role}"),
                State::NotReady(reason) => writeln!(lines, "[-]{name}: {reason}"),
            };
        }
        (parts.values().all(State::is_ready), lines)
    }
}

impl State {
    const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }
}

#[cfg(test)]
mod tests {
    use super::Readiness;

    #[test]
    fn a_service_is_ready_when_all_its_parts_are() {
        let readiness = Readiness::default();
        assert!(!readiness.report().0, "no part has reported yet");
        let (spool, link) = (readiness.part("spool"), readiness.part("link"));
        spool.ready();
        assert_eq!(readiness.report(), (false, "[-]link: starting\n[+]spool ready\n".to_owned()));
        link.ready();
        assert!(readiness.report().0);
        link.ready_as("a standby");
        assert_eq!(
            readiness.report(),
            (true, "[+]link ready: a standby\n[+]spool ready\n".to_owned())
        );
        spool.not_ready("the disk is full");
        let (ready, lines) = readiness.report();
        assert!(!ready && lines.contains("[-]spool: the disk is full"), "{lines}");
    }
}
