//! How the sensor starts, reports, and ends.

use crate::expect::{exec_of, outline, processes, wait_for};
use crate::sensor::{Node, Running, Sensor, status, unique};
use event_model::{ProbeState, Record};
use serde_json::json;
use std::os::unix::process::CommandExt;
use std::process::Command;

#[test]
fn the_sensor_tells_its_node_and_what_it_sees() {
    let sensor = Sensor::start();
    let status = sensor.expect("a status", status);
    assert_eq!(status.description.node, "node-1");
    assert_eq!(status.rules_loaded, 1);
    for probe in ["exec", "fork", "exit", "cgroup_made", "cgroup_removed"] {
        let coverage = status.probes.iter().find(|coverage| coverage.probe == probe);
        assert_eq!(coverage.map(|it| it.state), Some(ProbeState::Active), "{:?}", status.probes);
    }
    let host = sensor.expect("the host", |records| {
        records.iter().find_map(|record| match record {
            Record::Host(host) => Some(host.clone()),
            _ => None,
        })
    });
    assert_eq!(host.node, "node-1");
    assert_eq!(host.boot_id, status.description.boot_id);
}

#[test]
fn it_is_ready_and_measured() {
    let sensor = Sensor::start();
    let log = || sensor.node.log();
    wait_for(
        "readiness",
        || sensor.node.ask("/readyz").filter(|answer| answer.contains(" 200 ")),
        log,
    );
    Command::new("/bin/true").status().expect("true");
    let metrics = wait_for(
        "metrics of an exec",
        || {
            let metrics = sensor.node.ask("/metrics")?;
            let seen = metrics
                .lines()
                .find(|line| line.starts_with("defender_events_captured_total{kind=\"exec\"}"))?;
            (!seen.ends_with(" 0") && metrics.contains("defender_processes_cached"))
                .then_some(metrics)
        },
        log,
    );
    for name in [
        "defender_probe_state{probe=\"exec\",hook=\"tp_btf/sched_process_exec\",state=\"active\"} 1",
        "defender_containers_known",
        "defender_alerts_total{priority=\"warning\"}",
        "defender_part_ready{part=\"publisher link\"} 1",
    ] {
        assert!(metrics.contains(name), "{name} is not among\n{metrics}");
    }
}

#[test]
fn it_works_before_there_is_a_publisher_and_is_not_ready() {
    let node = Node::new();
    let _sensor = node.start();
    let answer = wait_for(
        "probes at work",
        || node.ask("/readyz").filter(|answer| answer.contains("[+]probes")),
        || node.log(),
    );
    assert!(answer.contains(" 503 ") && answer.contains("[-]publisher link: "), "{answer}");
    let word = unique("early");
    Command::new("/bin/true").arg(&word).status().expect("true");
    let publisher = node.publisher();
    wait_for(
        "the exec from before the publisher",
        || publisher.look(|records| exec_of(records, &["/bin/true", &word])),
        || publisher.look(outline),
    );
}

#[test]
fn another_publisher_is_told_the_entities_again() {
    let mut sensor = Sensor::start();
    let mut sleeper = Command::new("/bin/sleep").arg("3604").spawn().expect("sleep");
    let exec = sensor.expect_exec(&["/bin/sleep", "3604"]);
    sensor.publisher.stop();
    sensor.publisher = sensor.node.publisher();
    sensor.expect("the process, told again", |records| {
        processes(records).find(|process| process.reference == exec.process.reference).map(drop)
    });
    sensor.expect("the host, told again", |records| {
        records.iter().find(|record| matches!(record, Record::Host(_))).map(drop)
    });
    sleeper.kill().expect("it sleeps");
    sleeper.wait().expect("it slept");
}

#[test]
fn it_delivers_what_it_saw_before_it_ends() {
    let mut sensor = Sensor::start();
    let word = unique("last");
    Command::new("/bin/true").arg(&word).status().expect("true");
    let ended = sensor.process.terminate();
    assert!(ended.success(), "{ended}\n{}", sensor.node.log());
    let exec = sensor.look(|records| exec_of(records, &["/bin/true", &word]));
    assert!(exec.is_some(), "{}", sensor.look(outline));
}

#[test]
fn without_the_capability_it_says_so_to_the_backend_and_ends() {
    let node = Node::new();
    let publisher = node.publisher();
    let sensor = node.command();
    let ended = Command::new("setpriv")
        .arg("--bounding-set=-sys_admin,-bpf,-perfmon")
        .arg(sensor.get_program())
        .args(sensor.get_args())
        .stderr(node.open_log())
        .status()
        .expect("setpriv of Debian's package util-linux");
    assert_eq!(ended.code(), Some(1), "{}", node.log());
    assert!(node.log().contains("CAP_SYS_ADMIN is missing"), "{}", node.log());
    let status = wait_for(
        "the problem in the status",
        || publisher.look(status),
        || format!("{}\n{}", publisher.look(outline), node.log()),
    );
    assert!(status.problems[0].contains("CAP_SYS_ADMIN is missing"), "{:?}", status.problems);
}

/// Enters a cgroup of its own, and namespaces in which that is the root and the only one in sight.
const IN_A_CGROUP_NAMESPACE: &str = r#"
mkdir "$0/$1" && echo $$ > "$0/$1/cgroup.procs" && shift && exec unshare --cgroup --mount --pid --fork --kill-child --mount-proc \
    sh -c 'umount -l "$0" && mount -t cgroup2 none "$0" && exec "$@"' "$@""#;

/// Where cgroup v2 is mounted.
fn unified() -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("the mounts");
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mount = mounts.find(|mount| mount.get(2) == Some(&"cgroup2")).expect("cgroup v2");
    mount[1].to_owned()
}

#[test]
fn in_a_cgroup_namespace_it_does_not_claim_to_see_packets() {
    let (unified, cgroup) = (unified(), unique("namespace"));
    let node = Node { kernel: json!({ "acts": ["dns", "open"] }), ..Node::new() };
    let publisher = node.publisher();
    let sensor = node.command();
    let child = Command::new("sh")
        .args(["-c", IN_A_CGROUP_NAMESPACE, &unified, &cgroup, &unified])
        .arg(sensor.get_program())
        .args(sensor.get_args())
        .stderr(node.open_log())
        .process_group(0)
        .spawn()
        .expect("a shell");
    let running = Running(child);
    let told = wait_for(
        "the status",
        || publisher.look(status).filter(|status| !status.probes.is_empty()),
        || node.log(),
    );
    let probes = told.probes.iter().filter(|probe| probe.probe == "dns");
    for probe in probes.clone() {
        assert_eq!(probe.state, ProbeState::Unsupported, "{probe:?}");
        let reason = probe.reason.as_deref().expect("a reason");
        assert!(reason.contains("is the root of a cgroup namespace"), "{reason}");
    }
    assert!(probes.count() > 0, "{:?}", told.probes);
    // unshare ends with its child, the sensor.
    drop(running);
    wait_for(
        "the end of its cgroup",
        || std::fs::remove_dir(format!("{unified}/{cgroup}")).ok(),
        || node.log(),
    );
}

#[test]
fn a_broken_rule_file_stops_it_with_file_and_line() {
    let node = Node::new();
    let rule = "- rule: Broken\n  desc: A.\n  condition: evt.type = execve and proc.nme = sh\n  output: A\n  priority: NOTICE\n";
    std::fs::write(node.path("rules/broken.yaml"), rule).expect("a rule file");
    for check in [true, false] {
        let mut command = node.command();
        if check {
            command.arg("--check-config");
        }
        let ended = command.status().expect("the sensor starts");
        let log = node.log();
        assert_eq!(ended.code(), Some(2), "{log}");
        assert!(log.contains("broken.yaml:3") && log.contains("proc.nme"), "{log}");
    }
}

#[test]
fn a_missing_rule_folder_stops_it_with_the_key_to_mend() {
    let node = Node::new();
    std::fs::remove_dir_all(node.path("rules")).expect("a directory");
    let ended = node.command().status().expect("the sensor starts");
    assert_eq!(ended.code(), Some(2), "{}", node.log());
    assert!(node.log().contains("rules.paths"), "{}", node.log());
}
