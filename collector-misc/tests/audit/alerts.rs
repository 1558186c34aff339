//! The alerts of the rules that we ship: each raised by requests that came by the webhook.

use crate::collector::{Collector, Setup};
use crate::event_list::{event, item, list};
use crate::publisher::Publisher;
use detection::{EventSource, RuleSet, SourceFile};
use rule_cases::{Case, RuleCases, read_cases};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The alerts about requests that are known by these ids.
const KNOWN_ALERTS: [&str; 20] = [
    "K8S_AdmissionController",
    "K8S_AnomalousPodDeployment",
    "K8S_AnomalousSecretAccess",
    "K8S_ClusterAdminBinding",
    "K8S_CoreDnsModification",
    "K8S_DeleteEvents",
    "K8S_ExposedDashboard",
    "K8S_ExposedKubeflow",
    "K8S_ExposedRedis",
    "K8S_ExposedService",
    "K8S_HighPrivilegesRole",
    "K8S_KubeSystemContainer",
    "K8S_MaliciousContainerImage",
    "K8S_PenTestToolsKubeHunter",
    "K8S_PrivilegedContainer",
    "K8S_SensitiveMount",
    "K8S_ServiceAccountRareOperation",
    "K8S_ServiceAcountPermissionAnomaly",
    "K8S_TI_Proxy",
    "new.suspicious-service-account-operation",
];

/// An action by which sensors are judged, as far as it is asked for here.
#[derive(Deserialize)]
struct Action {
    action: String,
    rule: Option<String>,
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn yaml_files(folder: &str) -> Vec<(String, String)> {
    let mut paths: Vec<_> = fs::read_dir(repository().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    let file = |path: PathBuf| (path.display().to_string(), fs::read_to_string(path).unwrap());
    paths.into_iter().map(file).collect()
}

fn our_rules() -> RuleSet {
    let files = yaml_files("rules");
    let files: Vec<_> = files.iter().map(|(name, text)| SourceFile { name, text }).collect();
    RuleSet::load(&files).unwrap().of_source(EventSource::KubernetesAudit)
}

/// The cases of rules about requests.
pub fn our_cases() -> Vec<RuleCases> {
    let files = yaml_files("rules/tests");
    let cases = files.iter().flat_map(|(name, text)| read_cases(name, text).unwrap());
    cases.filter(|cases| cases.alerts.iter().any(|case| case.audit.is_some())).collect()
}

/// The requests of a case, the last of them its own, as an API server sends them. Its id is that of the last.
fn requests(case: &Case, id: &str) -> Vec<Value> {
    let mut seconds = 0;
    let acts: Vec<&Case> = case.before.iter().chain([case]).collect();
    let last = acts.len() - 1;
    let request = |(place, act): (usize, &&Case)| {
        seconds += act.waits;
        let mut event = act.audit.as_ref().unwrap().event(seconds);
        event.audit_id = if place == last { id.to_owned() } else { format!("{id} before {place}") };
        item(&event)
    };
    acts.iter().enumerate().map(request).collect()
}

/// By the id of the request: the rules whose alerts came.
async fn raised(publisher: &Publisher, last: &str) -> BTreeMap<String, BTreeSet<String>> {
    publisher.expect_event(last).await;
    let mut raised = BTreeMap::<_, BTreeSet<_>>::new();
    for alert in publisher.alerts() {
        let id = alert.audit().expect("an alert about a request").audit_id.clone();
        raised.entry(id).or_default().insert(alert.rule.clone());
    }
    raised
}

/// Sends all cases that are asked by themselves to one collector, and each of the others to one of its own.
async fn alerts_of_all_cases(cases: &[RuleCases]) -> BTreeMap<String, BTreeSet<String>> {
    let publisher = Publisher::start();
    let collector = Collector::start(Setup::with_our_rules(), &publisher).await;
    for cases in cases.iter().filter(|cases| !cases.in_order) {
        let items: Vec<_> =
            ids(cases).into_iter().flat_map(|(id, case, _)| requests(case, &id)).collect();
        let answer = collector.api_server().post(&list(&items)).await.unwrap();
        assert_eq!(answer.status, 200, "{}: {answer}", cases.rule);
    }
    collector.api_server().post(&list(&[event("the last")])).await.unwrap();
    let mut all = raised(&publisher, "the last").await;
    for (id, case, _) in cases.iter().filter(|cases| cases.in_order).flat_map(ids) {
        let publisher = Publisher::start();
        let collector = Collector::start(Setup::with_our_rules(), &publisher).await;
        collector.api_server().post(&list(&requests(case, &id))).await.unwrap();
        all.extend(raised(&publisher, &id).await);
    }
    all
}

/// Each case with an id, and whether the rule's alert must come.
pub fn ids(cases: &RuleCases) -> Vec<(String, &Case, bool)> {
    let id = |kind: &str, case: &Case| format!("{} / {kind} / {}", cases.rule, case.what);
    let alerts = cases.alerts.iter().map(|case| (id("alerts", case), case, true));
    alerts.chain(cases.silent.iter().map(|case| (id("silent", case), case, false))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_requests_raises_its_alerts_and_no_others() {
    let (rules, cases) = (our_rules(), our_cases());
    let raised = alerts_of_all_cases(&cases).await;
    let mut proven = BTreeSet::new();
    for cases in &cases {
        for (id, _, is_alert) in ids(cases) {
            let came = raised.get(&id).is_some_and(|rules| rules.contains(&cases.rule));
            assert_eq!(came, is_alert, "{id}: {:?}", raised.get(&id));
        }
        proven.insert(cases.rule.as_str());
    }
    let unproven: Vec<_> =
        rules.rules().iter().filter(|rule| !proven.contains(rule.name())).collect();
    assert!(unproven.is_empty(), "rules without a case: {unproven:?}");

    let tags: BTreeSet<_> = rules.rules().iter().flat_map(detection::Rule::tags).collect();
    for id in KNOWN_ALERTS {
        assert!(tags.contains(&id.to_owned()), "no rule raises {id}");
    }
    let actions = fs::read_to_string(repository().join("rules/tests/acts/actions.yaml")).unwrap();
    let actions: Vec<Action> = serde_saphyr::from_str(&actions).unwrap();
    for action in actions {
        let Some(rule) = action.rule else { continue };
        assert!(proven.contains(&*rule), "{}: {rule} was not raised", action.action);
    }
    println!("{} rules, {} requests with alerts", proven.len(), raised.len());
}

/// The audit log of a real API server, a line an event: `DEFENDER_AUDIT_LOG` names it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants DEFENDER_AUDIT_LOG: the audit log of a real API server"]
async fn every_event_of_a_real_server_is_taken() {
    let path = std::env::var("DEFENDER_AUDIT_LOG").expect("DEFENDER_AUDIT_LOG names an audit log");
    let text = fs::read_to_string(path).unwrap();
    // In a list the server leaves out what the list says.
    let item = |line: &str| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        event.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
        event
    };
    let items: Vec<_> = text.lines().map(item).collect();
    let publisher = Publisher::start();
    let collector = Collector::start(Setup::with_our_rules(), &publisher).await;
    for batch in items.chunks(400) {
        let answer = collector.api_server().post(&list(batch)).await.unwrap();
        assert_eq!(answer.status, 200, "{answer}");
    }
    collector.api_server().post(&list(&[event("the last")])).await.unwrap();
    let raised = raised(&publisher, "the last").await;
    assert_eq!(publisher.events().len(), items.len() + 1);
    assert_eq!(publisher.losses(), []);
    println!("{} events, {} raised alerts", items.len(), raised.len());
}
