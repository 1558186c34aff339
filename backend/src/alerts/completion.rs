use crate::store::{HeldCounts, Publisher, StoredAlert};
use event_model::{Alert, AlertSubject, Container, ContainerId, KubernetesObject, Pod, Timestamp};
use std::collections::BTreeMap;

/// An alert with all that is known of its container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompleteAlert {
    /// In order of arrival, from 1.
    pub number: i64,
    /// When it arrived here.
    pub received_at: Timestamp,
    /// Who brought it.
    pub publisher: Publisher,
    /// The alert. Its container is completed.
    pub alert: Alert,
    /// What it stands for beside itself.
    pub held: HeldCounts,
}

/// Completes an alert. What it says itself stands: it is the evidence of that moment. What it did
/// not know yet comes from the newest state of the container, then from Kubernetes.
pub fn complete(stored: StoredAlert) -> CompleteAlert {
    let StoredAlert {
        number,
        received_at,
        publisher,
        mut alert,
        held,
        container_id,
        container,
        pod,
    } = stored;
    if let AlertSubject::Act { container: known, .. } = &mut alert.subject {
        *known = complete_container(container_id, known.take(), container, pod);
    }
    CompleteAlert { number, received_at, publisher, alert, held }
}

/// Puts together what is known of a container: `first` counts more than `newest`, and both more
/// than what Kubernetes says of its `pod`. None where nothing at all is known, not even an id.
pub fn complete_container(
    id: Option<ContainerId>,
    first: Option<Container>,
    newest: Option<Container>,
    pod: Option<KubernetesObject>,
) -> Option<Container> {
    let known = match (first, newest) {
        (Some(first), Some(newest)) => Some(merge(first, newest)),
        (first, newest) => first.or(newest),
    };
    let id_alone = |id| Container { id, ..Container::default() };
    let mut container = known.or_else(|| id.map(id_alone))?;
    if let Some(object) = pod {
        add_kubernetes(&mut container, object);
    }
    Some(container)
}

fn merge(first: Container, newest: Container) -> Container {
    Container {
        id: first.id,
        runtime: first.runtime.or(newest.runtime),
        name: first.name.or(newest.name),
        image: first.image.or(newest.image),
        image_digest: first.image_digest.or(newest.image_digest),
        pod: match (first.pod, newest.pod) {
            (Some(first), Some(newest)) => Some(merge_pods(first, newest)),
            (first, newest) => first.or(newest),
        },
        labels: or(first.labels, newest.labels),
        privileged: first.privileged.or(newest.privileged),
        cgroup_path: if first.cgroup_path.is_empty() {
            newest.cgroup_path
        } else {
            first.cgroup_path
        },
        created_at: first.created_at.or(newest.created_at),
        mounts: None,
    }
}

fn merge_pods(first: Pod, newest: Pod) -> Pod {
    Pod {
        uid: if first.uid.is_empty() { newest.uid } else { first.uid },
        name: first.name.or(newest.name),
        namespace: first.namespace.or(newest.namespace),
        labels: or(first.labels, newest.labels),
        service_account: first.service_account.or(newest.service_account),
    }
}

fn or(
    first: BTreeMap<String, String>,
    newest: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    if first.is_empty() { newest } else { first }
}

fn add_kubernetes(container: &mut Container, object: KubernetesObject) {
    let own = object
        .containers
        .into_iter()
        .find(|known| known.container_id.as_deref() == Some(&*container.id.0));
    if let Some(own) = own {
        container.name.get_or_insert(own.name);
        container.image.get_or_insert(own.image);
    }
    let told = Pod {
        uid: object.uid,
        name: Some(object.name),
        namespace: object.namespace,
        labels: object.labels,
        service_account: object.service_account,
    };
    container.pod = Some(match container.pod.take() {
        Some(pod) => merge_pods(pod, told),
        None => told,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::KubernetesContainer;

    fn bare() -> Container {
        Container {
            id: "c1".into(),
            pod: Some(Pod { uid: "u1".into(), ..Pod::default() }),
            ..Container::default()
        }
    }

    #[test]
    fn late_metadata_completes_what_the_alert_did_not_know() {
        let newest = Container {
            name: Some("app".into()),
            image: Some("nginx:1.27".into()),
            pod: Some(Pod { name: Some("web".into()), ..Pod::default() }),
            ..bare()
        };
        let complete = complete_container(None, Some(bare()), Some(newest), None).unwrap();
        assert_eq!(complete.name.as_deref(), Some("app"));
        let pod = complete.pod.unwrap();
        assert_eq!((pod.uid.as_str(), pod.name.as_deref()), ("u1", Some("web")));
    }

    #[test]
    fn what_the_alert_says_itself_stands() {
        let first = Container { image: Some("nginx:1.26".into()), ..bare() };
        let newest = Container { image: Some("nginx:1.27".into()), ..bare() };
        let complete = complete_container(None, Some(first), Some(newest), None).unwrap();
        assert_eq!(complete.image.as_deref(), Some("nginx:1.26"));
    }

    #[test]
    fn kubernetes_tells_pod_name_and_image_where_the_runtime_did_not() {
        let object = KubernetesObject {
            uid: "u1".into(),
            name: "web-7d9".into(),
            namespace: Some("shop".into()),
            containers: vec![KubernetesContainer {
                name: "app".into(),
                image: "nginx:1.27".into(),
                container_id: Some("c1".into()),
                ..KubernetesContainer::default()
            }],
            ..KubernetesObject::default()
        };
        let complete = complete_container(Some("c1".into()), None, None, Some(object)).unwrap();
        assert_eq!(complete.name.as_deref(), Some("app"));
        assert_eq!(complete.image.as_deref(), Some("nginx:1.27"));
        let pod = complete.pod.unwrap();
        assert_eq!(
            (pod.name.as_deref(), pod.namespace.as_deref()),
            (Some("web-7d9"), Some("shop"))
        );
    }

    #[test]
    fn an_act_on_the_host_has_no_container() {
        assert_eq!(complete_container(None, None, None, None), None);
    }
}
