//! Which Services of a namespace select the same pods.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Most Services that are kept: Kubernetes is made for 10,000.
const MOST: usize = 50_000;

/// The Services of a cluster by their selectors. Of a selector a number of 64 bits is kept, not the text.
#[derive(Clone, Debug, Default)]
pub struct ServiceIndex {
    selectors: HashMap<(String, String), u64>,
    names: BTreeMap<(String, u64), BTreeSet<String>>,
    left_out: u64,
}

impl ServiceIndex {
    /// A Service that came or changed. Gives the names of the others of its namespace that share its selector now, or did before: what is told of them may have changed.
    pub fn apply(&mut self, service: &Value) -> BTreeSet<String> {
        let Some((namespace, name)) = place(service) else { return BTreeSet::new() };
        let mut touched = self.remove(namespace, name);
        let Some(selector) = selector(service) else { return touched };
        if self.selectors.len() >= MOST {
            self.left_out += 1;
            return touched;
        }
        self.selectors.insert((namespace.to_owned(), name.to_owned()), selector);
        let same = self.names.entry((namespace.to_owned(), selector)).or_default();
        touched.extend(same.iter().cloned());
        same.insert(name.to_owned());
        touched
    }

    /// A Service that is gone. Gives the names of the others that shared its selector.
    pub fn remove(&mut self, namespace: &str, name: &str) -> BTreeSet<String> {
        let key = (namespace.to_owned(), name.to_owned());
        let Some(selector) = self.selectors.remove(&key) else { return BTreeSet::new() };
        let place = (key.0, selector);
        let Some(same) = self.names.get_mut(&place) else { return BTreeSet::new() };
        same.remove(name);
        let others = same.clone();
        if others.is_empty() {
            self.names.remove(&place);
        }
        others
    }

    /// The others of a Service's namespace with its selector, by name.
    pub fn same_selector(&self, service: &Value) -> Vec<String> {
        let Some((namespace, name)) = place(service) else { return vec![] };
        let Some(selector) = selector(service) else { return vec![] };
        let same = self.names.get(&(namespace.to_owned(), selector));
        same.into_iter().flatten().filter(|other| *other != name).cloned().collect()
    }

    /// Services that were not taken, for there were too many.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }
}

fn place(service: &Value) -> Option<(&str, &str)> {
    let metadata = service.get("metadata")?;
    Some((metadata.get("namespace")?.as_str()?, metadata.get("name")?.as_str()?))
}

/// None without a selector: such a Service selects no pods.
fn selector(service: &Value) -> Option<u64> {
    let selector = service.get("spec")?.get("selector")?.as_object()?;
    if selector.is_empty() {
        return None;
    }
    let labels: BTreeMap<&str, Option<&str>> =
        selector.iter().map(|(key, value)| (&**key, value.as_str())).collect();
    let mut hasher = DefaultHasher::new();
    labels.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(name: &str, selector: &Value) -> Value {
        json!({"metadata": {"namespace": "shop", "name": name}, "spec": {"selector": selector}})
    }

    #[test]
    fn services_with_the_same_labels_in_any_order_find_each_other_until_one_goes() {
        let mut index = ServiceIndex::default();
        let (a, b) = (
            service("a", &json!({"app": "web", "tier": "1"})),
            service("b", &json!({"tier": "1", "app": "web"})),
        );
        assert!(index.apply(&a).is_empty());
        assert_eq!(index.apply(&b), BTreeSet::from(["a".to_owned()]));
        assert_eq!(index.same_selector(&a), ["b"]);
        assert_eq!(
            index.apply(&service("b", &json!({"app": "api"}))),
            BTreeSet::from(["a".to_owned()])
        );
        assert!(index.same_selector(&a).is_empty());
        index.apply(&b);
        assert_eq!(index.remove("shop", "a"), BTreeSet::from(["b".to_owned()]));
        assert!(index.same_selector(&b).is_empty());
    }

    #[test]
    fn other_namespaces_and_services_without_a_selector_are_nobodys() {
        let mut index = ServiceIndex::default();
        let mut other = service("a", &json!({"app": "web"}));
        other["metadata"]["namespace"] = json!("bank");
        let (mine, none) = (service("b", &json!({"app": "web"})), service("c", &json!({})));
        for one in
            [&other, &mine, &none, &service("d", &json!(null)), &json!([]), &json!({"metadata": 1})]
        {
            assert!(index.apply(one).is_empty(), "{one}");
        }
        assert!(index.same_selector(&none).is_empty());
    }
}
