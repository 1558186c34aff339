//! Who sees each object of the cluster beside the inventory.

use crate::assess::{Input, Message};
use crate::cluster::Cluster;
use crate::watch::{DefinedKinds, Definition, Kind, Observer};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The namespace that every cluster has from its beginning.
const OLDEST_NAMESPACE: &str = "kube-system";

/// Shows objects to those who conclude from them.
pub(crate) struct Observers {
    pub(crate) defined: Arc<DefinedKinds>,
    cluster: Mutex<Cluster>,
    assessor: Input,
    /// The kinds, of those known beforehand, that the assessor wants.
    assessed: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    metadata: Name<'a>,
}

#[derive(Deserialize)]
struct Name<'a> {
    name: &'a str,
    uid: &'a str,
}

impl Observers {
    /// `assessed` are the kinds that the assessor wants, as people write them.
    pub(crate) fn new(assessor: Input, assessed: BTreeSet<String>) -> Self {
        let (defined, cluster) = (Arc::default(), Mutex::default());
        Self { defined, cluster, assessor, assessed }
    }

    /// What is known of the cluster. To be held for moments only.
    pub(crate) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kinds that definitions make are watched for the assessor alone.
    fn is_assessed(&self, kind: &Kind) -> bool {
        kind.is_defined() || self.assessed.contains(&kind.to_string())
    }
}

impl Observer for Observers {
    fn has_room(&self) -> bool {
        self.assessor.has_room()
    }

    fn applied(&self, kind: &Kind, object: &str) {
        match (&*kind.group, &*kind.kind) {
            ("", "Node") => self.cluster().nodes().put(object),
            ("", "Namespace") => {
                if let Ok(Named { metadata }) = serde_json::from_str(object)
                    && metadata.name == OLDEST_NAMESPACE
                {
                    self.cluster().identify(metadata.uid);
                }
            }
            _ => {}
        }
        if self.is_assessed(kind) {
            let (api_version, kind) = (kind.api_version(), kind.kind.to_string());
            // Nearly all pods are such, and their uids a hundredth of them.
            let passed_by = assessment::passed_by(&api_version, &kind, object.as_bytes());
            self.assessor.send(match passed_by.map(str::to_owned) {
                Some(uid) => Message::Removed { api_version, kind, uid },
                None => Message::Applied { api_version, kind, object: object.into() },
            });
        }
    }

    fn removed(&self, kind: &Kind, uid: &str) {
        match (&*kind.group, &*kind.kind) {
            ("", "Node") => self.cluster().nodes().remove(uid),
            ("apiextensions.k8s.io", "CustomResourceDefinition") => self.defined.remove(uid),
            _ => {}
        }
        if self.is_assessed(kind) {
            let (api_version, uid) = (kind.api_version(), uid.to_owned());
            self.assessor.send(Message::Removed { api_version, kind: kind.kind.to_string(), uid });
        }
    }

    fn defined(&self, uid: &str, definition: &Definition) {
        self.defined.put(uid, definition);
    }
}

#[cfg(test)]
mod tests {
    use super::{Observer, Observers};
    use crate::assess::{Message, input};
    use crate::watch::KINDS;
    use std::time::Duration;

    #[test]
    fn of_pods_that_a_workload_controls_the_assessor_is_told_no_more_than_the_uid() {
        let (input, messages) = input();
        let observers = Observers::new(input, KINDS.iter().map(ToString::to_string).collect());
        let pods = KINDS.iter().find(|kind| kind.kind == "Pod").unwrap();
        let bare = r#"{"metadata":{"name":"a","uid":"u"},"spec":{}}"#;
        let owners = r#""ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"r","uid":"v","controller":true}]"#;
        observers.applied(pods, bare);
        observers.applied(pods, &bare.replace(r#""u"}"#, &format!(r#""u",{owners}}}"#)));
        let next = || messages.next(Duration::ZERO).unwrap();
        let (api_version, kind) = ("v1".to_owned(), "Pod".to_owned());
        let object = bare.into();
        assert_eq!(next(), Message::Applied { api_version, kind, object });
        let (api_version, kind, uid) = ("v1".to_owned(), "Pod".to_owned(), "u".to_owned());
        assert_eq!(next(), Message::Removed { api_version, kind, uid });
    }
}
