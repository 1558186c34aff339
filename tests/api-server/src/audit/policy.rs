use crate::authentication::User;
use crate::request::{Asked, RequestInfo};
use anyhow::Context;
use serde::{Deserialize, Serialize};

/// How much is told of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AuditLevel {
    /// Nothing.
    None,
    /// Who did what, when, with what result.
    Metadata,
    /// Also the body of the request.
    Request,
    /// Also that of the response.
    RequestResponse,
}

/// A `Policy` of audit.k8s.io/v1: the first rule that fits a request decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuditPolicy {
    /// `RequestReceived`, `ResponseStarted`…
    pub omit_stages: Vec<String>,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    level: AuditLevel,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    user_groups: Vec<String>,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    resources: Vec<GroupResources>,
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(default, rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GroupResources {
    group: String,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

impl AuditPolicy {
    /// All requests at one level.
    pub fn all(level: AuditLevel) -> Self {
        let rule = Rule {
            level,
            users: Vec::new(),
            user_groups: Vec::new(),
            verbs: Vec::new(),
            resources: Vec::new(),
            namespaces: Vec::new(),
            non_resource_urls: Vec::new(),
        };
        Self { omit_stages: Vec::new(), rules: vec![rule] }
    }

    /// Reads a policy as `--audit-policy-file` names it.
    pub fn from_yaml(yaml: &str) -> anyhow::Result<Self> {
        serde_saphyr::from_str(yaml).context("not an audit policy")
    }

    pub(super) fn level(&self, info: &RequestInfo, user: Option<&User>) -> AuditLevel {
        let rule = self.rules.iter().find(|rule| rule.fits(info, user));
        rule.map_or(AuditLevel::None, |rule| rule.level)
    }
}

impl Rule {
    fn fits(&self, info: &RequestInfo, user: Option<&User>) -> bool {
        let user = user.cloned().unwrap_or_default();
        let is_any = |wanted: &[String], is: &str| {
            wanted.is_empty() || wanted.iter().any(|one| one == is || one == "*")
        };
        let is_in_group = self.user_groups.is_empty()
            || user.groups.iter().any(|group| self.user_groups.contains(group));
        let fits =
            is_any(&self.users, &user.name) && is_in_group && is_any(&self.verbs, &info.verb);
        fits && match &info.resource {
            Some(asked) => self.fits_resource(asked),
            None => self.fits_path(&info.path),
        }
    }

    fn fits_resource(&self, asked: &Asked) -> bool {
        let namespace = asked.namespace.clone().unwrap_or_default();
        if !self.namespaces.is_empty() && !self.namespaces.contains(&namespace) {
            return false;
        }
        if self.resources.is_empty() {
            return self.non_resource_urls.is_empty();
        }
        self.resources.iter().any(|resources| resources.fit(asked))
    }

    fn fits_path(&self, path: &str) -> bool {
        if self.non_resource_urls.is_empty() {
            return self.resources.is_empty() && self.namespaces.is_empty();
        }
        self.non_resource_urls.iter().any(|url| match url.strip_suffix('*') {
            Some(begin) => path.starts_with(begin),
            None => url == path,
        })
    }
}

impl GroupResources {
    fn fit(&self, asked: &Asked) -> bool {
        if self.group != asked.group {
            return false;
        }
        let subresource = asked.subresource.as_deref();
        let full =
            subresource.map_or(asked.plural.clone(), |below| format!("{}/{below}", asked.plural));
        let has_resource = self.resources.is_empty()
            || self.resources.iter().any(|resource| match resource.split_once('/') {
                Some(("*", below)) => Some(below) == subresource,
                Some((plural, "*")) => plural == asked.plural && subresource.is_some(),
                _ => *resource == full || resource == "*",
            });
        let name = asked.name.clone().unwrap_or_default();
        has_resource && (self.resource_names.is_empty() || self.resource_names.contains(&name))
    }
}
