//! The cases beside the policies.

use crate::files;
use posture::{ParameterValue, Related, ServiceIndex, Subject};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The cases of one policy.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyCases {
    pub policy: String,
    pub fails: Vec<Case>,
    pub passes: Vec<Case>,
}

/// An object, or what a pod is made of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// In words.
    pub what: String,
    /// The names of the offenders, in order.
    #[serde(default)]
    pub finds: Vec<String>,
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterValue>,
    /// The pod's annotations.
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// A pod's spec: the case holds for each kind that has pods.
    #[serde(default)]
    pod: Option<Value>,
    /// A whole manifest.
    #[serde(default)]
    object: Option<Value>,
    /// Other Services of the cluster.
    #[serde(default)]
    services: Option<Vec<CaseService>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseService {
    name: String,
    namespace: String,
    selector: BTreeMap<String, String>,
}

impl Case {
    /// The object, or the pod in each kind.
    pub fn objects(&self) -> Vec<Value> {
        match (&self.object, &self.pod) {
            (Some(object), None) => vec![object.clone()],
            (None, Some(spec)) => {
                Subject::Pods.kinds().map(|kind| self.workload(kind, spec)).collect()
            }
            _ => panic!("`{}` needs either a pod or an object", self.what),
        }
    }

    fn workload(&self, kind: &str, spec: &Value) -> Value {
        let labels = json!({"app": "web"});
        let mut metadata = json!({"labels": labels});
        if !self.annotations.is_empty() {
            metadata["annotations"] = json!(self.annotations);
        }
        let template = json!({"metadata": metadata, "spec": spec});
        let (version, spec) = match kind {
            "Pod" => ("v1", spec.clone()),
            "ReplicationController" => {
                ("v1", json!({"replicas": 1, "selector": labels, "template": template}))
            }
            "Job" => ("batch/v1", json!({"template": template})),
            "CronJob" => {
                let job = json!({"spec": {"template": template}});
                ("batch/v1", json!({"schedule": "0 3 * * *", "jobTemplate": job}))
            }
            _ => ("apps/v1", json!({"selector": {"matchLabels": labels}, "template": template})),
        };
        let mut own = if kind == "Pod" { metadata } else { json!({}) };
        own["name"] = json!("web");
        own["namespace"] = json!("shop");
        json!({"apiVersion": version, "kind": kind, "metadata": own, "spec": spec})
    }

    /// What stands beside the object, where the case says so.
    pub fn related(&self, object: &Value) -> Related {
        let services_with_same_selector = self.services.as_ref().map(|services| {
            let mut index = ServiceIndex::default();
            index.apply(object);
            for service in services {
                let metadata = json!({"name": service.name, "namespace": service.namespace});
                index.apply(&json!({"metadata": metadata, "spec": {"selector": service.selector}}));
            }
            index.same_selector(object)
        });
        Related { services_with_same_selector }
    }
}

/// All of them.
pub fn all() -> Vec<PolicyCases> {
    let read = |(name, text): (String, String)| -> Vec<PolicyCases> {
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    files("policies/tests").into_iter().flat_map(read).collect()
}
