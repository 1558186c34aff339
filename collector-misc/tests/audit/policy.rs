//! The reference audit policy notes what the rules look at: as much as they need, of each request of their cases.

use crate::alerts::{ids, our_cases, repository};
use event_model::AuditEvent;
use serde::Deserialize;

/// A policy of `audit.k8s.io/v1`, as far as ours goes. Other keys are errors, so that none is passed over here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Policy {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    omit_stages: Vec<String>,
    #[serde(rename = "omitManagedFields")]
    _omit_managed_fields: bool,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    level: Level,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    user_groups: Vec<String>,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    resources: Vec<Resources>,
    #[serde(rename = "nonResourceURLs", default)]
    paths: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resources {
    group: String,
    resources: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    None,
    Metadata,
    Request,
}

impl Rule {
    /// As `k8s.io/apiserver/pkg/audit/policy` does it.
    fn is_about(&self, event: &AuditEvent) -> bool {
        let any = |asked: &[String], is: &dyn Fn(&String) -> bool| {
            asked.is_empty() || asked.iter().any(is)
        };
        any(&self.users, &|user| *user == event.user.name)
            && any(&self.user_groups, &|group| event.user.groups.contains(group))
            && any(&self.verbs, &|verb| *verb == event.verb)
            && self.is_about_target(event)
    }

    fn is_about_target(&self, event: &AuditEvent) -> bool {
        if self.resources.is_empty() && self.paths.is_empty() {
            return true;
        }
        let Some(object) = &event.object else {
            let path = event.request_uri.split('?').next().unwrap_or_default();
            return self.paths.iter().any(|asked| match asked.strip_suffix('*') {
                Some(begin) => path.starts_with(begin),
                None => path == asked,
            });
        };
        let name = match &object.subresource {
            Some(part) => format!("{}/{part}", object.resource),
            None => object.resource.clone(),
        };
        let group = object.api_group.as_deref().unwrap_or(group_of(&object.resource));
        let is_named = |asked: &String| *asked == name || asked == "*";
        self.resources.iter().any(|it| it.group == group && it.resources.iter().any(is_named))
    }
}

/// The API group of a resource, where a case leaves it out.
fn group_of(resource: &str) -> &'static str {
    match resource {
        "deployments" | "daemonsets" | "statefulsets" | "replicasets" => "apps",
        "jobs" | "cronjobs" => "batch",
        "ingresses" => "networking.k8s.io",
        _ => "",
    }
}

#[test]
fn the_reference_policy_notes_what_the_rules_look_at() {
    let file = repository().join("charts/defender/files/audit/policy.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let policy: Policy = serde_saphyr::from_str(&text).unwrap();
    let (mut looked_at, mut missed) = (0, vec![]);
    for cases in our_cases() {
        for (id, case, is_alert) in ids(&cases) {
            let event = case.audit.as_ref().unwrap().event(0);
            if !is_alert {
                continue;
            }
            assert!(!policy.omit_stages.contains(&event.stage), "{id}: {}", event.stage);
            let rule = policy.rules.iter().find(|rule| rule.is_about(&event));
            let level = rule.map_or(Level::None, |rule| rule.level);
            let needed =
                if event.request_object.is_some() { Level::Request } else { Level::Metadata };
            if level < needed {
                missed.push(format!(
                    "{id}: {level:?}, and {needed:?} is needed: {} {:?}",
                    event.verb, event.object
                ));
            }
            looked_at += 1;
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(looked_at > 100, "{looked_at} cases");
}
