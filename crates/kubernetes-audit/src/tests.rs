use super::*;
use proptest::prelude::*;

/// As the API server of Kubernetes 1.36 lays an event out.
const EXEC: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/pods/web/exec?command=sh","verb":"create","user":{"username":"eve","uid":"","groups":["dev","system:authenticated"],"extra":{"k":["v","w"]}},"impersonatedUser":{"username":"system:serviceaccount:shop:web"},"sourceIPs":["10.0.0.7","10.0.0.8"],"userAgent":"kubectl/v1.36 \u0022q\u0022","objectRef":{"resource":"pods","namespace":"shop","name":"web","apiVersion":"v1","subresource":"exec"},"responseStatus":{"metadata":{},"status":"Failure","message":"no","reason":"Forbidden","code":403},"requestReceivedTimestamp":"2026-11-22T18:42:02.662022Z","stageTimestamp":"2026-11-22T18:42:02.664149Z","annotations":{"authorization.k8s.io/decision":"forbid"}}"#;

#[test]
fn an_event_tells_who_asked_for_what_and_was_answered_how() {
    let event = parse(EXEC.as_bytes()).unwrap();
    assert_eq!((event.verb.as_str(), event.audit_id.as_str()), ("create", "a-1"));
    assert_eq!(
        (event.stage.as_str(), event.level.as_str()),
        ("ResponseComplete", "RequestResponse")
    );
    assert_eq!(event.user.name, "eve");
    assert_eq!(event.user.groups, ["dev", "system:authenticated"]);
    assert_eq!(event.user.extra["k"], "v,w");
    assert_eq!(event.impersonated_user.unwrap().name, "system:serviceaccount:shop:web");
    assert_eq!(event.source_ips, ["10.0.0.7", "10.0.0.8"]);
    assert_eq!(event.user_agent, "kubectl/v1.36 \"q\"");
    let object = event.object.unwrap();
    assert_eq!((object.resource.as_str(), object.subresource.as_deref()), ("pods", Some("exec")));
    assert_eq!((object.namespace.as_deref(), object.name.as_deref()), (Some("shop"), Some("web")));
    assert_eq!(
        (event.response_code, event.response_reason.as_deref()),
        (Some(403), Some("Forbidden"))
    );
    assert_eq!(event.received_at, Timestamp(1_795_372_922_662_022_000));
    assert!(event.stage_at > event.received_at);
    assert_eq!(event.annotations["authorization.k8s.io/decision"], "forbid");
}

#[test]
fn empty_lists_are_null_in_go() {
    let line = EXEC.replace(r#"["10.0.0.7","10.0.0.8"]"#, "null");
    assert!(parse(line.as_bytes()).unwrap().source_ips.is_empty());
}

#[test]
fn a_generated_name_is_taken_from_the_response() {
    let response =
        r#""responseObject":{"kind":"Pod","metadata":{"name":"web-x7"},"spec":{"a":[{}]}},"verb""#;
    let line = EXEC.replace("\"verb\"", response);
    assert_eq!(parse(line.as_bytes()).unwrap().response_name.as_deref(), Some("web-x7"));
}

#[test]
fn what_is_no_event_is_refused_by_its_reason() {
    let refusal = |line: &str| parse(line.as_bytes()).unwrap_err().to_string();
    assert!(
        refusal("{}").starts_with("not an audit event: missing field `auditID`"),
        "{}",
        refusal("{}")
    );
    let policy = EXEC.replace("\"kind\":\"Event\"", "\"kind\":\"Policy\"");
    assert!(refusal(&policy).contains("\"Policy\" of \"audit.k8s.io/v1\""), "{}", refusal(&policy));
    let late = EXEC.replace("2026-11-22T18:42:02.664149Z", "soon");
    assert_eq!(refusal(&late), "stageTimestamp is no time: \"soon\"");
    assert!(matches!(parse(&vec![b' '; MAXIMUM_EVENT_BYTES + 1]), Err(AuditError::TooLarge(_))));
}

#[test]
fn no_field_of_a_client_s_choice_grows_without_bound() {
    let agent = EXEC.replace("kubectl/v1.36", &"ü".repeat(100_000));
    let groups = agent.replace("\"dev\"", &vec!["\"g\""; 10_000].join(","));
    let event = parse(groups.as_bytes()).unwrap();
    assert!(event.user_agent.len() < 2000 && event.user_agent.ends_with('…'));
    assert_eq!(event.user.groups.len(), 64);
}

#[test]
#[ignore = "takes an audit log: DEFENDER_AUDIT_LOG=/path/to/audit.log cargo test -p kubernetes-audit -- --ignored"]
fn every_event_of_a_real_server_is_read() {
    let path = std::env::var("DEFENDER_AUDIT_LOG").expect("DEFENDER_AUDIT_LOG names an audit log");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut verbs = std::collections::BTreeMap::new();
    for (place, line) in text.lines().enumerate() {
        let event =
            parse(line.as_bytes()).unwrap_or_else(|error| panic!("line {}: {error}", place + 1));
        // A request that was refused before anybody knew whose it is names nobody.
        assert!(!event.user.name.is_empty() || event.response_code == Some(401), "{event:?}");
        assert!(!event.verb.is_empty() && !event.source_ips.is_empty(), "{event:?}");
        let is_secret = event.object.as_ref().is_some_and(|object| object.resource == "secrets");
        if let (true, Some(json)) = (is_secret, &event.request_object) {
            let secret: serde_json::Value = serde_json::from_str(json).unwrap();
            for (_, value) in secret["data"].as_object().into_iter().flatten() {
                assert_eq!(value, "(removed)");
            }
        }
        *verbs.entry(event.verb).or_insert(0) += 1;
    }
    println!("{verbs:?}");
    assert!(verbs.values().sum::<i32>() > 0);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_damage_to_an_event_makes_the_reader_panic(place in 0..EXEC.len(), byte in any::<u8>()) {
        let mut line = EXEC.as_bytes().to_vec();
        line[place] = byte;
        let _ = parse(&line);
    }
}

#[test]
fn an_event_of_a_list_may_leave_out_what_the_list_says() {
    let item = br#"{"level":"Metadata","auditID":"a","stage":"ResponseComplete","verb":"list",
        "requestReceivedTimestamp":"2026-11-23T12:00:00.000001Z","stageTimestamp":"2026-11-23T12:00:00.000002Z"}"#;
    assert_eq!(parse_item(item).expect("an event").audit_id, "a");
    assert!(matches!(parse(item), Err(AuditError::Kind { .. })));
    let other = br#"{"kind":"Pod","apiVersion":"v1","auditID":"a","stage":"x","verb":"list",
        "requestReceivedTimestamp":"2026-11-23T12:00:00Z","stageTimestamp":"2026-11-23T12:00:00Z"}"#;
    assert!(matches!(parse_item(other), Err(AuditError::Kind { .. })));
}

#[test]
fn an_object_that_the_server_left_out_is_told() {
    let truncated = |verb: &str| {
        let item = format!(
            r#"{{"auditID":"a","stage":"ResponseComplete","verb":"{verb}","requestReceivedTimestamp":"2026-11-23T12:00:00Z",
            "stageTimestamp":"2026-11-23T12:00:00Z","annotations":{{"audit.k8s.io/truncated":"true"}}}}"#
        );
        parse_item(item.as_bytes()).unwrap().request_object_dropped
    };
    assert!(truncated("create") && truncated("patch"));
    assert!(!truncated("list"), "it had none: its response was large");
}
