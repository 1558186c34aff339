use super::metadata::{Metadata, moment};
use event_model::{KubernetesEvent, ObjectReference};
use serde::Deserialize;

/// The longest words that are told, in bytes: the API allows 1 KiB.
const LONGEST_MESSAGE: usize = 1024;

/// `v1` Event: the fields that it had before `events.k8s.io`, and those that it got with it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    metadata: Metadata,
    involved_object: Option<Regarding>,
    reason: Option<String>,
    message: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    source: Option<Source>,
    reporting_component: Option<String>,
    reporting_instance: Option<String>,
    count: Option<u32>,
    series: Option<Series>,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    event_time: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Regarding {
    api_version: Option<String>,
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    uid: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Source {
    component: Option<String>,
    host: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    count: Option<u32>,
    last_observed_time: Option<String>,
}

pub(super) fn read(object: &str) -> Result<(Metadata, KubernetesEvent), serde_json::Error> {
    let raw: Raw = serde_json::from_str(object)?;
    let source = raw.source.unwrap_or_default();
    let (count, last) = match raw.series {
        Some(series) => (series.count, series.last_observed_time),
        None => (raw.count, raw.last_timestamp),
    };
    let text = |moment: Option<String>| moment.filter(|text| !text.is_empty());
    let made = raw.metadata.created_at.unwrap_or_default();
    let first_at = text(raw.first_timestamp).or_else(|| text(raw.event_time));
    let first_at = first_at.as_deref().and_then(moment).unwrap_or(made);
    let event = KubernetesEvent {
        uid: raw.metadata.uid.clone(),
        resource_version: raw.metadata.resource_version.clone(),
        regarding: raw.involved_object.unwrap_or_default().into(),
        reason: raw.reason.unwrap_or_default(),
        is_warning: raw.kind.as_deref() == Some("Warning"),
        message: shortened(raw.message.unwrap_or_default()),
        reporter: text(source.component).or(raw.reporting_component).unwrap_or_default(),
        node: text(source.host).or_else(|| text(raw.reporting_instance)),
        count: count.unwrap_or(1),
        first_at,
        last_at: last.as_deref().and_then(moment).unwrap_or(first_at),
    };
    Ok((raw.metadata, event))
}

fn shortened(mut message: String) -> String {
    message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
    message
}

impl From<Regarding> for ObjectReference {
    fn from(raw: Regarding) -> Self {
        Self {
            api_version: raw.api_version.unwrap_or_default(),
            kind: raw.kind.unwrap_or_default(),
            namespace: raw.namespace.filter(|namespace| !namespace.is_empty()),
            name: raw.name.unwrap_or_default(),
            uid: raw.uid.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_MESSAGE, read};
    use serde_json::json;

    #[test]
    fn a_note_is_read_in_its_old_form_and_in_its_new() {
        let old = json!({
            "metadata": {"name": "shop.17", "uid": "e1", "resourceVersion": "9"},
            "involvedObject": {"kind": "Pod", "namespace": "web", "name": "shop-1", "uid": "p1"},
            "reason": "BackOff", "message": "é".repeat(1000), "type": "Warning", "count": 3,
            "source": {"component": "kubelet", "host": "worker-1"},
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:05:00Z",
            "eventTime": null,
        });
        let (_, event) = read(&old.to_string()).unwrap();
        assert_eq!((&*event.regarding.name, event.count, event.is_warning), ("shop-1", 3, true));
        assert_eq!((&*event.reporter, event.node.as_deref()), ("kubelet", Some("worker-1")));
        assert_eq!(event.last_at.0 - event.first_at.0, 300_000_000_000);
        assert!(event.message.len() <= LONGEST_MESSAGE);
        let new = json!({
            "metadata": {"uid": "e2"}, "eventTime": "2026-01-01T00:00:00.000001Z", "firstTimestamp": null,
            "series": {"count": 7, "lastObservedTime": "2026-01-01T00:00:01.000001Z"}, "type": "Normal",
            "reportingComponent": "scheduler", "reportingInstance": "scheduler-0", "source": {},
        });
        let (_, event) = read(&new.to_string()).unwrap();
        assert_eq!((event.count, &*event.reporter, event.is_warning), (7, "scheduler", false));
        assert_eq!(event.last_at.0 - event.first_at.0, 1_000_000_000);
    }
}
