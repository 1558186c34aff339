//! Records to send.

use event_model::{
    Alert, AlertSubject, Argument, AuditEvent, AuditObject, AuditUser, Component, Container,
    ContainerId, DnsEvent, DnsQuestion, Event, EventKind, FileAct, FileEvent, Host, MatchedField,
    NetworkEvent, Pod, Priority, Process, ProcessKey, ProcessRef, Record, SensorStatus,
    SourceDescription, SourceId, SystemAct, SystemEvent, Timestamp,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use uuid::Uuid;

/// When the numbered events begin.
static BEGIN: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);

/// An event whose process id is its number: the same whenever it is made.
pub fn numbered(number: u64) -> Record {
    let key = ProcessKey { pid: u32::try_from(number).unwrap(), start_time: 10_000_000 };
    Record::Event(Event {
        time: Timestamp(BEGIN.0 + number),
        process: ProcessRef { key, generation: 0 },
        container: None,
        kind: EventKind::Exec,
    })
}

pub fn process(pid: u32, parent: Option<u32>, arguments: &[&str]) -> Process {
    let reference =
        |pid| ProcessRef { key: ProcessKey { pid, start_time: 10_000_000 }, generation: 0 };
    let path = arguments[0];
    let mut process = Process {
        reference: reference(pid),
        parent: parent.map(reference),
        name: path.rsplit('/').next().unwrap().chars().take(15).collect(),
        arguments: arguments.iter().map(ToString::to_string).collect(),
        working_directory: "/".into(),
        started_at: Timestamp::now(),
        ..Process::default()
    };
    process.executable.path = path.into();
    process.executable.mode = 0o755;
    process
}

pub fn container(digit: char) -> Container {
    Container {
        id: container_id(digit),
        runtime: Some("containerd".into()),
        name: Some("app".into()),
        image: Some("docker.io/library/nginx:1.27".into()),
        pod: Some(Pod {
            uid: format!("uid-{digit}"),
            name: Some(format!("web-{digit}")),
            namespace: Some("shop".into()),
            ..Pod::default()
        }),
        ..Container::default()
    }
}

pub fn container_id(digit: char) -> ContainerId {
    digit.to_string().repeat(64).as_str().into()
}

pub fn alert(
    rule: &str,
    priority: Priority,
    arguments: &[&str],
    container: Option<Container>,
) -> Alert {
    let time = Timestamp::now();
    let actor = process(300, Some(200), arguments);
    Alert {
        id: Uuid::now_v7(),
        time,
        detected_at: Timestamp(time.0 + 3_200_000),
        rule: rule.into(),
        priority,
        message: format!("{rule}: {}", arguments.join(" ")),
        tags: vec!["container".into(), "T1059".into()],
        subject: AlertSubject::Act {
            event: Event {
                time,
                process: actor.reference,
                container: container.as_ref().map(|container| container.id.clone()),
                kind: EventKind::Exec,
            },
            process_chain: vec![
                actor,
                process(200, Some(100), &["/usr/sbin/nginx", "-g", "daemon off;"]),
                process(100, None, &["/usr/bin/containerd-shim-runc-v2"]),
            ],
            container,
        },
        host: Host {
            hostname: "ip-10-0-0-7".into(),
            kernel: "6.12.9".into(),
            operating_system: "Debian GNU/Linux 12 (bookworm)".into(),
            architecture: "x86_64".into(),
            ..Host::default()
        },
        matched_fields: vec![MatchedField { field: "proc.name".into(), value: "sh".into() }],
    }
}

/// An alert about a command that somebody runs in a pod by the API server.
pub fn audit_alert(rule: &str) -> Alert {
    let event = AuditEvent {
        audit_id: "a-1".into(),
        stage: "ResponseStarted".into(),
        verb: "create".into(),
        request_uri: "/api/v1/namespaces/shop/pods/web/exec?command=sh".into(),
        user: AuditUser {
            name: "eve@example.com".into(),
            groups: vec!["dev".into()],
            ..AuditUser::default()
        },
        source_ips: vec!["203.0.113.9".into()],
        user_agent: "kubectl/v1.36".into(),
        object: Some(AuditObject {
            resource: "pods".into(),
            subresource: Some("exec".into()),
            namespace: Some("shop".into()),
            name: Some("web".into()),
            ..AuditObject::default()
        }),
        response_code: Some(101),
        ..AuditEvent::default()
    };
    let subject = AlertSubject::Audit(Box::new(event));
    Alert { subject, ..alert(rule, Priority::Notice, &["kubectl"], None) }
}

pub fn status(source: SourceId, component: Component, problems: &[&str]) -> Record {
    Record::SensorStatus(Box::new(SensorStatus {
        description: SourceDescription {
            id: source,
            component,
            version: "0.1.0".into(),
            node: "what the payload says".into(),
            boot_id: Uuid::from_u128(1),
        },
        started_at: Timestamp::now(),
        observed_at: Timestamp::now(),
        problems: problems.iter().map(ToString::to_string).collect(),
        probes: Vec::new(),
        rules_loaded: 10,
        blind_rules: Vec::new(),
        counters: BTreeMap::from([("events_captured".into(), 7)]),
    }))
}

/// An act of each subject.
pub fn acts() -> [EventKind; 4] {
    let rename = FileEvent {
        act: FileAct::Rename,
        path: "/var/log/auth.log".into(),
        other_path: Some("/tmp/gone".into()),
        ..FileEvent::default()
    };
    let connect = NetworkEvent {
        family: 2,
        remote: "203.0.113.9:4444".parse().ok(),
        ..NetworkEvent::default()
    };
    let question = DnsQuestion { name: "pool.example".into(), record_type: "A".into() };
    let dns = DnsEvent { questions: vec![question], ..DnsEvent::default() };
    let ptrace = SystemEvent {
        act: SystemAct::Ptrace,
        arguments: vec![Argument { name: "request".into(), value: "PTRACE_ATTACH".into() }],
        ..SystemEvent::default()
    };
    [
        EventKind::File(Box::new(rename)),
        EventKind::Network(Box::new(connect)),
        EventKind::Dns(Box::new(dns)),
        EventKind::System(Box::new(ptrace)),
    ]
}
