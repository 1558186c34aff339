//! What the API answers with, as others read it.

use super::{Alert, AlertPage};
use crate::alerts::CompleteAlert;
use crate::store::{HeldCounts, Publisher};
use event_model as model;
use event_model::{
    AlertSubject, Argument, AuditEvent, AuditObject, AuditUser, Container, ContainerId,
    Credentials, DnsAnswer, DnsEvent, DnsQuestion, Event, EventKind, Executable, ExitStatus,
    FileAct, FileEvent, Flow, Host, MatchedField, NetworkAct, NetworkEvent, PathSource, Pod,
    Priority, Process, ProcessKey, ProcessRef, SystemAct, SystemEvent, Timestamp,
};
use std::path::Path;
use uuid::Uuid;

const NOON: Timestamp = Timestamp(1_800_000_000_000_000_000);

fn reference(pid: u32) -> ProcessRef {
    ProcessRef { key: ProcessKey { pid, start_time: 50 }, generation: 1 }
}

fn process(pid: u32, name: &str, argument: &str) -> Process {
    Process {
        reference: reference(pid),
        parent: Some(reference(pid - 1)),
        name: name.to_owned(),
        executable: Executable {
            path: format!("/usr/bin/{name}"),
            invoked_as: name.to_owned(),
            inode: 7,
            device: 1,
            mode: 0o10_4755,
            changed_at: NOON,
            upper_layer: true,
            ..Executable::default()
        },
        arguments: vec![name.to_owned(), argument.to_owned()],
        working_directory: "/srv".to_owned(),
        credentials: Credentials {
            uid: 1000,
            login_uid: Some(1000),
            capabilities_effective: 1 << 13,
            ..Credentials::default()
        },
        user_name: Some("eve".to_owned()),
        namespace_pid: 3,
        terminal: Some("pts0".to_owned()),
        container: Some(container().id),
        ..Process::default()
    }
}

fn container() -> Container {
    Container {
        id: ContainerId::from("4f1c8d7b2a9e"),
        runtime: Some("containerd".to_owned()),
        name: Some("web".to_owned()),
        image: Some("docker.io/library/nginx:1.27".to_owned()),
        pod: Some(Pod {
            uid: "6c1f".to_owned(),
            name: Some("web-0".to_owned()),
            namespace: Some("shop".to_owned()),
            ..Pod::default()
        }),
        privileged: Some(false),
        ..Container::default()
    }
}

/// What processes do, of each kind.
fn kinds() -> Vec<EventKind> {
    let end = |text: &str| Some(text.parse().expect("an address"));
    let open = FileEvent {
        path: "/etc/shadow".to_owned(),
        path_source: PathSource::Caller,
        flags: 0o1101,
        created: true,
        mode: 0o100_644,
        inode: 9,
        error: Some(0),
        ..FileEvent::default()
    };
    let mount = FileEvent {
        act: FileAct::Mount,
        path: "/mnt".to_owned(),
        other_path: Some("/dev/sda".to_owned()),
        flags: 4096,
        name: Some("ext4".to_owned()),
        ..FileEvent::default()
    };
    let connect = NetworkEvent {
        act: NetworkAct::Connect,
        family: 10,
        protocol: 6,
        socket_type: 1,
        remote: end("[2001:db8::1]:3333"),
        error: Some(111),
        ..NetworkEvent::default()
    };
    let close = NetworkEvent {
        act: NetworkAct::Close,
        family: 2,
        local: end("10.0.0.1:40000"),
        remote: end("192.0.2.1:443"),
        flow: Some(Flow { bytes_sent: 5, ..Flow::default() }),
        ..connect.clone()
    };
    let dns = DnsEvent {
        server: end("10.96.0.10:53"),
        response: true,
        questions: vec![DnsQuestion { name: "a.example".into(), record_type: "A".into() }],
        answers: vec![DnsAnswer {
            name: "a.example".to_owned(),
            record_type: "A".to_owned(),
            ttl: 60,
            data: "192.0.2.1".to_owned(),
        }],
        ..DnsEvent::default()
    };
    let ptrace = SystemEvent {
        act: SystemAct::Ptrace,
        arguments: vec![Argument { name: "request".into(), value: "PTRACE_ATTACH".into() }],
        target: Some(reference(77)),
        result: Some(0),
    };
    vec![
        EventKind::Exec,
        EventKind::Fork { child: ProcessKey { pid: 10, start_time: 60 } },
        EventKind::Exit(ExitStatus { signal: 9, ..ExitStatus::default() }),
        EventKind::File(Box::new(open)),
        EventKind::File(Box::new(mount)),
        EventKind::Network(Box::new(connect)),
        EventKind::Network(Box::new(close)),
        EventKind::Dns(Box::new(dns)),
        EventKind::System(Box::new(ptrace)),
    ]
}

fn of_act(kind: EventKind) -> AlertSubject {
    let process_chain = vec![process(9, "cat", "/etc/shadow"), process(8, "sh", "-c")];
    let container = Some(container());
    let event = Event {
        time: NOON,
        process: process_chain[0].reference,
        container: container.as_ref().map(|container| container.id.clone()),
        kind,
    };
    AlertSubject::Act { event, process_chain, container }
}

fn of_request() -> AlertSubject {
    AlertSubject::Audit(Box::new(AuditEvent {
        audit_id: "a".to_owned(),
        stage: "ResponseComplete".to_owned(),
        level: "RequestResponse".to_owned(),
        verb: "create".to_owned(),
        request_uri: "/api/v1/namespaces/shop/pods".to_owned(),
        user: AuditUser { name: "eve".to_owned(), ..AuditUser::default() },
        object: Some(AuditObject { resource: "pods".to_owned(), ..AuditObject::default() }),
        response_code: Some(201),
        request_object: Some("{\"kind\":\"Pod\"}".to_owned()),
        received_at: NOON,
        stage_at: NOON,
        ..AuditEvent::default()
    }))
}

fn alert(number: i64, subject: AlertSubject) -> Alert {
    let alert = model::Alert {
        id: Uuid::from_u128(number.unsigned_abs().into()),
        time: NOON,
        detected_at: NOON,
        rule: "Rule".to_owned(),
        priority: Priority::Warning,
        message: "It matched".to_owned(),
        tags: vec!["T1059".to_owned()],
        subject,
        host: Host { hostname: "worker-1".to_owned(), ..Host::default() },
        matched_fields: vec![MatchedField { field: "proc.name".into(), value: "cat".into() }],
    };
    let publisher = Publisher { cluster: "edge".into(), node: "worker-1".into() };
    let held = HeldCounts::default();
    CompleteAlert { number, received_at: NOON, publisher, alert, held }.into()
}

/// `defender-rules why` reads alerts as the API gives them: it is tested by this page.
#[test]
fn the_page_of_alerts_that_authors_tools_are_tested_by_is_current() {
    let subjects = kinds().into_iter().map(of_act).chain([of_request()]);
    let items = (1..).zip(subjects).map(|(number, subject)| alert(number, subject)).collect();
    let page = AlertPage { items, next: None };
    let wanted = serde_json::to_string_pretty(&page).expect("JSON") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../defender-rules/tests/command_line/alert-page.json");
    if std::env::var_os("UPDATE_DOCUMENTATION").is_some() {
        std::fs::write(&file, wanted).expect("it is written");
        return;
    }
    let current = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        current == wanted,
        "{} is stale: run this test with UPDATE_DOCUMENTATION=1",
        file.display()
    );
}
