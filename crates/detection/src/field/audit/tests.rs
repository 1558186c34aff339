use super::*;
use crate::field::{Facts, FieldUse};
use event_model::{AuditUser, Host, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;

fn event(object: &Json) -> AuditEvent {
    AuditEvent {
        audit_id: "a-1".into(),
        stage: "ResponseComplete".into(),
        verb: "create".into(),
        request_uri: "/api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c".into(),
        user: AuditUser {
            name: "eve".into(),
            groups: vec!["dev".into(), "ops".into()],
            ..AuditUser::default()
        },
        source_ips: vec!["10.0.0.7".into()],
        object: Some(AuditObject {
            resource: "pods".into(),
            name: Some("web".into()),
            ..AuditObject::default()
        }),
        response_code: Some(201),
        request_object: Some(object.to_string()),
        stage_at: Timestamp(1_800_000_000_000_000_000),
        annotations: BTreeMap::from([("authorization.k8s.io/decision".into(), "allow".into())]),
        ..AuditEvent::default()
    }
}

/// The field as an output prints it.
fn printed(event: &AuditEvent, name: &str, argument: Option<&str>) -> Option<String> {
    let host = Host { hostname: "control-1".into(), ..Host::default() };
    let act = AuditAct { event, host: &host };
    let facts = Facts::of_audit(&act);
    let field =
        FieldUse::named(name, argument).unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
    field.access.value(&facts).map(|value| value.to_string())
}

#[test]
fn a_request_s_own_fields_are_told() {
    let event = event(&json!({}));
    let told = |name| printed(&event, name, None).unwrap_or_else(|| panic!("{name} is missing"));
    assert_eq!(told("ka.user.name"), "eve");
    assert_eq!(told("ka.user.groups"), "(dev,ops)");
    assert_eq!(told("ka.response.code"), "201");
    assert_eq!(told("ka.auth.decision"), "allow");
    assert_eq!(told("ka.target.pod.name"), "web");
    assert_eq!(told("evt.hostname"), "control-1");
    assert_eq!(told("jevt.rawtime"), "1800000000000000000");
    assert_eq!(printed(&event, "ka.target.namespace", None), None);
    assert_eq!(printed(&event, "ka.user.groups", Some("1")).as_deref(), Some("ops"));
    assert_eq!(printed(&event, "ka.user.groups", Some("2")), None);
    assert_eq!(printed(&event, "ka.uri.param", Some("command")).as_deref(), Some("(sh,-c)"));
    assert_eq!(printed(&event, "proc.name", None), None, "of an act");
}

#[test]
fn lists_of_the_request_s_object_are_told_whole_and_by_place() {
    let event = event(&json!({"spec": {
    "hostNetwork": true,
    "volumes": [{"name": "a", "hostPath": {"path": "/etc"}}, {"name": "b", "emptyDir": {}}],
    "containers": [
        {"image": "r:5/a:t", "securityContext": {"privileged": false, "runAsUser": 0}},
        {"image": "busybox", "args": ["a", "b"]},
    ]}}));
    let told = |name, place| printed(&event, name, place);
    assert_eq!(told("ka.req.pod.host_network", None).as_deref(), Some("true"));
    assert_eq!(told("ka.req.pod.containers.image", None).as_deref(), Some("(r:5/a:t,busybox)"));
    assert_eq!(told("ka.req.pod.containers.image", Some("1")).as_deref(), Some("busybox"));
    assert_eq!(told("ka.req.pod.containers.image.repository", Some("0")).as_deref(), Some("r:5/a"));
    assert_eq!(told("ka.req.pod.containers.args", Some("1")).as_deref(), Some("(a,b)"));
    assert_eq!(told("ka.req.pod.containers.privileged", None).as_deref(), Some("(false)"));
    assert_eq!(told("ka.req.pod.containers.run_as_user", None).as_deref(), Some("(0)"));
    assert_eq!(told("ka.req.pod.volumes.hostpath", None).as_deref(), Some("(/etc)"));
    assert_eq!(
        told("ka.req.pod.volumes.volume_type", None).as_deref(),
        Some("(hostPath,emptyDir)")
    );
    assert_eq!(told("ka.req.pod.initContainers.image", None), None);
}

#[test]
fn workloads_are_told_by_their_templates_with_all_kinds_of_containers() {
    let pod = json!({
        "hostPID": true,
        "containers": [{"image": "a:1"}],
        "initContainers": [{"image": "b:2", "securityContext": {"privileged": true}}],
    });
    for object in [
        json!({"spec": pod}),
        json!({"spec": {"replicas": 2, "template": {"spec": pod}}}),
        json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}),
    ] {
        let event = event(&object);
        let told = |name, place| printed(&event, &format!("ka.req.workload.{name}"), place);
        assert_eq!(told("host_pid", None).as_deref(), Some("true"));
        assert_eq!(told("containers.image", None).as_deref(), Some("(a:1,b:2)"));
        assert_eq!(told("containers.image", Some("1")).as_deref(), Some("b:2"));
        assert_eq!(told("containers.image.repository", None).as_deref(), Some("(a,b)"));
        assert_eq!(told("containers.privileged", None).as_deref(), Some("(true)"));
    }
    let scaled = event(&json!({"spec": {"replicas": 3}}));
    assert_eq!(printed(&scaled, "ka.req.workload.containers.image", None), None);
}

#[test]
fn a_pointer_points_into_the_event_as_the_server_wrote_it() {
    let object = json!({"metadata": {"name": "web", "labels": {"a/b": "c"}}, "spec": {"tls": [1]}});
    let event = event(&object);
    let told = |pointer| printed(&event, "jevt.value", Some(pointer));
    assert_eq!(told("/stage").as_deref(), Some("ResponseComplete"));
    assert_eq!(told("/user/groups/1").as_deref(), Some("ops"));
    assert_eq!(told("/objectRef/name").as_deref(), Some("web"));
    assert_eq!(told("/responseStatus/code").as_deref(), Some("201"));
    assert_eq!(told("/annotations/authorization.k8s.io~1decision").as_deref(), Some("allow"));
    assert_eq!(told("/requestObject/spec/tls").as_deref(), Some("[1]"));
    assert_eq!(told("/requestObject/metadata/labels/a~1b").as_deref(), Some("c"));
    assert_eq!(told("/requestObjects"), None);
    assert_eq!(told("/objectRef/namespace"), None);
    let whole = printed(&event, "jevt.obj", None).unwrap();
    let whole: Json = serde_json::from_str(&whole).expect("JSON");
    assert_eq!((&whole["requestObject"], &whole["verb"]), (&object, &json!("create")));
}

#[test]
fn what_is_nested_too_deep_or_is_no_json_is_missing() {
    let mut deep = event(&json!({}));
    deep.request_object = Some(format!("{}{}", "[".repeat(200), "]".repeat(200)));
    assert_eq!(printed(&deep, "ka.req.pod.host_network", None), None);
    deep.request_object = Some("{".into());
    assert_eq!(printed(&deep, "jevt.value", Some("/requestObject")), None);
    deep.request_object = None;
    assert_eq!(printed(&deep, "ka.req.pod.containers.image", None), None);
}
