//! Fields of requests to the API server of Kubernetes: `ka.*` and `jevt.*`.

mod document;
mod object;
mod query;

pub(crate) use object::{ObjectPath, Shown};

use super::access::{EventField, Value};
use crate::AuditAct;
use event_model::{AuditEvent, AuditObject};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::cell::OnceCell;

/// A field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AuditField {
    Id,
    Stage,
    Level,
    Verb,
    Uri,
    /// Of the query; a key may stand there more than once.
    UriParameter,
    UserName,
    UserUid,
    UserGroups,
    ImpersonatedUser,
    /// As they are written.
    SourceTexts,
    /// As addresses, which networks hold.
    SourceAddresses,
    UserAgent,
    Annotation(&'static str),
    ResponseCode,
    ResponseReason,
    ResponseName,
    Target(TargetField),
    /// The object of the request was too large to be kept.
    ObjectDropped,
    /// A part of the request's object.
    Object(ObjectPath),
    /// A part of the event by a JSON pointer.
    Pointed,
    /// The event as JSON.
    Document,
    RawTime,
    Time,
}

/// A part of what the request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TargetField {
    Name,
    Namespace,
    Resource,
    Subresource,
    ApiGroup,
    /// The name, where it is a pod's.
    Pod,
}

/// What stands in brackets behind a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum AuditPart {
    #[default]
    Whole,
    /// Which of a list.
    Place(usize),
    Key(Box<str>),
}

impl AuditPart {
    fn key(&self) -> &str {
        match self {
            Self::Key(key) => key,
            _ => "",
        }
    }

    const fn place(&self) -> Option<usize> {
        match self {
            Self::Place(place) => Some(*place),
            _ => None,
        }
    }
}

impl AuditField {
    /// Has any number of values.
    pub const fn is_list(&self, part: &AuditPart) -> bool {
        match self {
            Self::UserGroups | Self::SourceTexts | Self::SourceAddresses => {
                !matches!(part, AuditPart::Place(_))
            }
            Self::UriParameter => true,
            Self::Object(path) => path.has_many(part.place().is_some()),
            _ => false,
        }
    }
}

/// A request, with what is derived from it at most once.
pub(crate) struct AuditFacts<'a> {
    pub act: &'a AuditAct<'a>,
    /// None where there is no object, or none that can be read.
    object: OnceCell<Option<Json>>,
    document: OnceCell<Json>,
}

impl<'a> AuditFacts<'a> {
    pub const fn new(act: &'a AuditAct<'a>) -> Self {
        Self { act, object: OnceCell::new(), document: OnceCell::new() }
    }

    /// The value; of a list all of them, as they are printed.
    pub fn value(&self, field: &AuditField, part: &AuditPart) -> Option<Value<'_>> {
        if field.is_list(part) {
            let values = self.values(field, part);
            let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
            return (!texts.is_empty()).then(|| Value::owned(format!("({})", texts.join(","))));
        }
        self.only(field, part)
    }

    /// The values of a list, in their order.
    pub fn values(&self, field: &AuditField, part: &AuditPart) -> Vec<Value<'_>> {
        let texts = |texts: &'a [String]| texts.iter().map(|text| Value::borrowed(text)).collect();
        match field {
            AuditField::UserGroups => texts(&self.act.event.user.groups),
            AuditField::SourceTexts => texts(&self.act.event.source_ips),
            AuditField::SourceAddresses => {
                self.act.event.source_ips.iter().filter_map(|text| address(text)).collect()
            }
            AuditField::UriParameter => {
                query::parameters(&self.act.event.request_uri, part.key()).map(text).collect()
            }
            AuditField::Object(path) => {
                self.object().map(|object| path.values(object, part.place())).unwrap_or_default()
            }
            _ => self.only(field, part).into_iter().collect(),
        }
    }

    /// Of the fields that events of any source have.
    pub fn event_value(&self, field: EventField) -> Option<Value<'_>> {
        Some(match field {
            EventField::Time => Value::owned(self.act.event.stage_at.to_string()),
            EventField::RawTime => Value::time(self.act.event.stage_at),
            EventField::Hostname => Value::borrowed(&self.act.host.hostname),
            EventField::Number => Value::Number(1),
            _ => return None,
        })
    }

    fn only(&self, field: &AuditField, part: &AuditPart) -> Option<Value<'_>> {
        let event = self.act.event;
        let listed = |texts: &'a [String]| Some(Value::borrowed(texts.get(part.place()?)?));
        Some(match field {
            AuditField::Id => Value::borrowed(&event.audit_id),
            AuditField::Stage => Value::borrowed(&event.stage),
            AuditField::Level => Value::borrowed(&event.level),
            AuditField::Verb => Value::borrowed(&event.verb),
            AuditField::Uri => Value::borrowed(&event.request_uri),
            AuditField::UserName => Value::borrowed(present(&event.user.name)?),
            AuditField::UserUid => Value::borrowed(present(&event.user.uid)?),
            AuditField::UserGroups => return listed(&event.user.groups),
            AuditField::SourceTexts => return listed(&event.source_ips),
            AuditField::SourceAddresses => address(event.source_ips.get(part.place()?)?)?,
            AuditField::ImpersonatedUser => {
                Value::borrowed(&event.impersonated_user.as_ref()?.name)
            }
            AuditField::UserAgent => Value::borrowed(present(&event.user_agent)?),
            AuditField::Annotation(name) => Value::borrowed(event.annotations.get(*name)?),
            AuditField::ResponseCode => Value::owned(event.response_code?.to_string()),
            AuditField::ResponseReason => Value::borrowed(event.response_reason.as_deref()?),
            AuditField::ResponseName => Value::borrowed(event.response_name.as_deref()?),
            AuditField::Target(field) => Value::borrowed(target(event.object.as_ref()?, *field)?),
            AuditField::ObjectDropped => Value::Boolean(event.request_object_dropped),
            AuditField::Object(path) => {
                return path.values(self.object()?, part.place()).into_iter().next();
            }
            AuditField::Pointed => return self.pointed(part.key()),
            AuditField::Document => Value::owned(document::written(self.document(), event)),
            AuditField::RawTime => Value::time(event.stage_at),
            AuditField::Time => Value::owned(event.stage_at.to_string()),
            AuditField::UriParameter => return None,
        })
    }

    /// What a pointer points at. What rules point at most is not looked for in a document.
    fn pointed(&self, pointer: &str) -> Option<Value<'_>> {
        let event = self.act.event;
        match pointer {
            "/stage" => return Some(Value::borrowed(&event.stage)),
            "/verb" => return Some(Value::borrowed(&event.verb)),
            _ => {}
        }
        let within = pointer.strip_prefix("/requestObject");
        let found = match within.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            Some(rest) => self.object()?.pointer(rest)?,
            None => self.document().pointer(pointer)?,
        };
        object::shown(found)
    }

    fn object(&self) -> Option<&Json> {
        let object = || parsed(self.act.event);
        self.object.get_or_init(object).as_ref()
    }

    fn document(&self) -> &Json {
        self.document.get_or_init(|| document::of(self.act.event))
    }
}

/// All that is kept of a request, as the API server writes it.
pub(crate) fn whole_request(event: &AuditEvent) -> String {
    document::written(&document::of(event), event)
}

/// The request's object. It holds 64 KiB at most, and is refused where it is nested deeper than 127 levels.
fn parsed(event: &AuditEvent) -> Option<Json> {
    serde_json::from_str(event.request_object.as_deref()?).ok()
}

fn target(object: &AuditObject, field: TargetField) -> Option<&str> {
    match field {
        TargetField::Name => object.name.as_deref(),
        TargetField::Namespace => object.namespace.as_deref(),
        TargetField::Resource => present(&object.resource),
        TargetField::Subresource => object.subresource.as_deref(),
        TargetField::ApiGroup => object.api_group.as_deref(),
        TargetField::Pod => object.name.as_deref().filter(|_| object.resource == "pods"),
    }
}

fn text(text: Cow<'_, str>) -> Value<'_> {
    Value::Text(text)
}

fn address(text: &str) -> Option<Value<'static>> {
    text.parse().ok().map(Value::Address)
}

fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
