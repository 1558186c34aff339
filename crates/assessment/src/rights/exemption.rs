use super::binding::{Holder, HolderKind};
use std::collections::BTreeSet;

/// Whose rights are meant.
pub(crate) struct Exemption<'e> {
    pub(crate) subjects: &'e BTreeSet<String>,
    pub(crate) namespaces: &'e BTreeSet<String>,
}

impl Exemption<'_> {
    pub(crate) fn is_of(&self, holder: &Holder) -> bool {
        if holder.kind == HolderKind::Account && self.namespaces.contains(&*holder.namespace) {
            return true;
        }
        let name = match holder.kind {
            HolderKind::Account => format!("ServiceAccount/{}/{}", holder.namespace, holder.name),
            _ => format!("{}/{}", holder.kind_name(), holder.name),
        };
        self.subjects.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *pattern,
        })
    }
}
