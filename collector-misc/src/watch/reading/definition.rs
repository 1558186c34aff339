use super::bounded;
use super::metadata::Metadata;
use event_model::KubernetesObject;
use serde::Deserialize;

/// Which kind a `CustomResourceDefinition` defines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) group: String,
    pub(crate) kind: String,
    pub(crate) plural: String,
    pub(crate) scope: String,
    /// The versions that are served.
    pub(crate) served: Vec<String>,
    /// The server has taken it: its objects can be asked for.
    pub(crate) is_established: bool,
}

#[derive(Deserialize)]
struct Raw {
    metadata: Metadata,
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    group: String,
    names: Names,
    scope: String,
    #[serde(deserialize_with = "bounded::list")]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Names {
    kind: String,
    plural: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    name: String,
    served: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "bounded::list")]
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl Definition {
    pub(crate) fn read(object: &str) -> Result<Self, serde_json::Error> {
        Ok(from_raw(serde_json::from_str(object)?).1)
    }
}

fn from_raw(raw: Raw) -> (Metadata, Definition) {
    let (spec, status) = (raw.spec.unwrap_or_default(), raw.status.unwrap_or_default());
    let is_established =
        |condition: &Condition| condition.kind == "Established" && condition.status == "True";
    let served = spec.versions.into_iter().filter(|version| version.served);
    let definition = Definition {
        group: spec.group,
        kind: spec.names.kind,
        plural: spec.names.plural,
        scope: spec.scope,
        served: served.map(|version| version.name).collect(),
        is_established: status.conditions.iter().any(is_established),
    };
    (raw.metadata, definition)
}

/// Its schemas are not told: they are long.
pub(super) fn read(object: &str) -> Result<(Metadata, KubernetesObject), serde_json::Error> {
    let (metadata, definition) = from_raw(serde_json::from_str(object)?);
    let attributes = [
        ("group", definition.group),
        ("kind", definition.kind),
        ("plural", definition.plural),
        ("scope", definition.scope),
        ("versions", definition.served.join(",")),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into();
    Ok((metadata, KubernetesObject { attributes, ..KubernetesObject::default() }))
}

#[cfg(test)]
mod tests {
    use super::{Definition, read};
    use serde_json::json;

    #[test]
    fn a_definition_tells_what_it_defines_and_whether_it_is_served() {
        let object = json!({
            "metadata": {"name": "gateways.gateway.networking.k8s.io"},
            "spec": {"group": "gateway.networking.k8s.io", "scope": "Namespaced",
                "names": {"kind": "Gateway", "plural": "gateways", "shortNames": ["gtw"]},
                "versions": [{"name": "v1", "served": true, "schema": {"openAPIV3Schema": {}}},
                             {"name": "v1alpha2", "served": false}]},
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        })
        .to_string();
        let definition = Definition::read(&object).unwrap();
        assert!(definition.is_established);
        assert_eq!(definition.served, ["v1"]);
        let (_, told) = read(&object).unwrap();
        assert_eq!(
            (&*told.attributes["plural"], &*told.attributes["versions"]),
            ("gateways", "v1")
        );
        assert!(!Definition::read(r#"{"metadata": {}}"#).unwrap().is_established);
    }
}
