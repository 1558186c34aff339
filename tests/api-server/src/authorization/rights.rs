use super::{Attributes, Right};
use crate::authentication::User;
use crate::history::{Collection, split};
use crate::store::Store;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeSet, HashMap};

/// All bindings of a store, each with the rights of its role.
#[derive(Debug, Default)]
pub(super) struct Rights {
    bindings: Vec<Granted>,
}

#[derive(Debug)]
struct Granted {
    subjects: Vec<Subject>,
    /// That of the binding.
    namespace: String,
    rights: Vec<Right>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Subject {
    kind: String,
    name: String,
    namespace: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Role {
    rules: Option<Vec<Rule>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    resource_names: Vec<String>,
    verbs: Vec<String>,
    #[serde(rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Binding {
    subjects: Option<Vec<Subject>>,
    role_ref: RoleRef,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RoleRef {
    kind: String,
    name: String,
}

impl Rights {
    pub(super) fn read(store: &Store) -> Self {
        let cluster_roles: HashMap<String, Role> = all(store, "clusterroles").collect();
        let roles: HashMap<String, Role> = all(store, "roles").collect();
        let of_cluster = all::<Binding>(store, "clusterrolebindings");
        let of_namespaces = all::<Binding>(store, "rolebindings");
        let bindings = of_cluster.chain(of_namespaces).map(|(key, binding)| {
            let namespace = split(&key).0.unwrap_or_default();
            let granting = match binding.role_ref.kind.as_str() {
                "Role" => roles.get(&format!("{namespace}/{}", binding.role_ref.name)),
                _ => cluster_roles.get(&binding.role_ref.name),
            };
            let of_role = granting.and_then(|role| role.rules.as_ref()).into_iter().flatten();
            let rights = of_role.flat_map(|rule| rule.rights(namespace)).collect();
            let subjects = binding.subjects.unwrap_or_default();
            Granted { subjects, namespace: namespace.to_owned(), rights }
        });
        Self { bindings: bindings.collect() }
    }

    pub(super) fn allow(&self, user: &User, asked: &Attributes) -> bool {
        let is_master = user.groups.iter().any(|group| group == "system:masters");
        let mut of_user = self.bindings.iter().filter(|binding| binding.is_of(user, |_| true));
        is_master || of_user.any(|binding| binding.rights.iter().any(|right| right.covers(asked)))
    }

    pub(super) fn granted(&self, user: &User) -> BTreeSet<Right> {
        let is_own = |group: &str| {
            !matches!(group, "system:authenticated" | "system:serviceaccounts" | "system:masters")
        };
        let of_user = self.bindings.iter().filter(|binding| binding.is_of(user, is_own));
        of_user.flat_map(|binding| binding.rights.iter().cloned()).collect()
    }
}

impl Granted {
    /// Whether it names the user, or a group of his that counts.
    fn is_of(&self, user: &User, counts: impl Fn(&str) -> bool) -> bool {
        let groups = || user.groups.iter().filter(|group| counts(group));
        self.subjects.iter().any(|subject| match subject.kind.as_str() {
            "User" => subject.name == user.name,
            "Group" => groups().any(|group| *group == subject.name),
            "ServiceAccount" => {
                let namespace =
                    if subject.namespace.is_empty() { &self.namespace } else { &subject.namespace };
                user.name == format!("system:serviceaccount:{namespace}:{}", subject.name)
            }
            _ => false,
        })
    }
}

impl Rule {
    /// Each verb on each resource and path of the rule.
    fn rights(&self, namespace: &str) -> Vec<Right> {
        let all_names = vec![String::new()];
        let names = if self.resource_names.is_empty() { &all_names } else { &self.resource_names };
        let mut rights = Vec::new();
        for verb in &self.verbs {
            for (group, resource) in product(&self.api_groups, &self.resources) {
                rights.extend(names.iter().map(|name| Right {
                    namespace: namespace.to_owned(),
                    group: group.clone(),
                    resource: resource.clone(),
                    name: name.clone(),
                    path: String::new(),
                    verb: verb.clone(),
                }));
            }
            // Paths are not of a namespace, so only bindings of the cluster grant them.
            let paths = self.non_resource_urls.iter().filter(|_| namespace.is_empty());
            rights.extend(paths.map(|path| Right {
                path: path.clone(),
                verb: verb.clone(),
                ..Right::default()
            }));
        }
        rights
    }
}

fn product<'a>(
    first: &'a [String],
    second: &'a [String],
) -> impl Iterator<Item = (&'a String, &'a String)> {
    first.iter().flat_map(move |one| second.iter().map(move |other| (one, other)))
}

/// The objects of a resource by key, those left out that cannot be read.
fn all<T: DeserializeOwned>(store: &Store, resource: &str) -> impl Iterator<Item = (String, T)> {
    let resource = store.resource(resource);
    let objects = store.collection(&resource).into_iter().flat_map(Collection::iter);
    let read = objects.filter_map(|(key, object)| {
        let object = serde_json::Value::Object(object.object(&resource));
        Some((key.clone(), serde_json::from_value(object).ok()?))
    });
    read.collect::<Vec<_>>().into_iter()
}
