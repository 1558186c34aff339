//! Whether what policies read of an object is of the types that Kubernetes gives it. The API server holds no other object; where one
//! comes from elsewhere, an expression could take a text for a mapping without the field that it asks for, and let it pass.

use serde_json::Value;

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Mapping,
    Mappings,
    Texts,
    /// A mapping whose keys users choose: nothing in it is a field.
    FreeTexts,
    /// The same, of quantities: texts or numbers.
    Free,
    Text,
    /// A container's image, or a volume that is one.
    Image,
    /// Nothing that policies read stands in it.
    Unread,
    Truth,
    Whole,
    Wholes,
}

/// The fields that policies read, wherever they stand, by their names.
const fn shape(field: &str) -> Option<Shape> {
    Some(match field.as_bytes() {
        b"metadata" | b"spec" | b"template" | b"jobTemplate" | b"securityContext"
        | b"capabilities" | b"seccompProfile" | b"appArmorProfile" | b"seLinuxOptions"
        | b"resources" | b"os" | b"hostPath" | b"roleRef" | b"readinessProbe"
        | b"livenessProbe" => Shape::Mapping,
        b"containers"
        | b"initContainers"
        | b"ephemeralContainers"
        | b"volumes"
        | b"volumeMounts"
        | b"ports"
        | b"sysctls"
        | b"ownerReferences"
        | b"subjects"
        | b"tls" => Shape::Mappings,
        b"add" | b"drop" | b"verbs" | b"apiGroups" | b"nonResourceURLs" | b"externalIPs" => {
            Shape::Texts
        }
        b"annotations" | b"labels" | b"selector" | b"matchLabels" | b"nodeSelector" => {
            Shape::FreeTexts
        }
        b"limits" | b"requests" => Shape::Free,
        b"apiVersion" | b"kind" | b"name" | b"namespace" | b"imagePullPolicy"
        | b"localhostProfile" | b"procMount" | b"restartPolicy" | b"host" => Shape::Text,
        b"image" => Shape::Image,
        b"managedFields" | b"status" | b"volumeAttributes" | b"options" => Shape::Unread,
        b"privileged"
        | b"allowPrivilegeEscalation"
        | b"readOnlyRootFilesystem"
        | b"runAsNonRoot"
        | b"hostPID"
        | b"hostIPC"
        | b"hostNetwork"
        | b"automountServiceAccountToken"
        | b"readOnly"
        | b"controller" => Shape::Truth,
        b"runAsUser" | b"runAsGroup" | b"fsGroup" | b"hostPort" => Shape::Whole,
        b"supplementalGroups" => Shape::Wholes,
        _ => return None,
    })
}

/// The field that is of another type than Kubernetes', if there is one. Those within bounds alone are asked.
pub(crate) fn problem(object: &Value) -> Option<String> {
    let mut rest = vec![object];
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(items) => rest.extend(items),
            Value::Object(entries) => {
                for (field, value) in entries {
                    match shape_here(field, entries) {
                        Some(shape) if !shape.fits(value) => {
                            return Some(format!(
                                "`{field}` is of a type that Kubernetes does not give it"
                            ));
                        }
                        Some(Shape::FreeTexts | Shape::Free | Shape::Unread) => {}
                        _ => rest.push(value),
                    }
                }
            }
            _ => {}
        }
    }
    None
}

/// Some names mean one thing in one place and another elsewhere.
fn shape_here(field: &str, siblings: &serde_json::Map<String, Value>) -> Option<Shape> {
    match field {
        // A rule of a role lists resources; a container asks for them.
        "resources" if siblings.contains_key("verbs") => Some(Shape::Texts),
        // The selector of a Service is labels; that of a workload selects by them.
        "selector" if siblings.contains_key("template") || siblings.contains_key("jobTemplate") => {
            None
        }
        // A volume for a claim has a selector of its own.
        "selector" if siblings.contains_key("accessModes") => None,
        _ => shape(field),
    }
}

impl Shape {
    fn fits(self, value: &Value) -> bool {
        let all =
            |is: fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(is));
        match self {
            Self::Mapping | Self::Free => value.is_object(),
            Self::Mappings => all(Value::is_object),
            Self::Texts => all(Value::is_string),
            Self::FreeTexts => value.as_object().is_some_and(|entries| {
                entries.values().all(|entry| entry.is_string() || entry.is_null())
            }),
            Self::Text => value.is_string(),
            Self::Image => value.is_string() || value.get("reference").is_some(),
            Self::Unread => true,
            Self::Truth => value.is_boolean(),
            Self::Whole => value.is_i64(),
            Self::Wholes => all(Value::is_i64),
        }
    }
}
