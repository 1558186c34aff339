//! A cluster of manifests.

use assessment::{Assessment, AssessmentSettings};
use event_model::{Finding, InventoryItem};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What an assessment was told, and what it told.
pub struct Cluster {
    pub assessment: Assessment,
    told: BTreeMap<Uuid, Finding>,
    now: Instant,
}

pub fn id(finding: &Finding) -> Uuid {
    InventoryItem::Finding(Box::new(finding.clone())).id()
}

/// All findings of an assessment, as a snapshot tells them.
pub fn all(assessment: &Assessment) -> Vec<Finding> {
    let mut all = vec![];
    assessment.tell_all(&mut |finding| all.push(finding));
    all
}

impl Cluster {
    pub fn new(settings: &AssessmentSettings) -> Self {
        let assessment = Assessment::new(settings, None).unwrap();
        Self { assessment, told: BTreeMap::new(), now: Instant::now() }
    }

    /// Objects in YAML, several by `---`. Those without a uid have their kind and names for one.
    pub fn of(manifests: &str) -> Self {
        let mut cluster = Self::new(&AssessmentSettings::default());
        cluster.apply_yaml(manifests);
        cluster
    }

    pub fn apply_yaml(&mut self, manifests: &str) {
        for manifest in manifests.split("---\n").filter(|text| !text.trim().is_empty()) {
            let object: Value = serde_saphyr::from_str(manifest).unwrap();
            self.apply(&object);
        }
    }

    pub fn apply(&mut self, object: &Value) {
        let mut object = object.clone();
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(uid(&object));
        }
        let text = |field: &str| object[field].as_str().unwrap().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        assert!(self.assessment.wants(&api_version, &kind), "{api_version} {kind} is not wanted");
        // Items of lists do not say what they are.
        let bare = object.as_object_mut().unwrap();
        bare.remove("apiVersion");
        bare.remove("kind");
        self.assessment.apply(&api_version, &kind, object.to_string().as_bytes());
    }

    pub fn remove(&mut self, object: &Value) {
        let uid = object["metadata"]["uid"].as_str().map_or_else(|| uid(object), str::to_owned);
        let text = |field: &str| object[field].as_str().unwrap();
        self.assessment.remove(text("apiVersion"), text("kind"), &uid);
    }

    /// All that was told by changes, until there are no more; it must be what a snapshot tells.
    pub fn settled(&mut self) -> Vec<Finding> {
        loop {
            self.now += Duration::from_hours(1);
            let changes = self.assessment.settle(self.now);
            for finding in changes.changed {
                let id = id(&finding);
                assert!(!changes.removed.contains(&id), "gone and changed at once: {finding:?}");
                self.told.insert(id, finding);
            }
            for gone in changes.removed {
                assert!(self.told.remove(&gone).is_some(), "{gone} is gone, and was never told");
            }
            if !changes.more {
                break;
            }
        }
        let all = all(&self.assessment).into_iter();
        let all: BTreeMap<_, _> = all.map(|finding| (id(&finding), finding)).collect();
        for (id, finding) in &all {
            assert_eq!(self.told.get(id), Some(finding), "changes tell other than the snapshot");
        }
        assert_eq!(self.told.len(), all.len(), "{:#?}", self.told);
        all.into_values().collect()
    }

    /// The findings of one policy, as `KIND NAMESPACE/NAME [PART]`, sorted.
    pub fn found(&mut self, policy: &str) -> Vec<String> {
        let findings = self.settled();
        let mut found: Vec<_> =
            findings.iter().filter(|one| one.policy == policy).map(named).collect();
        found.sort();
        found
    }

    /// The only finding of a policy.
    pub fn only(&mut self, policy: &str) -> Finding {
        let findings = self.settled();
        let mut of_policy = findings.iter().filter(|one| one.policy == policy);
        match (of_policy.next(), of_policy.next()) {
            (Some(one), None) => one.clone(),
            (None, _) => {
                let all: Vec<_> =
                    findings.iter().map(|one| format!("{}: {}", one.policy, named(one))).collect();
                panic!("nothing by {policy}; there are {all:#?}")
            }
            (Some(one), Some(other)) => panic!("two by {policy}: {one:#?} {other:#?}"),
        }
    }
}

fn named(finding: &Finding) -> String {
    let object = &finding.object;
    let place = match &object.namespace {
        Some(namespace) => format!("{} {namespace}/{}", object.kind, object.name),
        None => format!("{} {}", object.kind, object.name),
    };
    if finding.part.is_empty() { place } else { format!("{place} [{}]", finding.part) }
}

fn uid(object: &Value) -> String {
    let (kind, metadata) = (&object["kind"], &object["metadata"]);
    let name = format!("{kind}/{}/{}", metadata["namespace"], metadata["name"]);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}
