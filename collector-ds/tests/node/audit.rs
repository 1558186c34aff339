//! Requests to an API server of Kubernetes, by its audit file, against the rules that are shipped.

use crate::expect::{alerts, wait_for};
use crate::publisher::Publisher;
use crate::sensor::{Node, Sensor, status};
use event_model::{Alert, Record};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A node with the rules that are shipped, which follows the file at this path.
fn node() -> (Node, PathBuf) {
    let mut node = Node::new();
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    // What other programs of this machine do raises no alert here.
    std::fs::remove_file(node.path("rules/shell.yaml")).expect("a rule file of the node");
    for entry in std::fs::read_dir(rules).expect("the rules") {
        let file = entry.expect("a readable folder").path();
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        if name.starts_with("kubernetes") {
            std::fs::copy(&file, node.path("rules").join(name)).expect("a copy");
        }
    }
    let path = node.path("audit.log");
    node.more.insert("audit".into(), json!({ "path": path }));
    node.more.insert("inventory".into(), json!({ "enabled": false }));
    (node, path)
}

/// Writes as an API server does: a line in one piece for each stage of a request.
fn write(path: &Path, event: &Value) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the log");
    file.write_all(format!("{event}\n").as_bytes()).expect("written");
}

fn event(id: &str, verb: &str, object: &Value, more: &Value) -> Value {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "auditID": id,
        "stage": "ResponseComplete", "verb": verb, "requestURI": "/api/v1/namespaces/shop/pods",
        "user": { "username": "eve@example.com", "groups": ["dev", "system:authenticated"] },
        "sourceIPs": ["203.0.113.9"], "userAgent": "kubectl/v1.36.0", "responseStatus": { "metadata": {}, "code": 201 },
        "requestReceivedTimestamp": "2026-11-22T18:42:02.662022Z", "stageTimestamp": "2026-11-22T18:42:02.664149Z",
        "annotations": { "authorization.k8s.io/decision": "allow" },
    });
    event["objectRef"] = object.clone();
    for (key, value) in more.as_object().into_iter().flatten() {
        event[key] = value.clone();
    }
    event
}

fn blind(sensor: &Sensor) -> Vec<String> {
    let status = sensor.look(status).expect("a status");
    status
        .blind_rules
        .into_iter()
        .map(|blind| format!("{}: {}", blind.rule, blind.reason))
        .collect()
}

fn expect_alert(sensor: &Sensor, rule: &str) -> Alert {
    sensor.expect(rule, |records: &[Record]| {
        alerts(records).find(|alert| alert.rule == rule).cloned()
    })
}

#[test]
fn requests_in_the_audit_file_raise_alerts() {
    let (node, path) = node();
    let sensor = Sensor::start_on(node);
    let is_blind = || {
        let blind = blind(&sensor);
        blind
            .iter()
            .any(|rule| rule.starts_with("Mining container asked for: needs the audit file"))
            .then_some(())
    };
    wait_for("the status of a node without the file", is_blind, || blind(&sensor).join("\n"));

    let pod = json!({ "resource": "pods", "namespace": "shop", "apiVersion": "v1" });
    let object = |image: &str| {
        json!({ "requestObject": { "kind": "Pod", "spec": { "containers": [{ "name": "app", "image": image,
            "securityContext": { "privileged": true } }] } },
            "responseObject": { "metadata": { "name": "app-x7" } } })
    };
    write(&path, &event("get", "get", &pod, &json!({})));
    write(&path, &event("made", "create", &pod, &object("docker.io/evil/xmrig:6")));
    let exec = json!({ "resource": "pods", "subresource": "exec", "namespace": "shop", "name": "web", "apiVersion": "v1" });
    let begun = json!({ "stage": "ResponseStarted", "responseStatus": { "code": 101 },
        "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c&command=id" });
    write(&path, &event("exec", "create", &exec, &begun));

    let mined = expect_alert(&sensor, "Mining container asked for");
    let request = mined.audit().expect("an alert about a request");
    assert_eq!(
        (request.audit_id.as_str(), request.user.name.as_str()),
        ("made", "eve@example.com")
    );
    assert!(
        mined.message.contains("made=app-x7") && mined.message.contains("from=(203.0.113.9)"),
        "{}",
        mined.message
    );
    assert_eq!((mined.host.node.as_str(), mined.time), ("node-1", request.stage_at));
    assert!(mined.tags.contains(&"K8S_MaliciousContainerImage".to_owned()));
    expect_alert(&sensor, "Privileged container asked for");
    let command = expect_alert(&sensor, "Command in a pod by the API server");
    assert!(command.message.contains("command=(sh,-c,id)"), "{}", command.message);

    let raised = sensor.look(|records| alerts(records).count());
    assert_eq!(raised, 3, "the request that only looks raises none");
    let sees = || blind(&sensor).is_empty().then_some(());
    wait_for("the status of a node with the file", sees, || blind(&sensor).join("\n"));
    for counted in [
        "defender_alerts_total{priority=\"critical\"} 1",
        "defender_alerts_total{priority=\"warning\"} 1",
        "defender_alerts_total{priority=\"notice\"} 1",
        "defender_audit_events_total 3",
    ] {
        sensor.expect_metric(counted);
    }
}

/// The numbers of requests that reached the publisher.
fn requests(publisher: &Publisher) -> BTreeSet<usize> {
    publisher.look(|records| {
        let events = records.iter().filter_map(|record| match record {
            Record::Audit(event) => event.audit_id.parse().ok(),
            _ => None,
        });
        events.collect()
    })
}

fn expect_requests(sensor: &Sensor, expected: Range<usize>) {
    let missing = || {
        let came = requests(&sensor.publisher);
        expected.clone().filter(|it| !came.contains(it)).collect::<Vec<_>>()
    };
    let all = || missing().is_empty().then_some(());
    wait_for("all requests", all, || format!("missing {:?}\n{}", missing(), sensor.node.log()));
}

/// Waits until the sensor has read so many events.
fn expect_read(sensor: &Sensor, events: usize) {
    sensor.expect_metric(&format!("defender_audit_events_total {events}"));
}

#[test]
fn a_sensor_that_is_killed_loses_no_request_that_it_read() {
    let (mut node, path) = node();
    let state = node.path("state");
    node.more.insert("audit".into(), json!({ "path": path, "state_directory": state }));
    let pod = json!({ "resource": "pods", "namespace": "shop", "apiVersion": "v1" });
    let write = |ids: Range<usize>| {
        ids.for_each(|id| write(&path, &event(&id.to_string(), "get", &pod, &json!({}))));
    };
    write(0..1);
    let mut sensor = Sensor::start_on(node);
    // What stands in the file when it first looks is old.
    wait_for(
        "its note",
        || state.join("audit-position.json").exists().then_some(()),
        || format!("{:?}\n{}", std::fs::read_dir(&state), sensor.node.log()),
    );
    for round in 0..3 {
        let begin = 1 + round * 200;
        write(begin..begin + 100);
        expect_requests(&sensor, begin..begin + 100);
        sensor.publisher.stop();
        write(begin + 100..begin + 200);
        expect_read(&sensor, 200);
        // Time enough to note how far it read, were it to do so without the publisher.
        std::thread::sleep(Duration::from_millis(2500));
        let Sensor { node, publisher, process } = sensor;
        drop(process);
        drop(publisher);
        sensor = Sensor::start_on(node);
        expect_requests(&sensor, begin + 100..begin + 200);
        if round < 2 {
            assert!(sensor.process.terminate().success(), "{}", sensor.node.log());
            let Sensor { node, mut publisher, .. } = sensor;
            publisher.stop();
            sensor = Sensor::start_on(node);
        }
    }
}
