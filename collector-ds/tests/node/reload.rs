//! Rules that change while the sensor runs.

use crate::expect::{alerts, outline, wait_for};
use crate::sensor::{Node, Sensor, status, unique};
use event_model::{EventKind, FileAct, ProbeState, Record};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A rule about one act on one file.
fn rule(name: &str, act: &str, path: &Path) -> String {
    format!(
        "- rule: {name}\n  desc: D.\n  condition: evt.type = {act} and file.path = {path}\n  \
         output: {name} (command=%proc.cmdline)\n  priority: WARNING\n",
        path = path.display()
    )
}

/// A file that no rule and no default asks for.
fn file(node: &Node, name: &str) -> PathBuf {
    let folder = node.folder.path().canonicalize().expect("a folder");
    let path = folder.join(name);
    fs::write(&path, "nothing").expect("a file");
    path
}

/// Puts a rule file into its place at once.
fn write_rules(node: &Node, name: &str, text: &str) {
    let (new, place) = (node.path("new"), node.path("rules").join(name));
    fs::write(&new, text).expect("a rule file");
    fs::rename(new, place).expect("a rule file in its place");
}

fn metric(node: &Node, name: &str) -> Option<f64> {
    let answer = node.ask("/metrics")?;
    let line = answer.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn generation(sensor: &Sensor) -> Option<f64> {
    metric(&sensor.node, "defender_rules_generation ")
}

/// Waits until so many sets of rules have been in force.
fn expect_generation(sensor: &Sensor, wanted: f64) {
    let log = || sensor.node.log();
    wait_for(
        &format!("rules of generation {wanted}"),
        || generation(sensor).filter(|generation| *generation >= wanted),
        log,
    );
}

fn hang_up(sensor: &Sensor) {
    let pid = Pid::from_raw(sensor.process.0.id().cast_signed());
    kill(pid, Signal::SIGHUP).expect("it runs");
}

fn cat(path: &Path, marker: &str) {
    let mut command = Command::new("/bin/cat");
    command.arg(path).arg(marker).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("cat");
}

/// Reads a file until that rule tells of it.
fn expect_alert_of(sensor: &Sensor, rule: &str, path: &Path) {
    let word = unique("read");
    let told = |sensor: &Sensor| {
        sensor.look(|records| {
            alerts(records).any(|alert| alert.rule == rule && alert.message.contains(&word))
        })
    };
    cat(path, &word);
    let instead = || format!("{}\nlog:\n{}", sensor.look(outline), sensor.node.log());
    wait_for(&format!("an alert by {rule}"), || told(sensor).then_some(()), instead);
}

/// Whether opens of files are seen; None where nothing is said of them, or part of them is off.
fn sees_opens(records: &[Record]) -> Option<bool> {
    let told = status(records)?;
    let mut states = told.probes.iter().filter(|it| it.probe == "open").map(|it| it.state);
    let are_off = states.clone().all(|state| state == ProbeState::Off);
    let is_active = states.any(|state| state == ProbeState::Active);
    (are_off || is_active).then_some(is_active)
}

#[test]
fn a_rule_about_acts_and_files_that_nobody_asked_for_before_works_without_a_restart() {
    let sensor = Sensor::start();
    let (first, second) = (file(&sensor.node, "first"), file(&sensor.node, "second"));
    assert_eq!(sensor.look(sees_opens), Some(false), "no rule looks at files");
    write_rules(&sensor.node, "first.yaml", &rule("First read", "open", &first));
    expect_generation(&sensor, 2.0);
    sensor.expect("opens that are looked at", |records| sees_opens(records).filter(|sees| *sees));
    expect_alert_of(&sensor, "First read", &first);

    write_rules(&sensor.node, "second.yaml", &rule("Second read", "open", &second));
    expect_generation(&sensor, 3.0);
    expect_alert_of(&sensor, "Second read", &second);
    expect_alert_of(&sensor, "First read", &first);

    for name in ["first.yaml", "second.yaml"] {
        fs::remove_file(sensor.node.path("rules").join(name)).expect("a rule file");
    }
    sensor.expect("opens that are not looked at any more", |records| {
        let has_ended = !sees_opens(records)?;
        (has_ended && status(records)?.rules_loaded == 1).then_some(())
    });
    let marker = unique("exec");
    cat(&first, &marker);
    let path = first.to_str().expect("text").to_owned();
    sensor.expect_exec(&["/bin/cat", &path, &marker]);
    let told = sensor.look(|records| alerts(records).any(|it| it.message.contains(&marker)));
    assert!(!told, "the rule is gone");
}

#[test]
fn a_broken_file_leaves_the_rules_in_force_and_is_told_in_log_metric_and_status() {
    let node = Node::new();
    let path = file(&node, "watched");
    write_rules(&node, "good.yaml", &rule("Good", "open", &path));
    let sensor = Sensor::start_on(node);
    let failures = "defender_rules_reloads_total{outcome=\"failure\"}";
    assert_eq!(metric(&sensor.node, failures), Some(0.0));
    write_rules(
        &sensor.node,
        "good.yaml",
        &rule("Bad", "open", &path).replace("file.path", "file.pth"),
    );
    let problem = sensor.expect("the problem in the status", |records| {
        let problems = status(records)?.problems;
        problems.into_iter().find(|problem| problem.contains("those before stay in force"))
    });
    for part in ["good.yaml:3:", "file.pth", "^^^", "file.path"] {
        assert!(problem.contains(part), "{part} is missing in {problem}");
        assert!(sensor.node.log().contains(part), "{part} is missing in {}", sensor.node.log());
    }
    assert_eq!(metric(&sensor.node, failures), Some(1.0));
    assert_eq!(generation(&sensor), Some(1.0));
    let failed = "defender_rules_reload_last_failure_timestamp_seconds";
    assert!(metric(&sensor.node, failed) > Some(1.0e9));
    let ready = sensor.node.ask("/readyz").expect("an answer");
    assert!(ready.contains("[+]rules"), "{ready}");
    expect_alert_of(&sensor, "Good", &path);

    write_rules(&sensor.node, "good.yaml", &rule("Better", "open", &path));
    expect_generation(&sensor, 2.0);
    expect_alert_of(&sensor, "Better", &path);
    sensor.expect("a status without the problem", |records| {
        let problems = status(records)?.problems;
        problems.iter().all(|it| !it.contains("those before stay in force")).then_some(())
    });
}

#[test]
fn a_hangup_reads_the_rules_at_once_and_does_not_end_the_sensor() {
    let sensor = Sensor::start();
    hang_up(&sensor);
    expect_generation(&sensor, 2.0);
    let path = file(&sensor.node, "watched");
    write_rules(&sensor.node, "more.yaml", &rule("More", "open", &path));
    hang_up(&sensor);
    expect_generation(&sensor, 3.0);
    expect_alert_of(&sensor, "More", &path);
}

#[test]
fn rules_that_ask_for_more_paths_than_the_kernel_has_room_for_are_refused_and_those_before_work_on()
{
    let node = Node::new();
    let path = file(&node, "watched");
    write_rules(&node, "good.yaml", &rule("Good", "open", &path));
    let sensor = Sensor::start_on(node);
    let many: Vec<String> = (0..20)
        .map(|number| {
            let paths: Vec<_> = (0..1000).map(|file| format!("/srv/{number}/{file}")).collect();
            rule(&format!("Many {number}"), "open", Path::new("x"))
                .replace("file.path = x", &format!("file.path in ({})", paths.join(", ")))
        })
        .collect();
    write_rules(&sensor.node, "many.yaml", &many.concat());
    sensor.expect("the problem in the status", |records| {
        let problems = status(records)?.problems;
        problems.into_iter().find(|problem| problem.contains("start the sensor anew"))
    });
    assert_eq!(generation(&sensor), Some(1.0));
    expect_alert_of(&sensor, "Good", &path);
}

/// How often something was told of one process, by its last argument.
fn told(records: &[Record], counts: impl Fn(&EventKind) -> bool) -> BTreeMap<String, usize> {
    let mut markers = BTreeMap::new();
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for record in records {
        match record {
            Record::Process(process) => {
                let marker = process.arguments.last().filter(|last| last.starts_with("load-"));
                if let Some(marker) = marker {
                    markers.insert(process.reference, marker.clone());
                    told.entry(marker.clone()).or_default();
                }
            }
            Record::Event(event) if counts(&event.kind) => {
                if let Some(marker) = markers.get(&event.process) {
                    *told.entry(marker.clone()).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    told
}

/// Starts programs that read a file, at most 200 a second, until it is to end. Returns how many. What more than a
/// sensor can take does to it is another test's question.
fn load(path: &Path, is_over: &AtomicBool) -> usize {
    let mut started = 0;
    while !is_over.load(Ordering::Relaxed) {
        cat(path, &format!("load-{started}"));
        started += 1;
        std::thread::sleep(Duration::from_millis(5));
    }
    started
}

/// Changes the rules so many times, and waits until each set is in force.
fn change_rules(sensor: &Sensor, variants: &[String], times: u32) {
    for (generation, variant) in (2..times + 2).zip(variants.iter().cycle().skip(1)) {
        write_rules(&sensor.node, "rules.yaml", variant);
        hang_up(sensor);
        expect_generation(sensor, f64::from(generation));
    }
}

/// What the sensor says that it lost, and what it counted.
fn account(records: &[Record]) -> String {
    let losses: Vec<_> = records.iter().filter(|it| matches!(it, Record::Loss(_))).collect();
    format!("losses told: {losses:?}\ncounters: {:?}", status(records).map(|it| it.counters))
}

/// Waits until each of so many programs is told of, and asks that none is told of twice.
fn expect_once_each(
    sensor: &Sensor,
    what: &str,
    started: usize,
    counts: impl Fn(&EventKind) -> bool,
) {
    let instead = || {
        let told = sensor.look(|records| told(records, &counts));
        let missing: Vec<_> = (0..started)
            .map(|it| format!("load-{it}"))
            .filter(|it| !told.contains_key(it))
            .collect();
        format!("without {missing:?}\n{}\nlog:\n{}", sensor.look(account), sensor.node.log())
    };
    let is_told = |records: &[Record]| {
        let told = told(records, &counts);
        told.values().filter(|count| **count > 0).count() >= started
    };
    let all = || sensor.look(is_told).then_some(());
    wait_for(&format!("{what} of {started} programs"), all, instead);
    // Then those that come twice have had time to come.
    std::thread::sleep(Duration::from_millis(1500));
    let told = sensor.look(|records| told(records, &counts));
    let twice: Vec<_> = told.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "{what} that are not told once: {twice:?}");
}

#[test]
fn while_rules_change_fifty_times_no_exec_and_no_open_is_lost_or_told_twice() {
    let mut node = Node::new();
    node.send_each_alert();
    let (watched, other) = (file(&node, "watched"), file(&node, "other"));
    let always = rule("Always", "open", &watched);
    write_rules(&node, "rules.yaml", &always);
    let sensor = Sensor::start_on(node);
    let variants = [
        always.clone(),
        format!("{always}{}", rule("Modes", "chmod", &other)),
        format!("{always}{}{}", rule("Names", "rename", &other), rule("Also", "open", &other)),
    ];
    let is_over = AtomicBool::new(false);
    let began = Instant::now();
    let started = std::thread::scope(|scope| {
        let load = scope.spawn(|| load(&watched, &is_over));
        change_rules(&sensor, &variants, 50);
        is_over.store(true, Ordering::Relaxed);
        load.join().expect("the load")
    });
    eprintln!("{started} programs during 50 reloads in {:?}", began.elapsed());
    assert!(started > 100, "{started} programs are no load");
    expect_once_each(&sensor, "execs", started, |kind| matches!(kind, EventKind::Exec));
    expect_once_each(&sensor, "opens", started, |kind| {
        matches!(kind, EventKind::File(file)
            if file.act == FileAct::Open && Some(&*file.path) == watched.to_str())
    });
    let alerts_told =
        || sensor.look(|records| alerts(records).filter(|it| it.rule == "Always").count());
    let all = || Some(alerts_told()).filter(|count| *count >= started);
    let alerts = wait_for("an alert for each", all, || sensor.look(account));
    assert_eq!(alerts, started, "an alert for each");
}
