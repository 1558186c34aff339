//! Findings hold what the published schema of OCSF asks of the class Detection Finding.

mod schema;

use event_model::{
    Alert, AlertSubject, Argument, AuditEvent, AuditObject, AuditUser, Container, DnsAnswer,
    DnsEvent, DnsQuestion, Event, EventKind, Executable, ExitStatus, FileAct, FileEvent, Flow,
    Host, MatchedField, NetworkAct, NetworkEvent, Pod, Priority, Process, ProcessKey, ProcessRef,
    SystemAct, SystemEvent, Timestamp,
};
use ocsf::{Repeats, Source, detection_finding};
use schema::Schema;
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

const NOON: Timestamp = Timestamp(1_795_435_200_123_456_789);

fn process(pid: u32, path: &str) -> Process {
    let executable = Executable {
        path: path.to_owned(),
        inode: 7,
        device: 8,
        modified_at: NOON,
        unlinked: true,
        ..Executable::default()
    };
    Process {
        reference: ProcessRef { key: ProcessKey { pid, start_time: 10_000_000 }, generation: 1 },
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        executable,
        arguments: vec![path.to_owned(), "-c".to_owned()],
        working_directory: "/tmp".to_owned(),
        user_name: Some("root".to_owned()),
        namespace_pid: 3,
        terminal: Some("pts0".to_owned()),
        started_at: NOON,
        ..Process::default()
    }
}

fn labels() -> BTreeMap<String, String> {
    [("app", "web"), ("empty", "")].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn container() -> Container {
    Container {
        id: "3f5e9c1d7a2b".into(),
        runtime: Some("containerd".to_owned()),
        name: Some("app".to_owned()),
        image: Some("registry.example:5000/shop/web:1.27".to_owned()),
        image_digest: Some("sha256:00".to_owned()),
        pod: Some(Pod {
            uid: "6f1a4d0e-0000-4000-8000-000000000001".to_owned(),
            name: Some("web-7d9".to_owned()),
            namespace: Some("shop".to_owned()),
            labels: labels(),
            service_account: Some("web".to_owned()),
        }),
        labels: labels(),
        privileged: Some(false),
        ..Container::default()
    }
}

fn alert(kind: EventKind, container: Option<Container>) -> Alert {
    let chain = vec![process(7, "/bin/sh"), process(5, "/usr/bin/runc"), process(1, "/sbin/init")];
    let event = Event {
        time: NOON,
        process: chain[0].reference,
        container: container.as_ref().map(|container| container.id.clone()),
        kind,
    };
    Alert {
        id: Uuid::from_u128(9),
        time: NOON,
        detected_at: NOON,
        rule: "Shell in a container".to_owned(),
        priority: Priority::Warning,
        message: "a shell".to_owned(),
        tags: ["container", "mitre_execution", "T1059.004", "T1611"].map(str::to_owned).into(),
        subject: AlertSubject::Act { event, process_chain: chain, container },
        host: Host {
            boot_id: Uuid::from_u128(5),
            node: "node-1".to_owned(),
            hostname: "node-1.example".to_owned(),
            machine_id: Some("m".to_owned()),
            kernel: "6.18.0".to_owned(),
            operating_system: "Debian 13".to_owned(),
            architecture: "x86_64".to_owned(),
        },
        matched_fields: vec![MatchedField {
            field: "proc.name".to_owned(),
            value: "sh".to_owned(),
        }],
    }
}

fn request() -> Alert {
    let user = AuditUser {
        name: "system:serviceaccount:shop:web".to_owned(),
        uid: "u1".to_owned(),
        groups: vec!["system:authenticated".to_owned()],
        extra: BTreeMap::new(),
    };
    let object = AuditObject {
        resource: "pods".to_owned(),
        subresource: Some("exec".to_owned()),
        namespace: Some("shop".to_owned()),
        name: Some("web-7d9".to_owned()),
        api_version: Some("v1".to_owned()),
        api_group: Some("apps".to_owned()),
        ..AuditObject::default()
    };
    let event = AuditEvent {
        audit_id: "a1".to_owned(),
        verb: "create".to_owned(),
        request_uri: "/api/v1/namespaces/shop/pods/web-7d9/exec?command=sh".to_owned(),
        impersonated_user: Some(user.clone()),
        user,
        source_ips: vec!["192.0.2.1".to_owned(), "10.0.0.1".to_owned(), "nonsense".to_owned()],
        user_agent: "kubectl/1.35".to_owned(),
        object: Some(object),
        response_code: Some(403),
        response_reason: Some("Forbidden".to_owned()),
        response_message: Some("no".to_owned()),
        request_object: Some("{\"kind\":\"PodExecOptions\"}".to_owned()),
        ..AuditEvent::default()
    };
    Alert { subject: AlertSubject::Audit(Box::new(event)), ..alert(EventKind::Exec, None) }
}

fn file(act: FileAct, mode: u32) -> EventKind {
    let path = "/etc/shadow".to_owned();
    EventKind::File(Box::new(FileEvent { act, path, mode, inode: 4, ..FileEvent::default() }))
}

fn network(act: NetworkAct, local: &str, remote: Option<&str>) -> EventKind {
    let flow = Flow { inbound: true, ..Flow::default() };
    EventKind::Network(Box::new(NetworkEvent {
        act,
        protocol: 6,
        local: local.parse().ok(),
        remote: remote.and_then(|text| text.parse().ok()),
        flow: (act == NetworkAct::Close).then_some(flow),
        ..NetworkEvent::default()
    }))
}

fn query() -> EventKind {
    let question = |name: &str| DnsQuestion { name: name.to_owned(), record_type: "A".to_owned() };
    EventKind::Dns(Box::new(DnsEvent {
        local: "10.0.0.2:40000".parse().ok(),
        server: "10.96.0.10:53".parse().ok(),
        id: 7,
        questions: vec![question("pool.example"), question("other.example")],
        answers: vec![DnsAnswer { data: "192.0.2.9".to_owned(), ..DnsAnswer::default() }],
        ..DnsEvent::default()
    }))
}

fn system() -> EventKind {
    let argument = Argument { name: "request".to_owned(), value: "PTRACE_ATTACH".to_owned() };
    EventKind::System(Box::new(SystemEvent {
        act: SystemAct::Ptrace,
        arguments: vec![argument],
        target: Some(ProcessRef::default()),
        result: Some(-1),
    }))
}

fn unix_socket() -> EventKind {
    let path = Some("/run/docker.sock".to_owned());
    EventKind::Network(Box::new(NetworkEvent { path, family: 1, ..NetworkEvent::default() }))
}

/// Alerts about everything that there is, in a container and on the host.
fn alerts() -> Vec<Alert> {
    let exit = EventKind::Exit(ExitStatus { code: 1, signal: 0, core_dumped: false });
    let fork = EventKind::Fork { child: ProcessKey::default() };
    let mut kinds = vec![EventKind::Exec, fork, exit, query(), system(), unix_socket()];
    let modes = [0o100_644, 0o040_755, 0o020_600, 0o060_600, 0o140_600, 0o010_600, 0o120_777, 0];
    kinds.extend(FileAct::ALL.into_iter().zip(modes.into_iter().cycle()).map(|(a, m)| file(a, m)));
    for act in NetworkAct::ALL {
        kinds.push(network(act, "10.0.0.1:22", Some("192.0.2.1:50000")));
        kinds.push(network(act, "[2001:db8::1]:22", Some("[fe80::1%3]:50000")));
        kinds.push(network(act, "[::ffff:10.0.0.1]:22", None));
    }
    let bare = Container { id: "c1".into(), pod: Some(Pod::default()), ..Container::default() };
    let mut alerts: Vec<Alert> = kinds
        .iter()
        .flat_map(|kind| {
            [None, Some(container()), Some(bare.clone())].map(|it| alert(kind.clone(), it))
        })
        .collect();
    alerts.push(request());
    alerts.extend(Priority::ALL.map(|priority| Alert { priority, ..request() }));
    alerts.push(nothing_known(&alert(EventKind::Exec, None)));
    let empty = AlertSubject::Audit(Box::default());
    alerts.push(Alert { subject: empty, ..nothing_known(&request()) });
    alerts
}

/// What a sensor that knows next to nothing says.
fn nothing_known(alert: &Alert) -> Alert {
    let event = Event {
        time: Timestamp(0),
        process: ProcessRef::default(),
        container: Some("c1".into()),
        kind: EventKind::File(Box::default()),
    };
    let subject =
        AlertSubject::Act { event, process_chain: vec![Process::default()], container: None };
    Alert {
        rule: String::new(),
        message: String::new(),
        tags: vec![String::new()],
        subject,
        host: Host::default(),
        matched_fields: vec![],
        ..alert.clone()
    }
}

fn source() -> Source<'static> {
    let repeats =
        Repeats { repeated: 3, rate_limited: 4, until: Some(Timestamp(NOON.0 + 5_000_000)) };
    Source {
        version: "0.1.0",
        cluster: Some("main"),
        node: Some("node-1"),
        received_at: Some(NOON),
        repeats,
    }
}

#[test]
fn every_finding_is_as_the_published_schema_asks() {
    let schema = Schema::read();
    assert_eq!(schema.version(), ocsf::VERSION);
    for alert in alerts() {
        for source in [Source { version: "0.1.0", ..Source::default() }, source()] {
            let finding = detection_finding(&alert, &source);
            let wrong = schema.problems(&finding);
            assert!(wrong.is_empty(), "{wrong:#?}\nin {finding:#}");
        }
    }
}

#[test]
fn what_the_schema_refuses_is_found() {
    let schema = Schema::read();
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut finding = detection_finding(&alert(EventKind::Exec, Some(container())), &source());
        change(&mut finding);
        schema.problems(&finding).join("; ")
    };
    let problems = broken(&|it| it["severity_id"] = 9.into());
    assert_eq!(problems, "severity_id: 9 is none of the schema's");
    let problems = broken(&|it| it["metadata"]["product"] = serde_json::json!({"version": "1"}));
    assert!(problems.contains("metadata.product: needs one of name, uid"), "{problems}");
    let problems = broken(&|it| it["evidences"][0]["process"]["pid"] = "7".into());
    assert!(problems.contains("evidences[0].process.pid: \"7\" is no integer_t"), "{problems}");
    let problems = broken(&|it| it["finding_info"]["uuid"] = "7".into());
    assert!(problems.contains("finding_info.uuid: unknown attribute"), "{problems}");
    let problems = broken(&|it| it["time"] = Value::Null);
    assert!(problems.contains("time"), "{problems}");
    let problems = broken(&|it| it["severity"] = "Grave".into());
    assert!(problems.contains("severity: \"Grave\" is not the caption of 3"), "{problems}");
    let problems = broken(&|it| it["metadata"]["profiles"] = serde_json::json!(["host"]));
    assert!(problems.contains("is_alert: belongs to the profile security_control"), "{problems}");
}

#[test]
fn a_finding_says_who_did_what_where() {
    let finding =
        detection_finding(&alert(file(FileAct::Open, 0o100_600), Some(container())), &source());
    assert_eq!((&finding["class_uid"], &finding["type_uid"]), (&2004.into(), &200_401.into()));
    assert_eq!((&finding["severity_id"], &finding["severity"]), (&3.into(), &"Medium".into()));
    assert_eq!(finding["time"], 1_795_435_200_123_u64);
    assert_eq!(finding["count"], 4);
    assert_eq!(finding["end_time"], 1_795_435_200_128_u64);
    assert_eq!(finding["finding_info"]["attacks"][0]["sub_technique"]["uid"], "T1059.004");
    let evidence = &finding["evidences"][0];
    assert_eq!(evidence["file"]["path"], "/etc/shadow");
    assert_eq!(evidence["process"]["parent_process"]["name"], "runc");
    assert_eq!(evidence["process"]["ancestry"][1]["name"], "init");
    assert_eq!(evidence["container"]["image"]["uid"], "sha256:00");
    assert_eq!(finding["resources"][1]["name"], "web-7d9");
    assert_eq!(finding["device"]["hostname"], "node-1.example");
    let observables = finding["observables"].as_array().expect("observables");
    let has = |kind: u32, value: &str| {
        observables.iter().any(|it| it["type_id"] == kind && it["value"] == value)
    };
    assert!(
        has(45, "/etc/shadow") && has(13, "/bin/sh -c") && has(1, "node-1.example"),
        "{observables:#?}"
    );
}

#[test]
fn a_connection_that_came_in_has_its_other_end_as_the_source() {
    let finding = |act| {
        let kind = network(act, "10.0.0.1:22", Some("192.0.2.1:50000"));
        let finding = detection_finding(&alert(kind, None), &source());
        let evidence = &finding["evidences"][0];
        let end = |name: &str| evidence[name]["ip"].as_str().map(str::to_owned);
        (evidence["connection_info"]["direction"].clone(), end("src_endpoint"), end("dst_endpoint"))
    };
    let (there, here) = (Some("192.0.2.1".to_owned()), Some("10.0.0.1".to_owned()));
    assert_eq!(finding(NetworkAct::Accept), ("Inbound".into(), there.clone(), here.clone()));
    assert_eq!(finding(NetworkAct::Connect), ("Outbound".into(), here, there));
}

#[test]
fn a_request_tells_its_user_its_object_and_the_answer() {
    let finding = detection_finding(&request(), &source());
    let evidence = &finding["evidences"][0];
    assert_eq!(evidence["actor"]["user"]["name"], "system:serviceaccount:shop:web");
    assert_eq!(evidence["api"]["operation"], "create");
    assert_eq!(evidence["api"]["response"]["code"], 403);
    assert_eq!(evidence["src_endpoint"]["ip"], "192.0.2.1");
    assert_eq!(finding["resources"][0]["name"], "web-7d9");
}
