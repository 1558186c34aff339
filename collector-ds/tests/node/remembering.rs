//! Rules that remember acts: those that are shipped wait for acts one after another, done on the node itself; what a rule learnt
//! outlasts a restart.

use crate::acts::sensor;
use crate::expect::alerts;
use crate::sensor::{Node, Sensor, unique};
use event_model::Alert;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn shell(command: &str) {
    Command::new("sh").args(["-c", command]).status().expect("a shell");
}

fn evidence<'a>(alert: &'a Alert, field: &str) -> Option<&'a str> {
    alert.matched_fields.iter().find(|it| it.field == field).map(|it| it.value.as_str())
}

#[test]
fn what_was_downloaded_and_is_made_a_program_is_told_with_its_download() {
    let sensor = sensor();
    let file = format!("/tmp/{}", unique("download"));
    fs::write(&file, "").expect("a file");
    shell(&format!("/bin/chmod +x {file}; true"));
    shell(&format!(
        "busybox wget -T 1 -O {file} http://127.0.0.1:1/; echo > {file}; /bin/chmod 755 {file}; true"
    ));
    let rule = "Run permission on a download";
    let alert = sensor.expect_alert(rule, |alert| alert.message.contains(&file));
    assert!(
        alert.message.contains(&format!("command=chmod 755 {file}"))
            || alert.message.contains(&format!("command=/bin/chmod 755 {file}")),
        "{}",
        alert.message
    );
    let actor = evidence(&alert, "after[1].actor").unwrap_or_default();
    assert!(actor.contains('['), "{:?}", alert.matched_fields);
    assert!(evidence(&alert, "after[1].time").is_some_and(|time| time.ends_with('Z')));
    let without = sensor.look(|records| {
        alerts(records)
            .filter(|alert| alert.rule == rule && alert.message.contains("chmod +x"))
            .count()
    });
    assert_eq!(without, 0, "nothing was downloaded before");
    fs::remove_file(file).expect("it is there");
}

/// Runs a command of a shell below a web server, in a network of its own where 192.0.2.1 is at home.
fn below_a_web_server(folder: &Path, command: &str) {
    let server = folder.join("apache2");
    // The shell stays, as what it runs is not its last command.
    fs::write(&server, "#!/bin/sh\n\"$@\"\n:\n").expect("a script");
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755)).expect("a mode");
    let network = "ip link set lo up; ip address add 192.0.2.1/32 dev lo";
    let script = format!("{network}; {} sh -c '{command}; true'", server.display());
    let ended = Command::new("unshare").args(["--net", "sh", "-c", &script]).status();
    assert!(ended.expect("unshare").success(), "{script}");
}

#[test]
fn a_shell_of_a_web_server_that_goes_out_to_the_network_is_told_and_one_of_nobody_s_is_not() {
    let sensor = sensor();
    let folder = tempfile::tempdir().expect("a directory");
    let network = "ip link set lo up; ip address add 192.0.2.1/32 dev lo; busybox nc -w 1 192.0.2.1 4444; true";
    Command::new("unshare").args(["--net", "sh", "-c", network]).status().expect("unshare");
    below_a_web_server(folder.path(), "busybox nc -w 1 192.0.2.1 443");
    let rule = "Shell below a web server goes out to the network";
    let alert = sensor.expect_alert(rule, |alert| alert.message.contains("192.0.2.1 port=443"));
    assert!(evidence(&alert, "after[1].actor").is_some(), "{:?}", alert.matched_fields);
    let other = sensor.look(|records| {
        alerts(records).any(|alert| alert.rule == rule && alert.message.contains("port=4444"))
    });
    assert!(!other, "no web server was above it");
}

const LEARNS: &str = "\
- rule: New program
  desc: D.
  condition: evt.type = execve and proc.name startswith learnt
  output: New (name=%proc.name)
  priority: NOTICE
  defender: {first_seen: proc.name, by: evt.hostname, learn_for: 1m}
";

/// Runs a program of that name.
fn run(folder: &Path, name: &str) {
    let program = folder.join(name);
    if !program.exists() {
        fs::copy("/bin/true", &program).expect("a copy");
    }
    Command::new(program).status().expect("it runs");
}

#[test]
fn what_a_rule_learnt_outlasts_a_restart() {
    let mut node = Node::new();
    node.more.insert("audit".to_owned(), json!({ "state_directory": node.path("state") }));
    fs::write(node.path("rules/learns.yaml"), LEARNS).expect("a rule file");
    let programs = tempfile::tempdir().expect("a directory");
    let mut sensor = Sensor::start_on(node);
    let began = Instant::now();
    run(programs.path(), "learnt-before");
    sensor.expect_exec(&[programs.path().join("learnt-before").to_str().expect("text")]);
    assert!(sensor.process.terminate().success(), "{}", sensor.node.log());
    let Sensor { node, mut publisher, process } = sensor;
    publisher.stop();
    drop(process);
    let sensor = Sensor::start_on(node);
    std::thread::sleep(Duration::from_secs(61).saturating_sub(began.elapsed()));
    run(programs.path(), "learnt-before");
    run(programs.path(), "learnt-never");
    sensor.expect_alert("New program", |alert| alert.message.contains("name=learnt-never"));
    let known = sensor.look(|records| {
        alerts(records).filter(|alert| alert.message.contains("learnt-before")).count()
    });
    assert_eq!(known, 0, "{}", sensor.node.log());
}
