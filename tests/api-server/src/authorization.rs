//! What a user may do: role-based access control, as the roles and bindings of the store grant it.
//! <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>

mod bootstrap;
mod record;
mod rights;

pub use bootstrap::bootstrap;
pub use record::{Access, Right};

use crate::authentication::User;
use crate::request::RequestInfo;
use crate::shared::lock;
use crate::store::Store;
use record::Record;
use rights::Rights;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// Whether rights are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// Everybody who is known may do everything.
    #[default]
    AlwaysAllow,
    /// Roles and bindings decide.
    RoleBased,
}

/// What is asked for, of one who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Attributes {
    /// The user's name.
    pub user: String,
    /// `list`, `watch`, `create`…
    pub verb: String,
    /// Empty for the core group.
    pub group: String,
    /// The plural; empty for a path.
    pub resource: String,
    /// Empty for the object itself.
    pub subresource: String,
    /// Empty for the whole cluster.
    pub namespace: String,
    /// Empty for all names.
    pub name: String,
    /// Of what is no resource.
    pub path: String,
}

impl Attributes {
    /// What a request asks for.
    pub fn new(user: &User, info: &RequestInfo) -> Self {
        let asked = info.resource.clone().unwrap_or_default();
        Self {
            user: user.name.clone(),
            verb: info.verb.clone(),
            group: asked.group,
            resource: asked.plural,
            subresource: asked.subresource.unwrap_or_default(),
            namespace: asked.namespace.unwrap_or_default(),
            name: asked.name.unwrap_or_default(),
            path: if info.resource.is_none() { info.path.clone() } else { String::new() },
        }
    }

    /// `pods`, `pods/log`.
    pub fn full_resource(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }

    /// What is told to one who may not.
    pub fn why_not(&self) -> String {
        let at = match self.namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {namespace:?}"),
        };
        format!(
            "User {:?} cannot {} resource {:?} in API group {:?} {at}",
            self.user,
            self.verb,
            self.full_resource(),
            self.group
        )
    }
}

/// Decides, and remembers what it decided.
#[derive(Debug)]
pub struct Authorizer {
    mode: Authorization,
    rights: Mutex<Option<(u64, Arc<Rights>)>>,
    record: Mutex<Record>,
}

impl Authorizer {
    pub fn new(mode: Authorization) -> Self {
        Self { mode, rights: Mutex::default(), record: Mutex::default() }
    }

    /// Whether `user` may do this; remembered as an access.
    pub fn authorizes(&self, store: &Store, user: &User, attributes: &Attributes) -> bool {
        let is_allowed = self.would_authorize(store, user, attributes);
        lock(&self.record).note(Access { attributes: attributes.clone(), is_allowed });
        is_allowed
    }

    /// Whether `user` may do this; not remembered.
    pub fn would_authorize(&self, store: &Store, user: &User, attributes: &Attributes) -> bool {
        match self.mode {
            Authorization::AlwaysAllow => true,
            Authorization::RoleBased => self.rights(store).allow(user, attributes),
        }
    }

    /// The rights as the store has them now.
    fn rights(&self, store: &Store) -> Arc<Rights> {
        let mut cached = lock(&self.rights);
        let version = store.rights_version();
        if let Some((of, rights)) = &*cached
            && *of == version
        {
            return Arc::clone(rights);
        }
        let rights = Arc::new(Rights::read(store));
        *cached = Some((version, Arc::clone(&rights)));
        rights
    }

    /// All accesses so far, each once.
    pub fn accesses(&self) -> Vec<Access> {
        lock(&self.record).accesses()
    }

    /// Forgets the accesses so far.
    pub fn forget(&self) {
        lock(&self.record).forget();
    }

    /// The rights that bindings to `user` grant, each for one verb of one resource. Those of the
    /// groups that every known user is in are left out: no manifest of ours grants them.
    pub fn granted(&self, store: &Store, user: &User) -> BTreeSet<Right> {
        self.rights(store).granted(user)
    }

    /// Which of the granted rights `user` has used so far.
    pub fn used(&self, store: &Store, user: &User) -> BTreeSet<Right> {
        let accesses = self.accesses();
        let by_user = || accesses.iter().filter(|access| access.attributes.user == user.name);
        let granted = self.granted(store, user);
        granted
            .into_iter()
            .filter(|right| by_user().any(|access| right.covers(&access.attributes)))
            .collect()
    }
}
