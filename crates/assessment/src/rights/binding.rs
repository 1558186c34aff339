use crate::names::{Name, Names};
use crate::object::{Subject, display, items, text};
use event_model::ObjectReference;
use serde_json::Value;

/// Who can be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum HolderKind {
    User,
    Group,
    Account,
}

/// A subject of bindings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Holder {
    pub(crate) kind: HolderKind,
    /// Of a service account; else empty.
    pub(crate) namespace: Name,
    pub(crate) name: Name,
}

impl Holder {
    fn new(subject: &Value, namespace: &str, names: &mut Names) -> Option<Self> {
        let name = text(subject, "name");
        let (kind, namespace, name) = match text(subject, "kind") {
            "ServiceAccount" => {
                let own = text(subject, "namespace");
                (HolderKind::Account, if own.is_empty() { namespace } else { own }, name)
            }
            "Group" => (HolderKind::Group, "", name),
            // The same service account by its user's name.
            "User" => match name
                .strip_prefix("system:serviceaccount:")
                .and_then(|rest| rest.split_once(':'))
            {
                Some((namespace, name)) => (HolderKind::Account, namespace, name),
                None => (HolderKind::User, "", name),
            },
            _ => return None,
        };
        (!name.is_empty()).then(|| Self {
            kind,
            namespace: names.of(namespace),
            name: names.of(name),
        })
    }

    pub(crate) const fn kind_name(&self) -> &'static str {
        match self.kind {
            HolderKind::User => "User",
            HolderKind::Group => "Group",
            HolderKind::Account => "ServiceAccount",
        }
    }

    pub(crate) fn display(&self) -> String {
        display(self.kind_name(), &self.namespace, &self.name)
    }

    pub(crate) fn reference(&self) -> ObjectReference {
        let api_version = match self.kind {
            HolderKind::Account => "v1",
            _ => "rbac.authorization.k8s.io/v1",
        };
        ObjectReference {
            api_version: api_version.to_owned(),
            kind: self.kind_name().to_owned(),
            namespace: (!self.namespace.is_empty()).then(|| self.namespace.to_string()),
            name: self.name.to_string(),
            uid: String::new(),
        }
    }
}

/// A binding of a role to subjects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) subject: Subject,
    /// Of the role; empty for one of the cluster.
    pub(crate) role_namespace: Name,
    pub(crate) role: Name,
    pub(crate) holders: Box<[Holder]>,
}

impl Binding {
    /// With at most so many holders. Returns how many were left out, too.
    pub(crate) fn new(
        subject: Subject,
        object: &Value,
        names: &mut Names,
        most: usize,
    ) -> (Self, u64) {
        let role = &object["roleRef"];
        let is_of_cluster = text(role, "kind") == "ClusterRole";
        let role_namespace =
            if is_of_cluster { names.of("") } else { Name::clone(&subject.namespace) };
        let holders = items(object, "subjects").iter();
        let mut holders: Vec<_> =
            holders.filter_map(|one| Holder::new(one, &subject.namespace, names)).collect();
        holders.sort_unstable();
        holders.dedup();
        let left_out = holders.len().saturating_sub(most) as u64;
        holders.truncate(most);
        let role = names.of(text(role, "name"));
        (Self { subject, role_namespace, role, holders: holders.into() }, left_out)
    }
}
