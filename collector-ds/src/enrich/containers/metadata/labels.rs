//! Labels: what kubelet says in them, and how much of them is kept.

use event_model::Pod;
use std::collections::{BTreeMap, HashMap};

/// Labels by which kubelet marks what it asks a runtime to make.
const CONTAINER_NAME: &str = "io.kubernetes.container.name";
const POD_NAME: &str = "io.kubernetes.pod.name";
const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
const POD_UID: &str = "io.kubernetes.pod.uid";

/// The prefix of kubelet's own labels, which a pod's author did not write.
const RESERVED: &str = "io.kubernetes.";

/// A container has at most so many labels in an entity. Kubernetes bounds their lengths, docker bounds nothing.
const MAXIMUM_LABELS: usize = 128;
const MAXIMUM_KEY_BYTES: usize = 317;
const MAXIMUM_VALUE_BYTES: usize = 4096;

/// The labels that are kept: those of bearable length, and no more than fit.
pub(super) fn bounded(
    labels: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    labels
        .into_iter()
        .filter(|(key, value)| key.len() <= MAXIMUM_KEY_BYTES && value.len() <= MAXIMUM_VALUE_BYTES)
        .take(MAXIMUM_LABELS)
        .collect()
}

/// A pod's labels as its author wrote them, from those of its sandbox.
pub(super) fn of_pod(sandbox: HashMap<String, String>) -> BTreeMap<String, String> {
    bounded(sandbox.into_iter().filter(|(key, _)| !key.starts_with(RESERVED)))
}

/// The pod that kubelet's labels name.
pub(super) fn pod(labels: &BTreeMap<String, String>) -> Option<Pod> {
    let name = labels.get(POD_NAME)?;
    Some(Pod {
        uid: labels.get(POD_UID).cloned().unwrap_or_default(),
        name: Some(name.clone()),
        namespace: labels.get(POD_NAMESPACE).cloned(),
        ..Pod::default()
    })
}

/// A container's name in its pod's spec.
pub(super) fn container_name(labels: &BTreeMap<String, String>) -> Option<String> {
    labels.get(CONTAINER_NAME).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn kubelets_labels_name_pod_and_container() {
        let labels = labels(&[
            (POD_NAME, "web-0"),
            (POD_NAMESPACE, "shop"),
            (POD_UID, "6b8a1c3e-5d7f-4a2b-9c1d-3e5f7a9b1c2d"),
            (CONTAINER_NAME, "nginx"),
        ]);
        let pod = pod(&labels).expect("a pod");
        assert_eq!(pod.name.as_deref(), Some("web-0"));
        assert_eq!(pod.namespace.as_deref(), Some("shop"));
        assert_eq!(pod.uid, "6b8a1c3e-5d7f-4a2b-9c1d-3e5f7a9b1c2d");
        assert_eq!(container_name(&labels).as_deref(), Some("nginx"));
    }

    #[test]
    fn a_container_without_kubelets_labels_has_no_pod() {
        assert_eq!(pod(&labels(&[("app", "web")])), None);
    }

    #[test]
    fn labels_without_bound_are_cut() {
        let many = (0..1000).map(|number| (format!("key{number}"), "v".repeat(number * 10)));
        let kept = bounded(many);
        assert_eq!(kept.len(), MAXIMUM_LABELS);
        assert!(bounded([("k".to_owned(), "v".repeat(5000))]).is_empty());
    }

    #[test]
    fn a_pods_own_labels_are_those_that_kubelet_did_not_add() {
        let sandbox = labels(&[(POD_NAME, "web-0"), ("app", "web")]).into_iter().collect();
        assert_eq!(of_pod(sandbox), labels(&[("app", "web")]));
    }
}
