//! Who a record comes from, as a resource by the semantic conventions of OpenTelemetry.

use event_model::{Host, SourceDescription, SourceId};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::collections::BTreeMap;

/// Of everything that the suite sends.
const NAMESPACE: &str = "defender";

/// What is known of a source beside its id.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known<'a> {
    pub(crate) description: Option<&'a SourceDescription>,
    pub(crate) host: Option<&'a Host>,
}

/// The resource of a source's records. `configured` wins over what is known.
pub(crate) fn resource(
    id: SourceId,
    node: &str,
    known: Known<'_>,
    configured: &BTreeMap<String, String>,
) -> Resource {
    let component = known.description.map_or(NAMESPACE, |it| it.component.name());
    let mut found: BTreeMap<&str, String> = BTreeMap::from([
        ("service.namespace", NAMESPACE.to_owned()),
        ("service.name", component.to_owned()),
        ("service.instance.id", id.to_string()),
        ("k8s.node.name", node.to_owned()),
        ("os.type", "linux".to_owned()),
    ]);
    if let Some(description) = known.description {
        found.insert("service.version", description.version.clone());
    }
    if let Some(host) = known.host {
        found.insert("host.name", host.hostname.clone());
        found.insert("host.id", host.machine_id.clone().unwrap_or_default());
        found.insert("host.arch", architecture(&host.architecture).to_owned());
        found.insert("os.description", host.operating_system.clone());
        found.insert("os.version", host.kernel.clone());
    }
    for (name, value) in configured {
        found.insert(name, value.clone());
    }
    let attributes: Vec<KeyValue> = found
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| attribute(name, value))
        .collect();
    Resource { attributes, ..Resource::default() }
}

fn attribute(name: &str, value: String) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(value)) };
    KeyValue { key: name.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// The conventions have names of their own.
fn architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
