//! What is kept of a request's object.

use crate::bounds;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Objects over this are not looked into: they would only be dropped.
const MAXIMUM_BYTES: usize = 1 << 20;

/// What stands where a secret's content stood.
const REMOVED: &str = "(removed)";

/// The annotation in which kubectl repeats the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Resources that carry credentials in their requests or the objects of them.
const TOKENS: [(&str, &str); 3] =
    [("tokenreviews", ""), ("serviceaccounts", "token"), ("certificatesigningrequests", "")];

/// An object as it is kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// None: there was none, or it is too large.
    pub json: Option<String>,
    /// It is too large.
    pub dropped: bool,
}

/// Trims a request's object.
pub fn keep(raw: Option<&RawValue>, resource: &str, subresource: Option<&str>) -> Kept {
    let Some(raw) = raw.map(RawValue::get).filter(|raw| *raw != "null") else {
        return Kept::default();
    };
    if raw.len() > MAXIMUM_BYTES {
        return Kept { json: None, dropped: true };
    }
    let Ok(mut object) = serde_json::from_str::<Value>(raw) else {
        return Kept { json: None, dropped: true };
    };
    trim(&mut object, resource, subresource);
    let json = object.to_string();
    if json.len() > bounds::OBJECT {
        return Kept { json: None, dropped: true };
    }
    Kept { json: Some(json), dropped: false }
}

fn trim(object: &mut Value, resource: &str, subresource: Option<&str>) {
    let is_token = TOKENS.contains(&(resource, subresource.unwrap_or_default()));
    if is_token {
        remove_texts(object.get_mut("spec"));
        remove_texts(object.get_mut("status"));
    }
    let is_secret = resource == "secrets";
    if is_secret && object.is_array() {
        trim_json_patch(object);
    }
    trim_nested(object, is_secret);
}

/// Goes through the object: a list of objects, or a template, may hold secrets too.
fn trim_nested(value: &mut Value, is_secret: bool) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| trim_nested(item, is_secret)),
        Value::Object(fields) => {
            let is_secret =
                is_secret || fields.get("kind").and_then(Value::as_str) == Some("Secret");
            if is_secret {
                remove_texts(fields.get_mut("data"));
                remove_texts(fields.get_mut("stringData"));
            }
            trim_metadata(fields);
            fields.values_mut().for_each(|field| trim_nested(field, is_secret));
        }
        _ => {}
    }
}

fn trim_metadata(fields: &mut Map<String, Value>) {
    fields.remove("managedFields");
    if let Some(Value::Object(annotations)) = fields.get_mut("annotations") {
        // The object a second time, with all that is removed from the first.
        annotations.remove(LAST_APPLIED);
    }
}

/// A JSON patch (RFC 6902): its values may be contents.
fn trim_json_patch(patch: &mut Value) {
    for operation in patch.as_array_mut().into_iter().flatten() {
        remove_texts(operation.get_mut("value"));
    }
}

/// Puts a mark where texts and numbers stand; names of fields stay: which keys a secret has is worth knowing.
fn remove_texts(value: Option<&mut Value>) {
    match value {
        Some(Value::Array(items)) => items.iter_mut().for_each(|item| remove_texts(Some(item))),
        Some(Value::Object(fields)) => {
            fields.values_mut().for_each(|field| remove_texts(Some(field)));
        }
        Some(text @ (Value::String(_) | Value::Number(_))) => *text = REMOVED.into(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kept(object: &Value, resource: &str, subresource: Option<&str>) -> String {
        let raw = RawValue::from_string(object.to_string()).unwrap();
        keep(Some(&raw), resource, subresource).json.unwrap()
    }

    #[test]
    fn no_way_of_writing_a_secret_leaves_its_content() {
        let last_applied = r#"{"data":{"password":"aHVudGVyMg=="}}"#;
        let secret = json!({"kind": "Secret", "metadata": {"name": "db", "annotations": {LAST_APPLIED: last_applied}},
            "data": {"password": "aHVudGVyMg=="}, "stringData": {"token": "hunter2"}});
        let nested = json!({"kind": "List", "items": [secret.clone()]});
        let patch = json!([{"op": "replace", "path": "/data/password", "value": "aHVudGVyMg=="},
            {"op": "add", "path": "/data", "value": {"password": "aHVudGVyMg=="}}]);
        let merge = json!({"data": {"password": "aHVudGVyMg=="}});
        for (object, resource) in
            [(&secret, "secrets"), (&nested, "lists"), (&patch, "secrets"), (&merge, "secrets")]
        {
            let json = kept(object, resource, None);
            assert!(!json.contains("aHVudGVyMg") && !json.contains("hunter2"), "{json}");
            assert!(json.contains("password"), "the keys stay: {json}");
        }
    }

    #[test]
    fn tokens_do_not_leave() {
        let review = json!({"kind": "TokenReview", "spec": {"token": "ey.secret"}});
        assert!(!kept(&review, "tokenreviews", None).contains("ey.secret"));
        let request = json!({"kind": "TokenRequest", "status": {"token": "ey.secret"}});
        assert!(!kept(&request, "serviceaccounts", Some("token")).contains("ey.secret"));
    }

    #[test]
    fn what_rules_ask_of_other_objects_stays() {
        let pod = json!({"kind": "Pod", "metadata": {"managedFields": [1], "annotations": {"a": "b"}},
            "spec": {"containers": [{"image": "miner", "securityContext": {"privileged": true}}]}});
        let json = kept(&pod, "pods", None);
        assert!(
            json.contains("\"image\":\"miner\"") && json.contains("\"privileged\":true"),
            "{json}"
        );
        assert!(!json.contains("managedFields") && json.contains("\"a\":\"b\""), "{json}");
        let map = json!({"kind": "ConfigMap", "data": {"aws_access_key_id": "AKIA"}});
        assert!(
            kept(&map, "configmaps", None).contains("AKIA"),
            "rules look for keys in config maps"
        );
    }

    #[test]
    fn a_huge_object_is_dropped_and_told() {
        let object = json!({"kind": "ConfigMap", "data": {"a": "x".repeat(bounds::OBJECT)}});
        let raw = RawValue::from_string(object.to_string()).unwrap();
        assert_eq!(keep(Some(&raw), "configmaps", None), Kept { json: None, dropped: true });
        assert_eq!(keep(None, "configmaps", None), Kept::default());
    }
}
