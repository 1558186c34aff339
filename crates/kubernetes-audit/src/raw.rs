//! The event as the API server writes it (k8s.io/apiserver/pkg/apis/audit/v1). Fields that are not read are not listed.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

/// Text that is borrowed from the line where it holds no escapes, also within lists and options.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event<'a> {
    #[serde(borrow, default)]
    pub kind: Text<'a>,
    #[serde(default)]
    pub api_version: Text<'a>,
    #[serde(default)]
    pub level: Text<'a>,
    #[serde(rename = "auditID")]
    pub audit_id: Text<'a>,
    pub stage: Text<'a>,
    #[serde(rename = "requestURI", default)]
    pub request_uri: Text<'a>,
    pub verb: Text<'a>,
    #[serde(default)]
    pub user: User<'a>,
    pub impersonated_user: Option<User<'a>>,
    #[serde(rename = "sourceIPs", default, deserialize_with = "nullable")]
    pub source_ips: Vec<Text<'a>>,
    #[serde(default)]
    pub user_agent: Text<'a>,
    pub object_ref: Option<ObjectReference<'a>>,
    pub response_status: Option<ResponseStatus<'a>>,
    pub request_object: Option<&'a RawValue>,
    pub response_object: Option<Named<'a>>,
    pub request_received_timestamp: Text<'a>,
    pub stage_timestamp: Text<'a>,
    #[serde(default, deserialize_with = "nullable")]
    pub annotations: BTreeMap<Text<'a>, Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User<'a> {
    #[serde(borrow, default)]
    pub username: Text<'a>,
    #[serde(default)]
    pub uid: Text<'a>,
    #[serde(default, deserialize_with = "nullable")]
    pub groups: Vec<Text<'a>>,
    #[serde(default, deserialize_with = "nullable")]
    pub extra: BTreeMap<Text<'a>, Vec<Text<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference<'a> {
    #[serde(borrow, default)]
    pub resource: Text<'a>,
    pub subresource: Option<Text<'a>>,
    pub namespace: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    pub uid: Option<Text<'a>>,
    pub api_group: Option<Text<'a>>,
    pub api_version: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResponseStatus<'a> {
    pub code: Option<u32>,
    #[serde(borrow)]
    pub reason: Option<Text<'a>>,
    pub message: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct Named<'a> {
    #[serde(borrow)]
    pub metadata: Option<Metadata<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct Metadata<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}

/// Go writes empty lists and maps as null.
fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
