use super::reason::Reason;
use std::collections::BTreeMap;
use tokio::sync::watch;

/// How the watches are, kind by kind.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    kinds: watch::Sender<Kinds>,
}

/// The state of each watch, by the name of its kind as people write it.
pub(crate) type Kinds = BTreeMap<String, KindHealth>;

/// How one watch is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KindHealth {
    /// All objects were listed once.
    pub(crate) is_listed: bool,
    /// What keeps it from working.
    pub(crate) trouble: Option<Reason>,
    /// Objects known.
    pub(crate) objects: u64,
}

/// One watch's place in [`Health`].
#[derive(Clone, Debug)]
pub(crate) struct KindReport {
    name: String,
    kinds: watch::Sender<Kinds>,
}

impl Default for Health {
    fn default() -> Self {
        Self { kinds: watch::Sender::new(Kinds::new()) }
    }
}

impl Health {
    /// Adds a watch that has yet to list.
    pub(crate) fn kind(&self, name: impl Into<String>) -> KindReport {
        let name = name.into();
        self.kinds.send_modify(|kinds| {
            kinds.insert(name.clone(), KindHealth::default());
        });
        KindReport { name, kinds: self.kinds.clone() }
    }

    /// A kind is not watched any more.
    pub(crate) fn forget(&self, name: &str) {
        self.kinds.send_modify(|kinds| {
            kinds.remove(name);
        });
    }

    /// Marked as changed when a watch gets into trouble or out of it, or has listed.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Kinds> {
        self.kinds.subscribe()
    }
}

impl KindReport {
    pub(crate) fn listed(&self) {
        self.update(|kind| !std::mem::replace(&mut kind.is_listed, true));
    }

    /// Notes what keeps the watch from working, or that it works. Tells whether that is news.
    pub(crate) fn trouble(&self, trouble: Option<Reason>) -> bool {
        self.update(|kind| std::mem::replace(&mut kind.trouble, trouble) != trouble)
    }

    /// Counts are told with the next report, and are no reason for one.
    pub(crate) fn objects(&self, objects: usize) {
        self.update(|kind| {
            kind.objects = objects as u64;
            false
        });
    }

    fn update(&self, change: impl FnOnce(&mut KindHealth) -> bool) -> bool {
        // One that was forgotten has nothing to tell.
        self.kinds.send_if_modified(|kinds| kinds.get_mut(&self.name).is_some_and(change))
    }
}

/// What does not work, in words for people. Empty when all does.
pub(crate) fn problems(kinds: &Kinds) -> Vec<String> {
    kinds
        .iter()
        .filter_map(|(name, kind)| kind.trouble.map(|reason| reason.in_words(name)))
        .collect()
}

/// Whether all objects that can be listed have been.
pub(crate) fn are_complete(kinds: &Kinds) -> bool {
    let is_lasting = |reason: Reason| {
        matches!(reason, Reason::Unauthorized | Reason::Forbidden | Reason::Refused)
    };
    kinds.values().all(|kind| kind.is_listed || kind.trouble.is_some_and(is_lasting))
        && kinds.values().any(|kind| kind.is_listed)
}

/// Why the watches are not ready; None when they are.
pub(crate) fn unreadiness(kinds: &Kinds) -> Option<String> {
    let mut reasons = problems(kinds);
    if reasons.is_empty() {
        let unlisted = kinds.iter().filter(|(_, kind)| !kind.is_listed);
        reasons = unlisted.map(|(name, _)| format!("{name} are not listed yet")).collect();
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::{Health, problems, unreadiness};
    use crate::watch::reason::Reason;

    #[test]
    fn the_watches_are_ready_when_all_have_listed_and_none_is_in_trouble() {
        let health = Health::default();
        let (pods, nodes) = (health.kind("pods"), health.kind("nodes"));
        let kinds = health.subscribe();
        pods.listed();
        assert_eq!(unreadiness(&kinds.borrow()).as_deref(), Some("nodes are not listed yet"));
        nodes.listed();
        assert_eq!(unreadiness(&kinds.borrow()), None);
        assert!(pods.trouble(Some(Reason::Forbidden)));
        assert!(!pods.trouble(Some(Reason::Forbidden)), "that is no news");
        let told = unreadiness(&kinds.borrow()).unwrap_or_default();
        assert!(told.contains("cannot watch pods") && told.contains("ClusterRole"), "{told}");
        assert!(pods.trouble(None));
        assert_eq!(problems(&kinds.borrow()), [""; 0]);
    }

    #[test]
    fn a_count_wakes_nobody() {
        let health = Health::default();
        let pods = health.kind("pods");
        let mut kinds = health.subscribe();
        kinds.mark_unchanged();
        pods.objects(7);
        assert!(!kinds.has_changed().unwrap());
        assert_eq!(kinds.borrow()["pods"].objects, 7);
    }
}
