//! Which objects a list or watch is about: namespace, `labelSelector`, `fieldSelector`.

use crate::request::RequestInfo;
use crate::resource::Resource;
use crate::status::Refusal;
use crate::stored::Stored;
use serde_json::{Map, Value};

/// All conditions of a request on the objects of its answer.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// What the keys of the objects begin with: empty, or a namespace and a slash.
    pub prefix: String,
    labels: Vec<Condition>,
    fields: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

impl Selector {
    pub fn new(resource: &Resource, info: &RequestInfo) -> Result<Self, Refusal> {
        let namespace = info.resource.as_ref().and_then(|asked| asked.namespace.as_ref());
        let prefix =
            namespace.filter(|_| resource.is_namespaced).map(|namespace| format!("{namespace}/"));
        let labels = conditions(info.text("labelSelector"))?;
        let fields = conditions(info.text("fieldSelector"))?;
        for field in &fields {
            if !is_selectable(resource, &field.key) {
                let why = format!("field label not supported: {}", field.key);
                return Err(Refusal::bad_request(why));
            }
        }
        Ok(Self { prefix: prefix.unwrap_or_default(), labels, fields })
    }

    /// Whether it selects by anything but the namespace.
    pub fn is_trivial(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub fn selects(&self, resource: &Resource, key: &str, object: &Stored) -> bool {
        key.starts_with(&self.prefix)
            && (self.labels.is_empty() || self.has_labels(&object.labels()))
            && (self.fields.is_empty() || self.has_fields(&Value::Object(object.object(resource))))
    }

    fn has_labels(&self, labels: &Map<String, Value>) -> bool {
        let value = |key: &str| labels.get(key).and_then(Value::as_str);
        self.labels.iter().all(|condition| condition.test.holds(value(&condition.key)))
    }

    fn has_fields(&self, object: &Value) -> bool {
        self.fields.iter().all(|condition| {
            let pointer = format!("/{}", condition.key.replace('.', "/"));
            let value = object.pointer(&pointer).and_then(Value::as_str).unwrap_or_default();
            condition.test.holds(Some(value))
        })
    }
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let is_one =
            |values: &[String]| value.is_some_and(|value| values.iter().any(|one| one == value));
        match self {
            Self::In(values) => is_one(values),
            Self::NotIn(values) => !is_one(values),
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
        }
    }
}

/// Which fields can be selected by, of each kind.
fn is_selectable(resource: &Resource, field: &str) -> bool {
    let of_kind: &[&str] = match resource.full_name().as_str() {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.uid",
            "reason",
            "type",
        ],
        "nodes" => &["spec.unschedulable"],
        "namespaces" => &["status.phase"],
        "secrets" => &["type"],
        _ => &[],
    };
    matches!(field, "metadata.name" | "metadata.namespace") || of_kind.contains(&field)
}

/// The conditions between the commas of `a=b,c!=d,e in (f,g),!h`.
fn conditions(text: &str) -> Result<Vec<Condition>, Refusal> {
    let mut conditions = Vec::new();
    let (mut begin, mut depth) = (0, 0);
    for (at, letter) in text.char_indices().chain([(text.len(), ',')]) {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                let one = text[begin..at].trim();
                begin = at + 1;
                if !one.is_empty() {
                    conditions.push(condition(one)?);
                }
            }
            _ => {}
        }
    }
    if depth != 0 {
        return Err(Refusal::bad_request(format!("unable to parse requirement: {text:?}")));
    }
    Ok(conditions)
}

fn condition(text: &str) -> Result<Condition, Refusal> {
    let new = |key: &str, test| Condition { key: key.trim().to_owned(), test };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(new(key, Test::NotIn(one(value))));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(new(key, Test::In(one(value))));
    }
    if let Some((key, values)) = text.split_once(" notin ") {
        return Ok(new(key, Test::NotIn(set(values)?)));
    }
    if let Some((key, values)) = text.split_once(" in ") {
        return Ok(new(key, Test::In(set(values)?)));
    }
    if let Some(key) = text.strip_prefix('!') {
        return Ok(new(key, Test::Absent));
    }
    Ok(new(text, Test::Exists))
}

fn set(text: &str) -> Result<Vec<String>, Refusal> {
    let inner = text.trim().strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let inner = inner
        .ok_or_else(|| Refusal::bad_request(format!("unable to parse requirement: {text:?}")))?;
    Ok(inner.split(',').map(|value| value.trim().to_owned()).collect())
}
