//! Acts in containers, on files, sockets and the system, raise the alerts of the rules that are shipped.

use crate::containers::kubelet_parent;
use crate::docker::{Container, socket};
use crate::expect::{alerts, kind_of};
use crate::kubernetes::pod_uid;
use crate::sensor::{Node, Sensor, status, unique};
use event_model::{Alert, EventKind, FileAct, NetworkAct, ProbeState, Record, SystemAct};
use serde_json::json;
use std::path::Path;

/// A sensor with the rules that are shipped, which sees connections within a container too.
pub fn sensor() -> Sensor {
    let kernel = json!({ "network": { "loopback": true } });
    let node = Node { docker_sockets: vec![socket()], kernel, ..Node::new() };
    // It would take the place of the shipped rule of the same name.
    std::fs::remove_file(node.path("rules/shell.yaml")).expect("the rule of other tests");
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    for entry in std::fs::read_dir(rules).expect("the rules") {
        let file = entry.expect("a readable folder").path();
        if file.extension().is_some_and(|extension| extension == "yaml") {
            let name = file.file_name().expect("a file").to_string_lossy().into_owned();
            std::fs::copy(&file, node.path("rules").join(name)).expect("a copy");
        }
    }
    Sensor::start_on(node)
}

/// A container of a pod, and the pod's name.
fn pod(options: &[&str]) -> (Container, String) {
    let (name, uid) = (unique("web"), pod_uid());
    let parent = format!("--cgroup-parent={}", kubelet_parent(&uid));
    let labels = [
        "--label=io.kubernetes.pod.namespace=shop".to_owned(),
        "--label=io.kubernetes.container.name=nginx".to_owned(),
        format!("--label=io.kubernetes.pod.name={name}"),
        format!("--label=io.kubernetes.pod.uid={uid}"),
    ];
    let mut all = vec![parent.as_str()];
    all.extend(labels.iter().map(String::as_str));
    all.extend(options);
    (Container::start(&all), name)
}

impl Sensor {
    /// Waits until the runtime told of the container, so that alerts name its pod.
    fn knows(&self, container: &Container) {
        self.expect("the container with its pod", |records| {
            crate::expect::container(records, &container.id)
                .filter(|known| known.pod.as_ref().is_some_and(|pod| pod.name.is_some()))
        });
    }

    pub fn expect_alert(&self, rule: &str, of: impl Fn(&Alert) -> bool) -> Alert {
        self.expect(&format!("the alert {rule}"), |records| {
            alerts(records).find(|alert| alert.rule == rule && of(alert)).cloned()
        })
    }

    fn coverage_of(&self, probe: &str) -> ProbeState {
        let status = self.look(status).expect("a status");
        let told = status.probes.iter().find(|told| told.probe == probe).expect("the probe");
        println!("{probe}: {} is {}", told.hook, told.state.name());
        told.state
    }
}

fn is_of(alert: &Alert, container: &Container, pod: &str) -> bool {
    let told = alert.container();
    told.is_some_and(|told| {
        *told.id.0 == *container.id
            && told.pod.as_ref().and_then(|told| told.name.as_deref()) == Some(pod)
    })
}

#[test]
fn files_that_are_read_and_written_in_a_pod_raise_alerts_with_their_paths() {
    let sensor = sensor();
    assert_eq!(sensor.coverage_of("open"), ProbeState::Active);
    let (container, pod) = pod(&[]);
    sensor.knows(&container);
    container.exec(&["sh", "-c", "echo root:x > /etc/shadow; cat /tmp/../etc/shadow"]);

    let written = sensor.expect_alert("Program or account file changed in a container", |alert| {
        is_of(alert, &container, &pod)
    });
    let EventKind::File(file) = kind_of(&written) else { panic!("{written:?}") };
    assert_eq!((file.act, file.path.as_str()), (FileAct::Open, "/etc/shadow"));
    assert!(file.created && file.opens_for_writing(), "{file:?}");
    let read = sensor.expect_alert("Sensitive file read", |alert| is_of(alert, &container, &pod));
    assert!(read.message.contains("file=/etc/shadow"), "{}", read.message);
    assert_eq!(read.process_chain()[0].arguments, ["cat", "/tmp/../etc/shadow"]);
    assert!(read.message.contains(&format!("k8s_pod_name={pod}")), "{}", read.message);
}

#[test]
fn a_connection_and_a_name_in_a_pod_raise_alerts_with_address_and_question() {
    let sensor = sensor();
    let (container, pod) = pod(&[]);
    sensor.knows(&container);
    assert_eq!(sensor.coverage_of("connect"), ProbeState::Active);
    assert_eq!(sensor.coverage_of("dns"), ProbeState::Active);
    assert_eq!(sensor.coverage_of("dup"), ProbeState::Active);
    let shell = "busybox nc -l -p 4444 -e true & sleep 1; busybox nc 127.0.0.1 4444 -e true; \
                 busybox nslookup eu.supportxmr.com 127.0.0.1; true";
    container.exec(&["sh", "-c", shell]);

    let alert = sensor.expect_alert("Shell connected to the network", |alert| {
        is_of(alert, &container, &pod) && alert.message.contains("remote=127.0.0.1 port=4444")
    });
    let EventKind::System(event) = kind_of(&alert) else { panic!("{alert:?}") };
    assert_eq!((event.act, event.argument("family")), (SystemAct::Dup, Some("AF_INET")));
    let wanted = "127.0.0.1:4444".parse().ok();
    sensor.expect("the connection, of the container", |records| {
        records.iter().find_map(|record| match record {
            Record::Event(event) => match &event.kind {
                EventKind::Network(told)
                    if told.act == NetworkAct::Connect && told.remote == wanted =>
                {
                    event.container.as_ref().filter(|id| *id.0 == *container.id).map(|_| ())
                }
                _ => None,
            },
            _ => None,
        })
    });
    let lookup =
        sensor.expect_alert("Mining pool looked up", |alert| is_of(alert, &container, &pod));
    let EventKind::Dns(question) = kind_of(&lookup) else { panic!("{lookup:?}") };
    assert_eq!(question.questions[0].name, "eu.supportxmr.com");
}

#[test]
fn a_namespace_that_a_pod_leaves_raises_an_alert_with_its_arguments() {
    let sensor = sensor();
    assert_eq!(sensor.coverage_of("unshare"), ProbeState::Active);
    let (container, pod) = pod(&["--cap-add=SYS_ADMIN"]);
    sensor.knows(&container);
    container.exec(&["busybox", "unshare", "-m", "true"]);

    let alert =
        sensor.expect_alert("Way out of a container", |alert| is_of(alert, &container, &pod));
    let EventKind::System(event) = kind_of(&alert) else { panic!("{alert:?}") };
    assert_eq!(event.act, SystemAct::Unshare);
    assert!(alert.message.contains("CLONE_NEWNS"), "{}", alert.message);
}

#[test]
fn acts_that_no_rule_needs_are_not_looked_at() {
    let sensor = Sensor::start();
    for probe in ["open", "connect", "ptrace", "dns"] {
        assert_eq!(sensor.coverage_of(probe), ProbeState::Off);
    }
}

#[test]
fn a_runtime_that_makes_a_container_and_enters_it_raises_no_alert() {
    let sensor = sensor();
    let (container, _) = pod(&[]);
    sensor.knows(&container);
    let name = unique("quiet");
    container.exec(&["true", &name]);
    sensor.expect_exec(&["true", &name]);
    let raised = sensor.look(|records| {
        let of_it = |alert: &&Alert| {
            alert
                .event()
                .expect("an act")
                .container
                .as_ref()
                .is_some_and(|id| *id.0 == *container.id)
        };
        let told = |alert: &Alert| format!("{}: {}", alert.rule, alert.message);
        alerts(records).filter(of_it).map(told).collect::<Vec<_>>()
    });
    assert_eq!(raised, [""; 0]);
}
