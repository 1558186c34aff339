//! `why`.

use crate::captures::{Captured, RULES, process};
use crate::program::{argument, said};
use serde_json::{Value, json};

#[test]
fn of_a_capture_the_nearest_event_is_explained() {
    let captured = Captured::make();
    let rules = RULES.replace("proc.name = nc", "proc.name = nc and proc.args contains -e");
    let rules = captured.write("rules.yaml", &rules);
    let (code, out, error) =
        said(&["why", argument(&captured.file), "Netcat", "--rules", argument(&rules)]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let wanted = "\
`Netcat` does not match event 2: exec, nc (9): nc -l\\u{1b}[2J
0 of 3 events match; this is the nearest to a match
false     all of
true        evt.type = \"execve\"  [\"execve\"]
true        proc.name = \"nc\"  [\"nc\"]
false       proc.args contains \"-e\"  [\"-l\\u{1b}[2J\"]
";
    assert_eq!(out, wanted);
}

#[test]
fn an_event_is_chosen_by_its_number_or_by_the_alert_that_it_raised() {
    let captured = Captured::make();
    let file = argument(&captured.file);
    let (_, out, _) = said(&["why", file, "Netcat", "--event", "1"]);
    assert!(
        out.starts_with("`Netcat` does not match event 1: exec, true (8): true /tmp\nfalse"),
        "{out}"
    );
    let (_, out, _) = said(&["why", file, "Netcat", "--event", &captured.alert.id.to_string()]);
    assert!(out.starts_with("`Netcat` matches event 2: "), "{out}");
    assert_eq!(out.lines().filter(|line| line.starts_with("true ")).count(), 3, "{out}");
    let (_, out, _) = said(&["why", file, "Netcat", "--event", "3"]);
    assert!(
        out.contains("no value    evt.type = \"execve\""),
        "a request has no such field: {out}"
    );
    for (choice, wanted) in
        [("9", "has 3 events, none is number 9"), ("0", "neither a number from 1")]
    {
        let (code, _, error) = said(&["why", file, "Netcat", "--event", choice]);
        assert!(code != Some(0) && error.contains(wanted), "{error}");
    }
}

#[test]
fn a_rule_that_is_not_there_is_asked_for_by_a_name_like_it() {
    let captured = Captured::make();
    let (code, _, error) = said(&["why", argument(&captured.file), "netc"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("did you mean Netcat?"), "{error}");
}

#[test]
fn cases_are_explained_by_their_number() {
    let captured = Captured::make();
    let rules = captured.write("rules.yaml", RULES);
    let cases = "- what: a listening netcat\n  process: { path: /bin/nc }\n- what: a shell\n  process: { path: /bin/sh }\n";
    let cases = captured.write("acts.yaml", cases);
    let arguments = ["why", argument(&cases), "Netcat"];
    let (code, _, error) = said(&arguments);
    assert_eq!(code, Some(1));
    assert!(error.starts_with("error: name the rules with --rules"), "{error}");
    let arguments = [&arguments[..], &["--rules", argument(&rules), "--event", "2", "--decisive"]];
    let (_, out, _) = said(&arguments.concat());
    let wanted = "`Netcat` does not match event 2: a shell\nfalse     all of\nfalse       proc.name = \"nc\"  [\"sh\"]\n";
    assert_eq!(out, wanted);
}

#[test]
fn a_line_of_a_replay_is_explained() {
    let captured = Captured::make();
    let rules = captured.write("rules.yaml", RULES);
    let (_, json, _) = said(&["replay", argument(&captured.file), "--output", "json"]);
    let lines = captured.write("alerts.json", &json);
    for (rule, words) in [("Netcat", "event 1: exec, nc (9)"), ("Eve", "event 2: delete by eve")] {
        let (code, out, error) =
            said(&["why", argument(&lines), rule, "--rules", argument(&rules)]);
        assert_eq!((code, error.as_str()), (Some(0), ""));
        assert!(out.starts_with(&format!("`{rule}` matches {words}")), "{out}");
    }
}

/// A process as `GET /api/v1/alerts` shows it.
fn api_process(pid: u32, name: &str, argument: &str) -> Value {
    let known = process(pid, name, argument);
    json!({
        "pid": pid, "start_time": 1, "generation": 1, "name": name, "command_line": known.command_line(),
        "executable": { "path": format!("/usr/bin/{name}"), "invoked_as": name, "upper_layer": false, "memfd": false,
            "unlinked": false, "set_id": true, "mode": "4755", "owner": 0, "inode": 7, "device": 1,
            "changed_at": "2026-11-22T18:42:02.662022Z", "modified_at": null },
        "arguments": known.arguments, "arguments_truncated": false, "working_directory": "/",
        "user": { "uid": 0, "euid": 0, "gid": 0, "egid": 0, "login_uid": null, "name": "root",
            "capabilities_effective": "00000000a80425fb", "capabilities_permitted": "0000000000000000" },
        "namespace_pid": pid, "terminal": null, "parent": { "pid": 7, "start_time": 1 }, "container_id": "4f1c", "started_at": null
    })
}

/// An alert as `GET /api/v1/alerts` shows it, about what this kind tells.
fn api_alert(kind: &Value) -> Value {
    json!({
        "id": "01900000-0000-7000-8000-000000000000", "rule": "R", "time": "2026-11-22T18:42:02.662022Z",
        "kind": kind, "audit": null, "process_chain": [api_process(9, "cat", "/etc/shadow"), api_process(7, "sh", "-c")],
        "container": { "id": "4f1c", "name": "web", "image": "docker.io/library/nginx:1.27", "image_digest": null,
            "runtime": "containerd", "privileged": false, "pod": { "name": "web-0", "namespace": "shop", "uid": "u",
            "service_account": null, "labels": {} }, "labels": {}, "cgroup_path": "/c", "created_at": null }
    })
}

#[test]
fn what_the_api_tells_of_alerts_is_explained() {
    let captured = Captured::make();
    let common = "proc.name = cat and proc.pname = sh and k8s.ns.name = shop and proc.exe_setuid = true \
                  and thread.cap_effective contains CAP_NET_RAW and container.image.tag = 1.27";
    let kinds = [
        (
            json!({ "type": "open", "path": "/etc/shadow", "path_source": "kernel", "host_path": null, "other_path": null,
                "flags": "O_WRONLY|O_CREAT|O_TRUNC", "created": true, "mode": 420, "owner": null, "group": null, "inode": null,
                "device": 1, "name": null, "error": 0 }),
            "evt.type = open and fd.name = /etc/shadow and evt.is_open_write = true and evt.arg.flags contains O_TRUNC",
        ),
        (
            json!({ "type": "connect", "family": 10, "protocol": 6, "socket_type": 1, "local": null,
                "remote": { "address": "2001:db8::1", "port": 3333 }, "path": null, "backlog": null, "flow": null, "error": 111 }),
            "evt.type = connect and fd.sport = 3333 and fd.sip = 2001:db8::1 and evt.res = ECONNREFUSED",
        ),
        (
            json!({ "type": "dns", "tcp": false, "local": null, "server": { "address": "10.0.0.10", "port": 53 }, "response": false,
                "id": 1, "code": 0, "questions": [{ "name": "a.example", "record_type": "A" }], "answers": [], "partial": false }),
            "evt.type = dns and dns.question.name = a.example",
        ),
        (
            json!({ "type": "ptrace", "arguments": [{ "name": "request", "value": "PTRACE_ATTACH" }],
                "target": { "pid": 1, "start_time": 5 }, "result": 0 }),
            "evt.type = ptrace and evt.arg.request = PTRACE_ATTACH and evt.failed = false",
        ),
        (json!({ "type": "exec" }), "evt.type = execve"),
        (
            json!({ "type": "exit", "code": 0, "signal": 9, "core_dumped": false }),
            "evt.type = procexit",
        ),
    ];
    for (kind, condition) in &kinds {
        let rule = format!(
            "- rule: R\n  desc: d\n  condition: {condition} and {common}\n  output: o\n  priority: NOTICE\n"
        );
        let rules = captured.write("api-rules.yaml", &rule);
        let page = json!({ "items": [api_alert(kind)], "next": null });
        let file = captured.write("page.json", &page.to_string());
        let (code, out, error) = said(&["why", argument(&file), "R", "--rules", argument(&rules)]);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{kind}");
        assert!(out.starts_with("`R` matches event 1: "), "{kind}: {out}");
    }
}

#[test]
fn an_event_and_a_request_of_the_api_are_explained_and_nothing_else_is_taken_for_one() {
    let captured = Captured::make();
    let rules = captured.write("rules.yaml", RULES);
    let event = json!({ "kind": { "type": "exec" }, "time": "2026-11-22T18:42:02Z", "process": api_process(9, "nc", "-l"), "container": null });
    let request = json!({ "cluster": "c", "node": "n", "audit_id": "a", "stage": "ResponseComplete", "level": "Metadata",
        "time": "2026-11-22T18:42:02Z", "received_at": "2026-11-22T18:42:02Z", "verb": "get", "request_uri": "/",
        "user": { "name": "eve", "uid": "", "groups": [], "extra": {} }, "impersonated_user": null, "source_ips": [],
        "user_agent": "", "object": null, "response_code": 200, "response_reason": null, "response_message": null,
        "response_name": null, "request_object": null, "request_object_dropped": false, "annotations": {} });
    let explained = |value: &Value, rule: &str| {
        let file = captured.write("event.json", &value.to_string());
        said(&["why", argument(&file), rule, "--rules", argument(&rules)])
    };
    assert!(explained(&event, "Netcat").1.starts_with("`Netcat` matches event 1: exec, nc (9)"));
    assert!(explained(&request, "Eve").1.starts_with("`Eve` matches event 1: get / by eve"));
    let mut unknown = event.clone();
    unknown["process"] = json!({ "pid": 9, "start_time": 1, "generation": 0 });
    let (code, _, error) = explained(&unknown, "Netcat");
    assert_eq!(code, Some(1));
    assert!(
        error.contains("event.json: process: nothing but the process's id is known"),
        "{error}"
    );
    let (_, _, error) = explained(&json!({ "hello": 1 }), "Netcat");
    assert!(error.contains("it is neither an alert, nor an event"), "{error}");
}
