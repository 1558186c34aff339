use super::*;
use crate::enrich::containers::{ContainerLimits, Containers};
use crate::enrich::processes::{ProcessLimits, Processes};
use crate::enrich::users::Users;
use crate::record::RecordConfig;
use capture::{Reader, replay};
use ebpf_probes::{
    ActRecord, BootTime, CgroupKey, CgroupRecord, ExecRecord, ExitRecord, ForkRecord, Identity,
};
use event_model::{Alert, DnsAnswer, DnsEvent, DnsQuestion, FileEvent, NetworkEvent, ProcessKey};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

const CONTAINER: &str = "3f5e9c1d7a2b4c6d8e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f";
const CGROUP: CgroupKey = CgroupKey { hierarchy: 4, id: 70 };

const RULES: &str = "\
- rule: Shell in a container
  desc: A shell began in a container.
  condition: evt.type = execve and container.id != host and proc.name = sh and proc.pname = runc
  output: A shell in a container (command=%proc.cmdline container=%container.name)
  priority: WARNING
  tags: [T1059]
- rule: Password file read
  desc: The file of passwords was read.
  condition: evt.type in (open, openat) and evt.is_open_read = true and fd.name = /etc/shadow
  output: Read by a program (file=%fd.name command=%proc.cmdline user=%user.uid)
  priority: WARNING
- rule: Connection to a pool
  desc: A name that is known to be bad.
  condition: evt.type = connect and fd.sip.name endswith pool.example and fd.sport = 3333
  output: Connected (to=%fd.name name=%fd.sip.name)
  priority: WARNING
";

/// Keeps what it is given, and says that entities were lost where it is told to.
#[derive(Clone, Default)]
struct Kept {
    records: Rc<RefCell<Vec<Record>>>,
    entities_lost: Rc<Cell<bool>>,
}

impl Outlet for Kept {
    fn send(&self, record: Record) {
        self.records.borrow_mut().push(record);
    }

    fn take_entity_loss(&self) -> bool {
        self.entities_lost.take()
    }
}

impl Kept {
    /// What was sent since the last call.
    fn take(&self) -> Vec<Record> {
        self.records.take()
    }
}

struct Node {
    pipeline: Pipeline<Kept>,
    sent: Kept,
    asked: Rc<RefCell<Vec<ContainerId>>>,
    now: Instant,
}

fn rules() -> Rules {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::write(folder.path().join("rules.yaml"), RULES).expect("a rule file");
    Rules::load(&[folder.path().to_owned()]).unwrap_or_else(|error| panic!("{error}"))
}

fn node() -> Node {
    let enricher = Enricher::new(
        Processes::new(ProcessLimits::default()),
        Containers::new(ContainerLimits::default()),
        Users::of_host(Path::new("/nonexistent")),
    );
    let sent = Kept::default();
    let asked: Rc<RefCell<Vec<ContainerId>>> = Rc::default();
    let questions = Rc::clone(&asked);
    let ask_runtime = Box::new(move |container: &Container| {
        questions.borrow_mut().push(container.id.clone());
        true
    });
    let host = Host { node: "node-1".to_owned(), ..Host::default() };
    let pipeline =
        Pipeline::new(enricher, rules(), host, ask_runtime, Own::default(), sent.clone());
    Node { pipeline, sent, asked, now: Instant::now() }
}

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_time: 10_000_000 }
}

impl Node {
    fn cgroup_made(&mut self) {
        let path = format!("/docker/{CONTAINER}");
        let record = CgroupRecord { cgroup: CGROUP, path, ..CgroupRecord::default() };
        self.pipeline.take(KernelRecord::CgroupMade(record), self.now);
    }

    fn exec(&mut self, pid: u32, name: &str, cgroup: CgroupKey) {
        let record = ExecRecord {
            process: key(pid),
            name: name.to_owned(),
            arguments: vec![name.to_owned(), "-c".to_owned()],
            cgroup,
            ..ExecRecord::default()
        };
        self.pipeline.take(KernelRecord::Exec(Box::new(record)), self.now);
    }

    fn fork(&mut self, creator: u32, child: u32) {
        let record = ForkRecord {
            creator: key(creator),
            parent: key(creator),
            child: key(child),
            ..ForkRecord::default()
        };
        self.pipeline.take(KernelRecord::Fork(record), self.now);
    }

    fn act(&mut self, pid: u32, cgroup: CgroupKey, event: EventKind) {
        let record = ActRecord {
            time: BootTime(1),
            process: key(pid),
            thread: pid,
            cgroup,
            identity: Identity::default(),
            call: None,
            outcome_follows: false,
            file_system_path: None,
            event,
        };
        self.pipeline.take(KernelRecord::Act(Box::new(record)), self.now);
    }

    /// A runtime starts a shell in a container.
    fn shell_in_container(&mut self) {
        self.cgroup_made();
        self.exec(7, "runc", CgroupKey::default());
        self.fork(7, 8);
        self.exec(8, "sh", CGROUP);
    }
}

/// A line for each record: its kind, and what it is about.
fn outline(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|record| match record {
            Record::Process(process) => format!("process {}", process.name),
            Record::Container(container) => format!("container {}", container.id.short()),
            Record::Alert(alert) => format!("alert {}", alert.rule),
            Record::Event(event) => format!("{} {}", event.kind.name(), event.process.key.pid),
            other => other.kind().to_owned(),
        })
        .collect()
}

fn alert(records: &[Record]) -> Alert {
    let alerts: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Alert(alert) => Some(alert),
            _ => None,
        })
        .collect();
    match alerts[..] {
        [alert] => Alert::clone(alert),
        _ => panic!("not one alert: {:?}", outline(records)),
    }
}

#[test]
fn entities_go_before_the_events_that_refer_to_them_and_once() {
    let mut node = node();
    node.shell_in_container();
    assert_eq!(
        outline(&node.sent.take()),
        [
            "host",
            "container 3f5e9c1d7a2b",
            "process runc",
            "exec 7",
            "fork 7",
            "process sh",
            "alert Shell in a container",
            "exec 8",
        ]
    );
    node.exec(8, "ls", CGROUP);
    assert_eq!(outline(&node.sent.take()), ["process ls", "exec 8"]);
}

#[test]
fn an_alert_carries_its_evidence_whole() {
    let mut node = node();
    node.shell_in_container();
    let alert = alert(&node.sent.take());
    let chain: Vec<_> = alert.process_chain().iter().map(|process| process.name.as_str()).collect();
    assert_eq!(chain, ["sh", "runc"]);
    assert_eq!(alert.container().map(|container| &*container.id.0), Some(CONTAINER));
    assert_eq!(alert.host.node, "node-1");
    assert!(alert.message.contains("command=sh -c"), "{}", alert.message);
    let fields: Vec<_> = alert.matched_fields.iter().map(|field| field.field.as_str()).collect();
    assert!(fields.contains(&"proc.pname"), "{fields:?}");
    assert_eq!(alert.event().unwrap().process, alert.process_chain()[0].reference);
}

#[test]
fn a_container_is_asked_for_when_it_begins_and_sent_again_when_it_is_known() {
    let mut node = node();
    node.cgroup_made();
    assert_eq!(node.asked.take(), [ContainerId::from(CONTAINER)]);
    node.sent.take();
    let told = Container {
        id: ContainerId::from(CONTAINER),
        name: Some("web".to_owned()),
        ..Container::default()
    };
    node.pipeline.complete(Finding::Whole(Box::new(told)), node.now);
    match &node.sent.take()[..] {
        [Record::Container(container)] => assert_eq!(container.name.as_deref(), Some("web")),
        other => panic!("no completed container: {:?}", outline(other)),
    }
    node.shell_in_container();
    let message = alert(&node.sent.take()).message;
    assert!(message.contains("container=web"), "{message}");
}

#[test]
fn a_container_that_no_runtime_knows_is_asked_for_again() {
    let mut node = node();
    node.cgroup_made();
    node.asked.take();
    node.pipeline.complete(Finding::Nothing(ContainerId::from(CONTAINER)), node.now);
    node.pipeline.tick(node.now);
    assert_eq!(node.asked.take(), [], "not at once");
    node.pipeline.tick(node.now + std::time::Duration::from_secs(10));
    assert_eq!(node.asked.take(), [ContainerId::from(CONTAINER)]);
}

#[test]
fn after_a_reconnect_all_entities_are_told_again() {
    let mut node = node();
    node.shell_in_container();
    let exit = ExitRecord { process: key(8), ..ExitRecord::default() };
    node.pipeline.take(KernelRecord::Exit(exit), node.now);
    node.sent.take();
    node.pipeline.announce_again();
    assert_eq!(
        outline(&node.sent.take()),
        ["host", "container 3f5e9c1d7a2b", "process runc"],
        "but for the process that ended"
    );
}

#[test]
fn entities_that_were_lost_on_their_way_are_told_again_but_not_all_the_time() {
    let mut node = node();
    node.shell_in_container();
    node.sent.take();
    node.pipeline.tick(node.now);
    assert_eq!(outline(&node.sent.take()), [""; 0], "nothing was lost");
    node.sent.entities_lost.set(true);
    node.pipeline.tick(node.now);
    let mut told = outline(&node.sent.take());
    told.sort();
    assert_eq!(told, ["container 3f5e9c1d7a2b", "host", "process runc", "process sh"]);
    node.sent.entities_lost.set(true);
    node.pipeline.tick(node.now + Duration::from_secs(1));
    assert_eq!(outline(&node.sent.take()), [""; 0], "not so soon");
    node.pipeline.tick(node.now + TELL_AGAIN_EVERY);
    assert_eq!(node.sent.take().len(), 4);
}

#[test]
fn a_snapshot_is_silent_but_for_containers() {
    let mut node = node();
    node.sent.take();
    let path = format!("/docker/{CONTAINER}");
    let snapshot = Snapshot {
        cgroups: vec![CgroupRecord { cgroup: CGROUP, path, ..CgroupRecord::default() }],
        processes: vec![ExecRecord {
            process: key(7),
            name: "runc".to_owned(),
            ..ExecRecord::default()
        }],
        ..Snapshot::default()
    };
    node.pipeline.resync(snapshot, node.now);
    assert_eq!(outline(&node.sent.take()), ["container 3f5e9c1d7a2b"]);
    node.fork(7, 8);
    node.exec(8, "sh", CGROUP);
    let sent = node.sent.take();
    assert_eq!(
        outline(&sent),
        ["process runc", "fork 7", "process sh", "alert Shell in a container", "exec 8"]
    );
    assert_eq!(node.pipeline.counters().summary()["events_captured"], 2);
}

#[test]
fn one_that_forks_without_an_exec_is_told_before_its_first_fork_and_one_that_only_ends_is_not() {
    let mut node = node();
    node.exec(7, "daemon", CgroupKey::default());
    node.sent.take();
    node.fork(7, 8);
    node.fork(8, 9);
    node.fork(8, 10);
    let exit = ExitRecord { process: key(10), ..ExitRecord::default() };
    node.pipeline.take(KernelRecord::Exit(exit), node.now);
    let sent = node.sent.take();
    assert_eq!(outline(&sent), ["fork 7", "process daemon", "fork 8", "fork 8", "exit 10"]);
    let Record::Process(told) = &sent[1] else { unreachable!("it says process") };
    assert_eq!(told.reference.key, key(8));
}

fn open(path: &str) -> EventKind {
    let file = FileEvent { path: path.to_owned(), mode: 0o100_600, ..FileEvent::default() };
    EventKind::File(Box::new(file))
}

#[test]
fn an_act_raises_its_alert_with_its_process_and_container() {
    let mut node = node();
    node.cgroup_made();
    node.exec(7, "cat", CGROUP);
    node.sent.take();
    node.act(7, CGROUP, open("/etc/hostname"));
    assert_eq!(outline(&node.sent.take()), ["open 7"]);
    node.act(7, CGROUP, open("/etc/shadow"));
    let sent = node.sent.take();
    assert_eq!(outline(&sent), ["alert Password file read", "open 7"]);
    let alert = alert(&sent);
    assert!(alert.message.contains("file=/etc/shadow command=cat -c"), "{}", alert.message);
    assert_eq!(alert.container().map(|container| &*container.id.0), Some(CONTAINER));
    assert_eq!(node.pipeline.counters().summary()["events_captured"], 4);
}

#[test]
fn an_act_of_a_process_that_ended_meanwhile_is_its_own_still() {
    let mut node = node();
    node.cgroup_made();
    node.exec(7, "cat", CGROUP);
    let exit = ExitRecord { process: key(7), cgroup: CGROUP, ..ExitRecord::default() };
    node.pipeline.take(KernelRecord::Exit(exit), node.now);
    node.sent.take();
    node.act(7, CgroupKey { hierarchy: 4, id: 99 }, open("/etc/shadow"));
    let alert = alert(&node.sent.take());
    assert!(alert.message.contains("command=cat -c"), "{}", alert.message);
    assert_eq!(alert.container().map(|container| &*container.id.0), Some(CONTAINER));
}

#[test]
fn an_act_of_a_process_that_nobody_knows_is_told_and_matches_nothing() {
    let mut node = node();
    node.sent.take();
    node.act(7, CgroupKey::default(), open("/etc/shadow"));
    assert_eq!(outline(&node.sent.take()), ["open 7"]);
    assert_eq!(node.pipeline.counters().summary()["events_of_unknown_processes"], 1);
}

#[test]
fn a_connection_has_the_name_that_dns_told_its_container() {
    let mut node = node();
    node.cgroup_made();
    node.exec(7, "xmrig", CGROUP);
    let address = "192.0.2.9";
    let answer = DnsEvent {
        response: true,
        questions: vec![DnsQuestion {
            name: "eu.pool.example".to_owned(),
            record_type: "A".to_owned(),
        }],
        answers: vec![DnsAnswer { data: address.to_owned(), ..DnsAnswer::default() }],
        ..DnsEvent::default()
    };
    node.act(7, CGROUP, EventKind::Dns(Box::new(answer)));
    node.sent.take();
    let connect = NetworkEvent {
        family: 2,
        local: "10.0.0.7:4000".parse().ok(),
        remote: format!("{address}:3333").parse().ok(),
        ..NetworkEvent::default()
    };
    node.act(7, CGROUP, EventKind::Network(Box::new(connect)));
    let message = alert(&node.sent.take()).message;
    assert!(message.contains("to=10.0.0.7:4000->192.0.2.9:3333 name=eu.pool.example"), "{message}");
}

#[test]
fn a_flood_of_acts_is_told_in_part_and_looked_at_whole() {
    let mut node = node();
    node.exec(7, "find", CgroupKey::default());
    for _ in 0..50_000 {
        node.act(7, CgroupKey::default(), open("/usr/lib/x"));
    }
    node.act(7, CgroupKey::default(), open("/etc/shadow"));
    node.pipeline.tick(node.now);
    let sent = node.sent.take();
    let count = |wanted: &str| outline(&sent).iter().filter(|line| *line == wanted).count();
    assert_eq!((count("open 7"), count("alert Password file read")), (40_000, 1));
    let lost = sent.iter().find_map(|record| match record {
        Record::Loss(loss) => Some((loss.kind.as_str(), loss.count)),
        _ => None,
    });
    assert_eq!(lost, Some(("open", 10_001)));
}

#[test]
fn repeats_of_an_alert_are_counted_and_told_at_the_end() {
    let mut node = node();
    node.cgroup_made();
    node.exec(7, "cat", CGROUP);
    for _ in 0..5 {
        node.act(7, CGROUP, open("/etc/shadow"));
    }
    let sent = node.sent.take();
    let first = alert(&sent);
    node.pipeline.end();
    let told = node.sent.take();
    let [Record::HeldAlerts(held)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((held.count, held.reason.alert()), (4, Some(first.id)));
    assert_eq!(node.pipeline.counters().summary()["alerts_held"], 4);
}

#[test]
fn what_rules_were_asked_is_recorded_as_it_was_known_then() {
    let folder = tempfile::tempdir().expect("a directory");
    let rules = folder.path().join("rules.yaml");
    std::fs::write(&rules, RULES).expect("a rule file");
    let file = folder.path().join("capture");
    let config = RecordConfig { file: file.clone(), ..RecordConfig::default() };
    let recorder = Recorder::start(&config, &[rules], &Host::default());
    let mut node = node();
    let each = AlertsConfig { repeat_seconds: 0, ..AlertsConfig::default() };
    node.pipeline = node.pipeline.with_alerts(each).recorded_by(recorder.clone());
    node.shell_in_container();
    let told = Container {
        id: ContainerId::from(CONTAINER),
        name: Some("web".to_owned()),
        ..Container::default()
    };
    node.pipeline.complete(Finding::Whole(Box::new(told)), node.now);
    node.shell_in_container();
    recorder.expect("a recorder").finish();

    let sent = node.sent.take();
    let messages_of = |record: &Record| match record {
        Record::Alert(alert) => Some(alert.message.clone()),
        _ => None,
    };
    let sent: Vec<_> = sent.iter().filter_map(messages_of).collect();
    let reader = Reader::new(std::fs::File::open(file).expect("the capture")).expect("a capture");
    let mut messages = vec![];
    let summary = replay(reader, None, |replayed| messages.push(replayed.alert.message));
    let summary = summary.unwrap_or_else(|error| panic!("{error}"));
    assert!(summary.is_as_recorded() && sent.len() == 2, "{summary:?} {sent:?}");
    assert_eq!(messages, sent, "the container's name was known the second time");
    assert!(summary.asked > 2, "acts that no rule looks at are recorded too: {summary:?}");
}
