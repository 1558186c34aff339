//! Rules about requests to the API server of Kubernetes.

use detection::{AuditAct, Engine, EventSource, EventType, RuleSet, SourceFile};
use event_model::{AuditEvent, AuditObject, AuditUser, Event, EventKind, Host, Process, Timestamp};
use proptest::prelude::*;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

fn engine(text: &str) -> Engine {
    let rules = RuleSet::load(&[SourceFile { name: "rules/mine.yaml", text }]);
    Engine::compile(rules.unwrap_or_else(|error| panic!("{error}")))
}

/// A rule about audit events by its condition.
fn of(condition: &str) -> Engine {
    engine(&format!(
        "- rule: R\n  desc: D.\n  condition: >\n    {condition}\n  output: O\n  priority: NOTICE\n  source: k8s_audit\n"
    ))
}

fn request(object: &str) -> AuditEvent {
    AuditEvent {
        stage: "ResponseComplete".into(),
        verb: "create".into(),
        request_uri: "/api/v1/namespaces/shop/pods?dryRun=All".into(),
        user: AuditUser { name: "eve".into(), groups: vec!["dev".into()], ..AuditUser::default() },
        source_ips: vec!["10.0.0.7".into()],
        object: Some(AuditObject {
            resource: "pods".into(),
            namespace: Some("shop".into()),
            ..AuditObject::default()
        }),
        response_code: Some(201),
        response_name: Some("web-x7".into()),
        request_object: Some(object.to_owned()),
        stage_at: Timestamp(1_800_000_000_000_000_000),
        ..AuditEvent::default()
    }
}

fn matches(engine: &Engine, event: &AuditEvent) -> bool {
    let host = Host { hostname: "control-1".into(), ..Host::default() };
    engine.evaluate_audit(&AuditAct { event, host: &host }).next().is_some()
}

/// Whether a condition holds for a pod with these images.
fn holds(condition: &str, images: &[&str]) -> bool {
    let containers: Vec<_> =
        images.iter().map(|image| format!("{{\"image\":\"{image}\"}}")).collect();
    let object = format!("{{\"spec\":{{\"containers\":[{}]}}}}", containers.join(","));
    matches(&of(condition), &request(&object))
}

#[test]
fn a_list_is_in_another_with_all_of_its_values_and_intersects_it_with_any() {
    let within = "ka.req.pod.containers.image in (a, b)";
    assert!(holds(within, &["a", "b"]) && !holds(within, &["a", "c"]));
    let intersecting = "ka.req.pod.containers.image intersects (a, b)";
    assert!(holds(intersecting, &["c", "b"]) && !holds(intersecting, &["c"]));
    let equal = "ka.req.pod.containers.image = a";
    assert!(holds(equal, &["c", "a"]) && !holds(equal, &["c"]));
    let unequal = "ka.req.pod.containers.image != a";
    assert!(holds(unequal, &["c", "b"]) && !holds(unequal, &["c", "a"]));
    let first = "ka.req.pod.containers.image[0] in (a)";
    assert!(holds(first, &["a", "c"]) && !holds(first, &["c", "a"]));
}

#[test]
fn a_missing_value_makes_every_comparison_false() {
    for comparison in ["= a", "!= a", "in (a)", "intersects (a)", "exists", "contains a"] {
        assert!(!holds(&format!("ka.req.pod.initContainers.image {comparison}"), &["a"]));
        assert!(!holds(&format!("ka.target.name {comparison}"), &["a"]));
        assert!(holds(&format!("not ka.target.name {comparison}"), &["a"]));
        assert!(!holds(&format!("ka.req.pod.containers.image {comparison}"), &[]));
    }
}

#[test]
fn rules_are_asked_of_the_events_of_their_source_alone() {
    let text = "
- macro: always
  condition: (evt.num > 0)
- rule: Request
  desc: D.
  condition: always and not ka.verb = get
  output: O
  priority: NOTICE
  source: k8s_audit
- rule: Act
  desc: D.
  condition: always and not proc.name = sh
  output: O
  priority: NOTICE
  source: syscall
";
    let engine = engine(text);
    let sources: Vec<_> = engine.rules().iter().map(|rule| rule.source().name()).collect();
    assert_eq!(sources, ["k8s_audit", "syscall"]);
    let host = Host::default();
    let event = request("{}");
    let audit: Vec<_> = engine
        .evaluate_audit(&AuditAct { event: &event, host: &host })
        .map(|matched| matched.rule().name().to_owned())
        .collect();
    assert_eq!(audit, ["Request"]);
    let process = Process { name: "nc".into(), ..Process::default() };
    let event = Event {
        time: Timestamp(1),
        process: process.reference,
        container: None,
        kind: EventKind::Exec,
    };
    let act = detection::Act {
        event: &event,
        process: &process,
        ancestors: &[],
        container: None,
        host: &host,
        remote_name: None,
        is_on_sensor: false,
        environment: None,
        login_name: None,
        group_name: None,
    };
    let acts: Vec<_> =
        engine.evaluate(&act).map(|matched| matched.rule().name().to_owned()).collect();
    assert_eq!(acts, ["Act"]);
    assert!(engine.looks_at_audit() && engine.blind_rules(EventType::is_seen).is_empty());
}

#[test]
fn rules_about_requests_ask_for_nothing_of_the_kernel() {
    let engine = of("not ka.verb = get");
    assert!(
        EventType::seen()
            .all(|event_type| !engine.looks_at(event_type) && !engine.wants(event_type))
    );
    assert_eq!(engine.rules()[0].source(), EventSource::KubernetesAudit);
    assert!(!engine.event_types().contains(EventType::EXECVE));
}

#[test]
fn an_output_prints_what_a_request_shows() {
    let engine = engine(
        "
- rule: R
  desc: D.
  condition: ka.req.pod.containers.image intersects (evil) and ka.user.groups intersects (dev, ops)
  output: >-
    pod | user=%ka.user.name pod=%ka.resp.name name=%ka.target.name images=%ka.req.pod.containers.image
    first=%ka.req.pod.containers.image[0] code=%ka.response.code dry=%ka.uri.param[dryRun] %10ka.verb|
  priority: NOTICE
  source: k8s_audit
",
    );
    let event = request(r#"{"spec":{"containers":[{"image":"good"},{"image":"evil"}]}}"#);
    let host = Host::default();
    let act = AuditAct { event: &event, host: &host };
    let matched = engine.evaluate_audit(&act).next().expect("it matches");
    assert_eq!(
        matched.message(),
        "pod | user=eve pod=web-x7 name=<NA> images=(good,evil) first=good code=201 dry=(All) create    |"
    );
    let fields: Vec<_> = matched
        .matched_fields()
        .iter()
        .map(|field| (field.field.as_str(), field.value.as_str()))
        .collect();
    assert_eq!(fields, [("ka.req.pod.containers.image", "evil"), ("ka.user.groups", "dev")]);
}

/// Rules that look at every container, a hundred of them.
fn hundred_rules() -> Engine {
    let rule = |number: usize| {
        format!(
            "- rule: R{number}\n  desc: D.\n  condition: >\n    not ka.req.pod.containers.image intersects (a{number}) and \
             ka.req.pod.containers.image glob \"*x{number}\" and ka.req.pod.containers.privileged intersects (true)\n  \
             output: O %ka.req.pod.containers.image\n  priority: NOTICE\n  source: k8s_audit\n"
        )
    };
    engine(&(0..100).map(rule).collect::<String>())
}

#[test]
fn objects_as_large_and_as_deep_as_clients_make_them_take_bounded_time() {
    let engine = hundred_rules();
    let deep = format!("{}1{}", "{\"spec\":[".repeat(200), "]}".repeat(200));
    let wide = format!("{{\"spec\":{{\"containers\":[{}]}}}}", vec!["{}"; 10_000].join(","));
    let images =
        format!("{{\"spec\":{{\"containers\":[{}]}}}}", vec![r#"{"image":"i"}"#; 4_500].join(","));
    let one = format!("{{\"spec\":\"{}\"}}", "\\u0001".repeat((64 << 10) / 6 - 10));
    for object in [&deep, &wide, &images, &one] {
        assert!(object.len() <= 64 << 10, "{} bytes", object.len());
        let began = Instant::now();
        assert!(!matches(&engine, &request(object)));
        // Unoptimized, and beside other tests.
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

/// A rule for each field of a request's object.
static EACH_FIELD: LazyLock<Vec<Engine>> = LazyLock::new(|| {
    let fields = detection::fields().iter().filter(|field| field.name.starts_with("ka.req."));
    fields.map(|field| of(&format!("{} exists", field.name))).collect()
});

proptest! {
    #[test]
    fn no_object_makes_a_rule_panic(object in ".{0,200}", pointer in "(/[a-z~0-9]{0,4}){1,4}") {
        let engine = of(&format!("jevt.value[{pointer}] exists or ka.req.role.rules[0] contains a or jevt.obj exists"));
        matches(&engine, &request(&object));
    }

    #[test]
    fn every_field_of_any_json_has_a_value_or_none(depth in 0_usize..100, key in "spec|rules|subjects|data|metadata") {
        let object = format!("{}null{}", format!("{{\"{key}\":[").repeat(depth), "]}".repeat(depth));
        for engine in EACH_FIELD.iter() {
            matches(engine, &request(&object));
        }
    }
}
