use super::metadata::Metadata;
use event_model::KubernetesObject;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// The longest configuration that is sent, in bytes.
const LONGEST: usize = 64 << 10;

/// Set on an object of which the configuration is longer.
const LEFT_OUT: &str = "configurationLeftOut";

/// What is longer, as the server sent it, is not even looked at: a text of this length makes a tree of megabytes.
const LONGEST_RAW: usize = 2 * LONGEST;

/// Parts of names of parameters that hold a secret.
const SECRET_PARAMETERS: [&str; 5] = ["pass", "secret", "token", "key", "credential"];

/// Endings of names of parameters that only say where a secret is.
const PLACES: [&str; 3] = ["name", "namespace", "path"];

/// Some top-level parts of an object, as they are but for secrets.
pub(super) fn read(
    object: &str,
    parts: &[&str],
) -> Result<(Metadata, KubernetesObject), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    let picked = Picking { parts }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    let mut object = KubernetesObject::default();
    if !parts.is_empty() {
        configure(&picked.parts, &mut object)?;
    }
    Ok((picked.metadata, object))
}

/// The configuration of `object` is these parts, where they are not too long.
pub(super) fn configure(
    parts: &[(&str, &RawValue)],
    object: &mut KubernetesObject,
) -> Result<(), serde_json::Error> {
    let bytes: usize = parts.iter().map(|(_, value)| value.get().len()).sum();
    if bytes > LONGEST_RAW {
        leave_out(bytes, object);
        return Ok(());
    }
    let mut kept = Map::new();
    for (part, value) in parts {
        kept.insert((*part).to_owned(), serde_json::from_str(value.get())?);
    }
    let mut configuration = Value::Object(kept);
    strip(&mut configuration);
    let text = configuration.to_string();
    if text.len() <= LONGEST {
        object.configuration = Some(text);
    } else {
        leave_out(text.len(), object);
    }
    Ok(())
}

fn leave_out(bytes: usize, object: &mut KubernetesObject) {
    object.attributes.insert(LEFT_OUT.to_owned(), format!("{bytes} bytes"));
}

/// Takes out what may be secret or is of no use: values of environment variables and headers, parameters that are passwords
/// or keys, private keys, annotations, and bundles of certificates.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, value| {
                !matches!(&**name, "caBundle" | "managedFields" | "annotations") && !value.is_null()
            });
            for (name, value) in map {
                match &**name {
                    "env" | "httpHeaders" => strip_values(value),
                    "requestHeaderModifier" | "responseHeaderModifier" => {
                        value
                            .as_object_mut()
                            .into_iter()
                            .flatten()
                            .for_each(|it| strip_values(it.1));
                    }
                    "parameters" => strip_parameters(value),
                    _ => strip(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        Value::String(text) if text.contains("PRIVATE KEY-----") => text.clear(),
        _ => {}
    }
}

/// Of a list of names with values.
fn strip_values(named: &mut Value) {
    for one in named.as_array_mut().into_iter().flatten() {
        if let Some(one) = one.as_object_mut() {
            one.remove("value");
        }
    }
}

fn strip_parameters(parameters: &mut Value) {
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        SECRET_PARAMETERS.iter().any(|part| name.contains(part))
            && !PLACES.iter().any(|ending| name.ends_with(ending))
    };
    match parameters.as_object_mut() {
        Some(map) => map.retain(|name, _| !is_secret(name)),
        None => strip(parameters),
    }
}

/// Metadata and parts of an object: what else it has is passed over.
struct Picked<'p, 'a> {
    metadata: Metadata,
    parts: Vec<(&'p str, &'a RawValue)>,
}

struct Picking<'p> {
    parts: &'p [&'p str],
}

impl<'de, 'p> DeserializeSeed<'de> for Picking<'p> {
    type Value = Picked<'p, 'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, 'p> Visitor<'de> for Picking<'p> {
    type Value = Picked<'p, 'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of Kubernetes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let (mut metadata, mut picked) = (None, Vec::new());
        while let Some(name) = entries.next_key::<Cow<'de, str>>()? {
            let part = self.parts.iter().find(|part| **part == name);
            match part {
                Some(part) if picked.len() < self.parts.len() => {
                    picked.push((*part, entries.next_value()?));
                }
                _ if name == "metadata" => metadata = Some(entries.next_value()?),
                _ => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        let metadata = metadata.ok_or_else(|| A::Error::missing_field("metadata"))?;
        Ok(Picked { metadata, parts: picked })
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, read};
    use serde_json::{Value, json};

    fn configuration(object: &Value, parts: &[&str]) -> Option<Value> {
        let (_, object) = read(&object.to_string(), parts).unwrap();
        object.configuration.map(|text| serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn only_the_parts_of_the_kind_are_told() {
        let role = json!({"kind": "Role", "metadata": {"name": "r"}, "rules": [{"verbs": ["*"]}], "other": 1});
        let told = configuration(&role, &["rules", "aggregationRule"]);
        assert_eq!(told, Some(json!({"rules": [{"verbs": ["*"]}]})));
        assert_eq!(configuration(&role, &[]), None);
    }

    #[test]
    fn secrets_and_bundles_stay_behind() {
        let class = json!({"metadata": {}, "provisioner": "rbd",
            "parameters": {"resturl": "http://x", "restuserkey": "hunter2", "adminPassword": "hunter2"},
            "webhooks": [{"clientConfig": {"caBundle": "AAAA", "url": "https://x"}}]});
        let told = configuration(&class, &["provisioner", "parameters", "webhooks"]).unwrap();
        assert_eq!(told["parameters"], json!({"resturl": "http://x"}));
        assert_eq!(told["webhooks"], json!([{"clientConfig": {"url": "https://x"}}]));
    }

    #[test]
    fn what_is_too_long_is_left_out_and_said_so() {
        for length in [LONGEST, 10 * LONGEST] {
            let object = json!({"metadata": {}, "spec": "x".repeat(length)});
            let (_, object) = read(&object.to_string(), &["spec"]).unwrap();
            assert_eq!(object.configuration, None);
            assert!(object.attributes.contains_key("configurationLeftOut"));
        }
    }

    #[test]
    fn headers_and_private_keys_are_no_ones_business() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nAAAA";
        let route = json!({"metadata": {}, "spec": {"tls": {"key": key, "certificate": "c"},
            "rules": [{"filters": [{"requestHeaderModifier": {"set": [{"name": "Authorization", "value": "hunter2"}]}}]}],
            "probe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "hunter2"}]}}}});
        let told = configuration(&route, &["spec"]).unwrap().to_string();
        assert!(!told.contains("hunter2") && !told.contains("AAAA"), "{told}");
        assert!(told.contains("Authorization"), "{told}");
    }

    #[test]
    fn parameters_that_say_where_a_secret_is_are_told() {
        let class = json!({"metadata": {}, "parameters": {"csi.storage.k8s.io/node-stage-secret-name": "s",
            "accountKey": "hunter2", "clientSecret": "hunter2", "type": "gp3"}});
        let told = configuration(&class, &["parameters"]).unwrap();
        assert_eq!(
            told["parameters"],
            json!({"csi.storage.k8s.io/node-stage-secret-name": "s", "type": "gp3"})
        );
    }
}
