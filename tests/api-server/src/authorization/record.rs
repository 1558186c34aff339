use super::Attributes;
use serde::Serialize;
use std::collections::BTreeMap;

/// Different accesses that are remembered.
const REMEMBERED: usize = 100_000;

/// A request that was decided on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Access {
    /// What was asked for, and by whom.
    pub attributes: Attributes,
    /// Whether it was granted.
    pub is_allowed: bool,
}

/// Each access with how often it was.
#[derive(Debug, Default)]
pub(super) struct Record(BTreeMap<Access, u64>);

impl Record {
    pub(super) fn note(&mut self, access: Access) {
        if self.0.len() < REMEMBERED || self.0.contains_key(&access) {
            *self.0.entry(access).or_default() += 1;
        }
    }

    pub(super) fn accesses(&self) -> Vec<Access> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// One verb on one resource, or on one path.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// Empty for the whole cluster.
    pub namespace: String,
    /// Empty for the core group; `*` for all.
    pub group: String,
    /// `pods`, `pods/log`, `*`; empty for a path.
    pub resource: String,
    /// Empty for all names.
    pub name: String,
    /// Empty for a resource; may end in `*`.
    pub path: String,
    /// `*` for all.
    pub verb: String,
}

impl Right {
    /// Whether what is asked for is granted by this.
    pub fn covers(&self, asked: &Attributes) -> bool {
        let is = |granted: &str, asked: &str| granted == "*" || granted == asked;
        if !is(&self.verb, &asked.verb) {
            return false;
        }
        if !asked.path.is_empty() {
            return self.covers_path(&asked.path);
        }
        let has_namespace = self.namespace.is_empty() || self.namespace == asked.namespace;
        let has_name = self.name.is_empty() || self.name == asked.name;
        has_namespace && has_name && is(&self.group, &asked.group) && self.covers_resource(asked)
    }

    fn covers_path(&self, path: &str) -> bool {
        match self.path.strip_suffix('*') {
            Some(begin) => path.starts_with(begin),
            None => self.path == path,
        }
    }

    fn covers_resource(&self, asked: &Attributes) -> bool {
        let of_any = self.resource.strip_prefix("*/");
        self.resource == "*"
            || self.resource == asked.full_resource()
            || of_any.is_some_and(|subresource| {
                !subresource.is_empty() && subresource == asked.subresource
            })
    }
}
