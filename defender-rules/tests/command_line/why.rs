//! `why`.

use crate::captures::{Captured, RULES};
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

/// A page of `GET /api/v1/alerts`; the backend's tests keep it current.
const PAGE: &str = include_str!("alert-page.json");

/// An alert of that page.
fn alert_of_page(place: usize) -> Value {
    let page: Value = serde_json::from_str(PAGE).expect("JSON");
    page["items"][place].clone()
}

#[test]
fn what_the_api_tells_of_alerts_is_explained() {
    let captured = Captured::make();
    let common = "proc.name = cat and proc.pname = sh and k8s.ns.name = shop and proc.exe_setuid = true and proc.tty != 0 \
                  and proc.is_exe_upper_layer = true and thread.cap_effective = CAP_NET_RAW and container.image.tag = 1.27 \
                  and user.name = eve and user.loginuid = 1000 and proc.args = /etc/shadow and proc.cwd = /srv/ and proc.ppid = 8";
    let of_acts = [
        "evt.type = execve",
        "evt.type = clone",
        "evt.type = procexit",
        "evt.type = open and fd.name = /etc/shadow and evt.is_open_write = true and evt.arg.flags contains O_TRUNC and evt.failed = false",
        "evt.type = mount and evt.arg.flags = MS_BIND",
        "evt.type = connect and fd.sport = 3333 and fd.sip = 2001:db8::1 and evt.res = ECONNREFUSED",
        "evt.type = close and fd.name = \"10.0.0.1:40000->192.0.2.1:443\"",
        "evt.type = dns and dns.question.name = a.example and dns.answer = 192.0.2.1",
        "evt.type = ptrace and evt.arg.request = PTRACE_ATTACH and target.pid = 77",
    ];
    let of_acts = of_acts.map(|condition| format!("{condition} and {common}"));
    let of_requests = "ka.verb = create and ka.user.name = eve and ka.target.resource = pods and ka.response.code = 201";
    let conditions =
        of_acts.iter().map(|it| (it.as_str(), "syscall")).chain([(of_requests, "k8s_audit")]);
    let page = captured.write("page.json", PAGE);
    for (number, (condition, source)) in (1..).zip(conditions) {
        let rule = format!(
            "- rule: R\n  desc: d\n  source: {source}\n  condition: '{condition}'\n  output: o\n  priority: NOTICE\n"
        );
        let rules = captured.write("api-rules.yaml", &rule);
        let number = number.to_string();
        let (code, out, error) =
            said(&["why", argument(&page), "R", "--rules", argument(&rules), "--event", &number]);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{condition}");
        assert!(out.starts_with(&format!("`R` matches event {number}: ")), "{out}");
    }
    assert_eq!(alert_of_page(10), Value::Null, "each was explained");
}

#[test]
fn an_event_and_a_request_of_the_api_are_explained_and_nothing_else_is_taken_for_one() {
    let captured = Captured::make();
    let rules = captured.write("rules.yaml", RULES);
    let mut process = alert_of_page(0)["process_chain"][0].take();
    process["name"] = json!("nc");
    let event = json!({ "kind": { "type": "exec" }, "time": "2026-11-22T18:42:02Z", "process": process, "container": null });
    let request = alert_of_page(9)["audit"].take();
    let explained = |value: &Value, rule: &str| {
        let file = captured.write("event.json", &value.to_string());
        said(&["why", argument(&file), rule, "--rules", argument(&rules)])
    };
    assert!(explained(&event, "Netcat").1.starts_with("`Netcat` matches event 1: exec, nc (9)"));
    assert!(explained(&request, "Eve").1.starts_with("`Eve` matches event 1: create pods by eve"));
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
