//! Processes of the host, as the sensor tells them.

use crate::expect::{outline, processes};
use crate::sensor::{Sensor, unique};
use event_model::{EventKind, Record};
use std::process::Command;

#[test]
fn an_exec_on_the_host_is_told_whole() {
    let sensor = Sensor::start();
    let word = unique("whole");
    let folder = sensor.node.path("rules");
    let script = format!("exit 3 # {word}");
    let status = Command::new("/bin/sh")
        .args(["-c", &script])
        .current_dir(&folder)
        .status()
        .expect("a shell");
    assert_eq!(status.code(), Some(3));

    let exec = sensor.expect_exec(&["/bin/sh", "-c", &script]);
    assert_eq!(exec.process.working_directory, folder.display().to_string());
    assert_eq!(exec.process.user_name.as_deref(), Some("root"));
    assert_eq!(exec.container(), None);
    assert_eq!(exec.process.parent.map(|parent| parent.key.pid), Some(std::process::id()));
    sensor.expect("its end", |records| {
        records.iter().find_map(|record| match record {
            Record::Event(event) if event.process == exec.process.reference => match event.kind {
                EventKind::Exit(status) => (status.code == 3).then_some(()),
                _ => None,
            },
            _ => None,
        })
    });
}

#[test]
fn the_parents_of_a_process_are_told_before_it() {
    let sensor = Sensor::start();
    let word = unique("child");
    let script = format!("/bin/true {word}; true");
    Command::new("/bin/sh").args(["-c", &script]).status().expect("a shell");

    let exec = sensor.expect_exec(&["/bin/true", &word]);
    let told: Vec<_> = sensor.look(|records| processes(records).cloned().collect());
    let place = |reference| told.iter().position(|process| process.reference == reference);
    let shell = place(exec.process.parent.expect("a parent")).expect("the shell was told");
    assert!(Some(shell) < place(exec.process.reference));
    assert!(told[shell].command_line().contains(&script), "{:?}", told[shell]);
}

#[test]
fn each_exec_of_one_process_is_another_generation() {
    let sensor = Sensor::start();
    let word = unique("again");
    let script = format!("exec /bin/sh -c 'exec /bin/true {word}'");
    Command::new("/bin/sh").args(["-c", &script]).status().expect("a shell");
    let last = sensor.expect_exec(&["/bin/true", &word]);
    let generations: Vec<u32> = sensor.look(|records| {
        processes(records)
            .map(|process| process.reference)
            .filter(|reference| reference.key == last.process.reference.key)
            .map(|reference| reference.generation)
            .collect()
    });
    assert_eq!(generations, [1, 2, 3]);
}

#[test]
fn ten_thousand_execs_are_all_told() {
    const COUNT: usize = 10_000;
    let sensor = Sensor::start();
    let word = unique("many");
    let script = format!("i=0; while [ $i -lt {COUNT} ]; do /bin/true {word} $i; i=$((i+1)); done");
    Command::new("/bin/sh").args(["-c", &script]).status().expect("a shell");
    sensor.expect_exec(&["/bin/true", &word, &(COUNT - 1).to_string()]);
    let told = sensor.look(|records| {
        processes(records).filter(|process| process.arguments.get(1) == Some(&word)).count()
    });
    assert_eq!(told, COUNT);
    let is_loss = |record: &Record| matches!(record, Record::Loss(_));
    assert!(!sensor.look(|records| records.iter().any(is_loss)), "{}", sensor.look(outline));
}
