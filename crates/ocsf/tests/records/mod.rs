//! Records of every kind, whole and with next to nothing known.

use event_model::{
    Argument, AuditEvent, AuditObject, AuditUser, ClusterFacts, Component, Container, DnsAnswer,
    DnsEvent, DnsQuestion, Event, EventKind, Executable, ExitStatus, FileAct, FileEvent, Finding,
    FindingSeverity, FindingSource, Flow, HeldAlerts, HeldReason, Host, Image, Inventory,
    InventoryItem, InventoryKind, InventorySubject, KubernetesContainer, KubernetesEvent,
    KubernetesObject, Lane, ListeningPort, Loss, LossReason, NetworkAct, NetworkEvent,
    ObjectReference, OwnerReference, Package, PackageManager, PasswordState, Pod, ProbeCoverage,
    ProbeState, Process, ProcessKey, ProcessRef, Record, SensorStatus, SourceDescription, SourceId,
    SystemAct, SystemEvent, Timestamp, TransportProtocol, UserAccount,
};
use ocsf::Entities;
use uuid::Uuid;

pub const NOON: Timestamp = Timestamp(1_795_435_200_123_456_789);
pub const BOOT: Uuid = Uuid::from_u128(5);

pub fn reference(pid: u32, generation: u32) -> ProcessRef {
    ProcessRef { key: ProcessKey { pid, start_time: 10_000_000 }, generation }
}

fn process(pid: u32, generation: u32, path: &str) -> Process {
    Process {
        reference: reference(pid, generation),
        parent: (pid > 1).then(|| reference(1, 0)),
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        executable: Executable { path: path.to_owned(), inode: 7, ..Executable::default() },
        arguments: vec![path.to_owned(), "-c".to_owned()],
        namespace_pid: 3,
        container: Some("c1".into()),
        started_at: NOON,
        ..Process::default()
    }
}

fn host() -> Host {
    Host {
        boot_id: BOOT,
        node: "node-1".to_owned(),
        hostname: "node-1.example".to_owned(),
        machine_id: Some("m".to_owned()),
        kernel: "6.18.0".to_owned(),
        operating_system: "Debian 13".to_owned(),
        architecture: "x86_64".to_owned(),
    }
}

fn container() -> Container {
    let labels = [("app".to_owned(), "web".to_owned()), ("empty".to_owned(), String::new())];
    Container {
        id: "c1".into(),
        name: Some("app".to_owned()),
        image: Some("registry.example/web:1".to_owned()),
        pod: Some(Pod {
            uid: "6f1a4d0e-0000-4000-8000-000000000001".to_owned(),
            name: Some("web-7d9".to_owned()),
            namespace: Some("shop".to_owned()),
            ..Pod::default()
        }),
        labels: labels.into(),
        created_at: Some(NOON),
        ..Container::default()
    }
}

fn entities() -> Vec<Record> {
    vec![
        Record::Host(host()),
        Record::Container(Box::new(container())),
        Record::Process(Box::new(process(1, 0, "/sbin/init"))),
        Record::Process(Box::new(process(7, 0, "/bin/sh"))),
        Record::Process(Box::new(process(7, 1, "/usr/bin/curl"))),
        Record::Process(Box::new(process(8, 0, "/usr/bin/sleep"))),
    ]
}

pub fn event(kind: EventKind) -> Record {
    Record::Event(Event {
        time: NOON,
        process: reference(7, 1),
        container: Some("c1".into()),
        kind,
    })
}

fn acts() -> Vec<EventKind> {
    let mut kinds = vec![
        EventKind::Exec,
        EventKind::Fork { child: ProcessKey { pid: 9, start_time: 20_000_000 } },
        EventKind::Exit(ExitStatus { code: 1, signal: 9, core_dumped: true }),
        query(false, 0),
        query(true, 3),
        query(true, 4000),
        EventKind::Dns(Box::default()),
    ];
    for act in FileAct::ALL {
        let whole = FileEvent {
            act,
            path: "/etc/shadow".to_owned(),
            other_path: Some("/etc/shadow-".to_owned()),
            flags: 1,
            mode: 0o100_644,
            inode: 4,
            created: true,
            owner: Some(0),
            error: Some(13),
            ..FileEvent::default()
        };
        kinds.extend(
            [whole, FileEvent { act, ..FileEvent::default() }].map(Box::new).map(EventKind::File),
        );
    }
    for act in NetworkAct::ALL {
        let flow = Flow { inbound: true, bytes_sent: 1, bytes_received: 2, duration: 3_000_000 };
        let whole = NetworkEvent {
            act,
            protocol: 6,
            local: "10.0.0.1:22".parse().ok(),
            remote: "[2001:db8::1]:50000".parse().ok(),
            flow: Some(flow),
            error: Some(0),
            ..NetworkEvent::default()
        };
        let refused = NetworkEvent { error: Some(111), flow: None, ..whole.clone() };
        let failed = NetworkEvent { error: Some(110), remote: None, ..refused.clone() };
        let unix = NetworkEvent {
            act,
            path: Some("/run/docker.sock".to_owned()),
            ..NetworkEvent::default()
        };
        let bare = NetworkEvent { act, ..NetworkEvent::default() };
        kinds.extend([whole, refused, failed, unix, bare].map(Box::new).map(EventKind::Network));
    }
    for act in SystemAct::ALL.iter().copied() {
        let argument = Argument { name: "name".to_owned(), value: "rootkit".to_owned() };
        for target in [None, Some(reference(8, 0)), Some(reference(99, 0))] {
            for result in [None, Some(0), Some(-1), Some(i64::MIN)] {
                let arguments = vec![argument.clone()];
                kinds.push(EventKind::System(Box::new(SystemEvent {
                    act,
                    arguments,
                    target,
                    result,
                })));
            }
        }
        kinds.push(EventKind::System(Box::new(SystemEvent { act, ..SystemEvent::default() })));
    }
    kinds
}

fn query(response: bool, code: u16) -> EventKind {
    let question = |name: &str| DnsQuestion { name: name.to_owned(), record_type: "A".to_owned() };
    let answer =
        |data: &str| DnsAnswer { data: data.to_owned(), ttl: u32::MAX, ..DnsAnswer::default() };
    EventKind::Dns(Box::new(DnsEvent {
        local: "10.0.0.2:40000".parse().ok(),
        server: "10.96.0.10:53".parse().ok(),
        response,
        id: 7,
        code,
        questions: vec![question("pool.example"), question("other.example"), question("")],
        answers: vec![answer("192.0.2.9"), answer("")],
        partial: true,
        ..DnsEvent::default()
    }))
}

fn request(verb: &str, code: Option<u32>) -> Record {
    let user =
        AuditUser { name: "system:serviceaccount:shop:web".to_owned(), ..AuditUser::default() };
    let object = AuditObject {
        resource: "pods".to_owned(),
        name: Some("web-7d9".to_owned()),
        ..AuditObject::default()
    };
    Record::Audit(Box::new(AuditEvent {
        audit_id: "a1".to_owned(),
        verb: verb.to_owned(),
        request_uri: "/api/v1/namespaces/shop/pods/web-7d9/exec?command=sh".to_owned(),
        impersonated_user: Some(user.clone()),
        user,
        source_ips: vec!["192.0.2.1".to_owned()],
        object: Some(object),
        response_code: code,
        response_message: Some("no".to_owned()),
        received_at: NOON,
        annotations: [("a".to_owned(), "b".to_owned())].into(),
        ..AuditEvent::default()
    }))
}

pub fn inventories() -> Vec<Record> {
    let package = |manager| {
        let name = "bash".to_owned();
        let (version, architecture) = ("5.2".to_owned(), Some("amd64".to_owned()));
        InventoryItem::Package(Package {
            manager,
            name,
            version,
            architecture,
            source: None,
            path: None,
        })
    };
    let port = |protocol, address: &str| {
        InventoryItem::ListeningPort(ListeningPort {
            protocol,
            address: address.parse().expect("an address"),
            port: 22,
            network_namespace: 4_026_531_840,
            uid: 0,
            process: Some(reference(1, 0).key),
            process_name: Some("sshd".to_owned()),
            executable: Some("/usr/sbin/sshd".to_owned()),
            container: Some("c1".into()),
        })
    };
    let user = |uid| {
        InventoryItem::User(UserAccount {
            name: "root".to_owned(),
            uid,
            gid: 0,
            home: "/root".to_owned(),
            shell: "/bin/sh".to_owned(),
            groups: vec!["adm".to_owned()],
            password: PasswordState::Set,
        })
    };
    let containers = vec!["c1".into()];
    let image =
        Image { key: "sha256:a".to_owned(), containers, container_count: 1, ..Image::default() };
    let items = [
        (InventoryKind::Packages, PackageManager::ALL.map(package).to_vec()),
        (InventoryKind::Images, vec![InventoryItem::Image(image)]),
        (InventoryKind::Users, vec![user(0), user(1000)]),
        (
            InventoryKind::ListeningPorts,
            vec![port(TransportProtocol::Tcp, "0.0.0.0"), port(TransportProtocol::Udp, "::1")],
        ),
    ];
    let subjects = [InventorySubject::Node, InventorySubject::Image("sha256:a".to_owned())];
    let record = |(kind, changed): &(InventoryKind, Vec<InventoryItem>),
                  subject: &InventorySubject| {
        Record::Inventory(Box::new(Inventory {
            subject: subject.clone(),
            kind: *kind,
            scanned_at: NOON,
            changed: changed.clone(),
            removed: vec![Uuid::from_u128(1)],
            snapshot_items: None,
        }))
    };
    items.iter().flat_map(|it| subjects.iter().map(move |subject| record(it, subject))).collect()
}

fn web() -> ObjectReference {
    ObjectReference {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: Some("shop".to_owned()),
        name: "web".to_owned(),
        uid: "d".to_owned(),
    }
}

pub fn finding(source: FindingSource, severity: FindingSeverity) -> Finding {
    Finding {
        source,
        policy: "privileged-containers".to_owned(),
        title: "A container is privileged".to_owned(),
        severity,
        object: web(),
        part: "app".to_owned(),
        message: "Container app is privileged: leave securityContext.privileged out".to_owned(),
        evidence: vec!["spec.template.spec.containers[0]".to_owned(), String::new()],
        tags: vec!["mitre_privilege_escalation".to_owned(), "T1611".to_owned()],
    }
}

pub fn of_cluster(kind: InventoryKind, changed: Vec<InventoryItem>) -> Record {
    Record::Inventory(Box::new(Inventory {
        subject: InventorySubject::Cluster,
        kind,
        scanned_at: NOON,
        changed,
        removed: vec![Uuid::from_u128(1)],
        snapshot_items: None,
    }))
}

fn clusters() -> Vec<Record> {
    let severities = FindingSeverity::ALL.into_iter().cycle();
    let mut findings: Vec<Finding> =
        FindingSource::ALL.into_iter().zip(severities).map(|(a, b)| finding(a, b)).collect();
    let bare = FindingSource::Rbac;
    findings.push(Finding {
        source: bare,
        policy: String::new(),
        title: String::new(),
        severity: FindingSeverity::Low,
        object: ObjectReference::default(),
        part: String::new(),
        message: String::new(),
        evidence: vec![],
        tags: vec![],
    });
    let findings = findings.into_iter().map(|it| InventoryItem::Finding(Box::new(it))).collect();
    let facts = ClusterFacts {
        uid: "k".to_owned(),
        version: "v1.34.1".to_owned(),
        distribution: "aks".to_owned(),
        cloud: Some("azure".to_owned()),
        told_by: Some("a label".to_owned()),
        nodes: 3,
    };
    let facts = [facts, ClusterFacts::default()].map(InventoryItem::Cluster).to_vec();
    vec![of_cluster(InventoryKind::Findings, findings), of_cluster(InventoryKind::Cluster, facts)]
}

pub fn note(is_warning: bool) -> KubernetesEvent {
    KubernetesEvent {
        uid: "e".to_owned(),
        resource_version: "9".to_owned(),
        regarding: web(),
        reason: "FailedMount".to_owned(),
        is_warning,
        message: "no volume".to_owned(),
        reporter: "kubelet".to_owned(),
        node: Some("node-1".to_owned()),
        count: u32::MAX,
        first_at: NOON,
        last_at: NOON,
    }
}

fn notes() -> Vec<Record> {
    [note(true), note(false), KubernetesEvent::default()]
        .map(|event| Record::KubernetesEvent(Box::new(event)))
        .into()
}

fn of_sensor() -> Vec<Record> {
    let mut records = vec![];
    for reason in LossReason::ALL {
        let kind = "exec".to_owned();
        let (count, since, until) = (u64::MAX, NOON, NOON);
        records.push(Record::Loss(Loss {
            lane: Lane::Telemetry,
            kind,
            reason,
            count,
            since,
            until,
        }));
    }
    let alert = Uuid::from_u128(3);
    let suppression = "known".to_owned();
    for reason in [
        HeldReason::Repeated { alert },
        HeldReason::RateLimited { alert },
        HeldReason::Suppressed { suppression },
    ] {
        let (rule, count) = ("Shell".to_owned(), 3);
        let held = HeldAlerts { rule, reason, count, since: NOON, until: NOON };
        records.push(Record::HeldAlerts(Box::new(held)));
    }
    for problems in [vec![], vec!["no ring".to_owned()]] {
        let description = SourceDescription {
            id: SourceId::generate(),
            component: Component::CollectorDs,
            version: "0.1.0".to_owned(),
            node: "node-1".to_owned(),
            boot_id: BOOT,
        };
        let probe = ProbeCoverage {
            probe: "exec".to_owned(),
            hook: "tp_btf/sched_process_exec".to_owned(),
            state: ProbeState::Active,
            reason: None,
        };
        records.push(Record::SensorStatus(Box::new(SensorStatus {
            description,
            started_at: NOON,
            observed_at: NOON,
            problems,
            probes: vec![probe],
            rules_loaded: 3,
            blind_rules: vec![],
            counters: [("events".to_owned(), 3)].into(),
        })));
    }
    records
}

fn objects() -> Vec<Record> {
    let container =
        KubernetesContainer { name: "app".to_owned(), ..KubernetesContainer::default() };
    let object = KubernetesObject {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        namespace: Some("shop".to_owned()),
        name: "web".to_owned(),
        uid: "u".to_owned(),
        resource_version: "17".to_owned(),
        created_at: Some(NOON),
        owners: vec![OwnerReference {
            kind: "ReplicaSet".to_owned(),
            name: "web-7d9".to_owned(),
            uid: "r".to_owned(),
            controller: true,
        }],
        containers: vec![container],
        configuration: Some("{\"spec\":{\"hostNetwork\":true}}".to_owned()),
        ..KubernetesObject::default()
    };
    let gone = KubernetesObject { deleted: true, ..object.clone() };
    let deleted = KubernetesObject { deleted: true, ..KubernetesObject::default() };
    let no_json = KubernetesObject { configuration: Some("{".to_owned()), ..object.clone() };
    [object, gone, no_json, KubernetesObject::default(), deleted]
        .map(|object| Record::KubernetesObject(Box::new(object)))
        .into()
}

pub fn records() -> Vec<Record> {
    let mut records = entities();
    records.extend(acts().into_iter().map(event));
    for verb in ["create", "get", "list", "watch", "update", "patch", "delete", "bind", ""] {
        records.extend([None, Some(200), Some(403)].map(|code| request(verb, code)));
    }
    records.push(Record::Audit(Box::default()));
    records.push(Record::Host(Host::default()));
    records.push(Record::Process(Box::default()));
    records.push(Record::Container(Box::default()));
    records.extend(inventories());
    records.extend(clusters());
    records.extend(of_sensor());
    records.extend(objects());
    records.extend(notes());
    records
}

pub fn known(source: SourceId) -> Entities {
    let mut known = Entities::new(1 << 20);
    for record in entities() {
        known.note(source, &record);
    }
    known
}
