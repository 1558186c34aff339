//! Who may do what, and what that leads to: the graph of subjects, bindings and roles.

mod accounts;
mod binding;
mod everyone;
mod exemption;
mod findings;
mod graph;
mod power;
mod role;

use crate::names::{Name, Names};
use crate::object::{Key, Subject};
use accounts::Accounts;
use binding::Binding;
use event_model::Finding;
use exemption::Exemption;
use foldhash::HashSet;
use packed_map::PackedMap;
use role::Role;
use serde_json::Value;
use std::collections::BTreeSet;

/// Most pairs of a subject and a binding in all.
const MOST_PAIRS: usize = 250_000;
/// Most roles, and most bindings.
const MOST: usize = 50_000;

/// Service accounts as which something runs: namespace and name.
pub(crate) type RunningAccounts = HashSet<(Name, Name)>;

/// The roles and bindings of a cluster.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    roles: PackedMap<Key, Box<Role>>,
    bindings: PackedMap<Key, Box<Binding>>,
    pairs: usize,
    accounts: Accounts,
}

impl Rights {
    /// Notes that a service account exists. Returns whether that is new.
    pub(crate) fn put_account(&mut self, key: Key, namespace: &str, name: &str) -> bool {
        self.accounts.put(key, namespace, name)
    }

    /// Returns whether it was known.
    pub(crate) fn remove_account(&mut self, key: Key) -> bool {
        self.accounts.remove(key)
    }

    /// Returns whether anything is other than before, and how many parts were left out.
    pub(crate) fn put_role(
        &mut self,
        subject: Subject,
        object: &Value,
        names: &mut Names,
    ) -> (bool, u64) {
        let key = subject.key;
        if self.roles.len() >= MOST && !self.roles.contains_key(&key) {
            return (false, 1);
        }
        let role = Box::new(Role::new(subject, object, names));
        let is_other = self.roles.get(&key) != Some(&role);
        self.roles.insert(key, role);
        (is_other, 0)
    }

    /// The same of a binding.
    pub(crate) fn put_binding(
        &mut self,
        subject: Subject,
        object: &Value,
        names: &mut Names,
    ) -> (bool, u64) {
        let key = subject.key;
        if self.bindings.len() >= MOST && !self.bindings.contains_key(&key) {
            return (false, 1);
        }
        let before = self.bindings.remove(&key);
        self.pairs -= before.as_ref().map_or(0, |binding| binding.holders.len());
        let (binding, left_out) =
            Binding::new(subject, object, names, MOST_PAIRS.saturating_sub(self.pairs));
        self.pairs += binding.holders.len();
        let is_other = before.as_deref() != Some(&binding);
        self.bindings.insert(key, Box::new(binding));
        (is_other, left_out)
    }

    /// Which role or binding this is.
    pub(crate) fn subject(&self, key: Key) -> Option<&Subject> {
        let role = self.roles.get(&key).map(|role| &role.subject);
        role.or_else(|| self.bindings.get(&key).map(|binding| &binding.subject))
    }

    /// Returns whether it was known.
    pub(crate) fn remove(&mut self, key: Key) -> bool {
        let binding = self.bindings.remove(&key);
        self.pairs -= binding.as_ref().map_or(0, |binding| binding.holders.len());
        self.roles.remove(&key).is_some() || binding.is_some()
    }

    /// How much a round of findings looks at.
    pub(crate) fn len(&self) -> usize {
        self.roles.len() + self.pairs
    }

    /// Tells all that is to be said of them.
    pub(crate) fn findings(
        &self,
        running: &RunningAccounts,
        exempt_subjects: &BTreeSet<String>,
        exempt_namespaces: &BTreeSet<String>,
        put: &mut dyn FnMut(Finding),
    ) {
        let exemption = Exemption { subjects: exempt_subjects, namespaces: exempt_namespaces };
        let roles = self.roles.values().map(|role| &**role);
        let bindings = self.bindings.values().map(|binding| &**binding);
        let graph = graph::Graph::new(&roles, bindings, &self.accounts);
        findings::tell(&graph, running, &exemption, put);
        everyone::tell(&graph, &exemption, put);
    }
}
