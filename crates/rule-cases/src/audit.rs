//! Cases about requests to the API server of Kubernetes.

use detection::{AuditAct, Engine, Tally};
use event_model::{AuditEvent, AuditObject, AuditUser, Host};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A request. Unless it says otherwise, it was allowed, and its response is complete.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseAudit {
    user: String,
    #[serde(default)]
    groups: Vec<String>,
    /// As whom the user acts.
    #[serde(default)]
    acts_as: Option<String>,
    verb: String,
    /// The resource, or `resource/subresource`. Empty for requests of no resource.
    #[serde(default)]
    object: String,
    #[serde(default)]
    api_group: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    uri: String,
    #[serde(default)]
    agent: String,
    #[serde(default)]
    from: Vec<String>,
    /// What the request asks for, as it would stand in a manifest.
    #[serde(default)]
    body: Option<serde_json::Value>,
    /// Its object was too large to be kept.
    #[serde(default)]
    too_large: bool,
    #[serde(default = "complete")]
    stage: String,
    #[serde(default = "ok")]
    code: u32,
}

fn complete() -> String {
    "ResponseComplete".to_owned()
}

const fn ok() -> u32 {
    200
}

impl CaseAudit {
    /// The names of the rules that the request matches.
    pub fn matches(&self, engine: &Engine) -> BTreeSet<String> {
        let (event, host) = (self.event(0), Host::default());
        let act = AuditAct { event: &event, host: &host };
        engine.evaluate_audit(&act).map(|matched| matched.rule().name().to_owned()).collect()
    }

    /// The names of the rules of which the request makes an alert, so many seconds later.
    pub fn alerts(&self, engine: &Engine, tally: &mut Tally, seconds: u64) -> BTreeSet<String> {
        let (event, host) = (self.event(seconds), Host::default());
        let act = AuditAct { event: &event, host: &host };
        let matches = engine.detect_audit(&act, tally);
        matches.iter().map(|matched| matched.rule().name().to_owned()).collect()
    }

    /// The request, as the server would have noted it so many seconds after others.
    pub fn event(&self, seconds: u64) -> AuditEvent {
        let named = |name: &str| AuditUser { name: name.to_owned(), ..AuditUser::default() };
        let decision = if matches!(self.code, 401 | 403) { "forbid" } else { "allow" };
        let decision = ("authorization.k8s.io/decision".to_owned(), decision.to_owned());
        AuditEvent {
            audit_id: "case".to_owned(),
            stage: self.stage.clone(),
            level: "RequestResponse".to_owned(),
            verb: self.verb.clone(),
            request_uri: self.uri.clone(),
            user: AuditUser { groups: self.groups.clone(), ..named(&self.user) },
            impersonated_user: self.acts_as.as_deref().map(named),
            source_ips: self.from.clone(),
            user_agent: self.agent.clone(),
            object: (!self.object.is_empty()).then(|| self.object()),
            response_code: (self.stage != "RequestReceived").then_some(self.code),
            request_object: self.body.as_ref().map(ToString::to_string),
            request_object_dropped: self.too_large,
            stage_at: crate::case::time_after(seconds),
            annotations: BTreeMap::from([decision]),
            ..AuditEvent::default()
        }
    }

    fn object(&self) -> AuditObject {
        let (resource, subresource) = self
            .object
            .split_once('/')
            .map_or((&*self.object, None), |(resource, part)| (resource, Some(part.to_owned())));
        AuditObject {
            resource: resource.to_owned(),
            subresource,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            api_group: self.api_group.clone(),
            ..AuditObject::default()
        }
    }
}
