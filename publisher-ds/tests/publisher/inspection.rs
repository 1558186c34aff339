//! `publisher-ds spool ls|verify|dump`, beside a publisher that runs and on what a dead one left.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, bulky_event, report_of_loss};
use crate::process::Home;
use crate::waiting::until;
use serde_json::Value;
use std::fs;
use std::process::{Command, Output};

/// A publisher's home whose backend is away, so that the spool keeps what comes.
fn home() -> Home {
    let (home, authority, vault) = (Home::new(), Authority::new(), Vault::new());
    home.trust(&authority, &authority.client());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    home.configure(&format!("https://localhost:{}", backend.address.port()), "64MiB");
    backend.kill();
    home
}

fn spool(home: &Home, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_publisher-ds"));
    let command = command.arg("--config").arg(home.path("publisher-ds.yaml")).arg("spool");
    command.args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn fill(home: &Home, events: u64) {
    let collector = Collector::start(home.socket());
    (0..events).for_each(|number| collector.outbox.send(bulky_event(number)));
    collector.outbox.send(report_of_loss(7));
    collector.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ls_tells_what_lies_in_the_spool_and_where_each_destination_stands() {
    let home = home();
    let _publisher = home.start();
    fill(&home, 3000).await;
    let listed = spool(&home, &["ls", "--output", "json"]);
    assert!(listed.status.success(), "{}", text(&listed));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let segments = listed["segments"].as_array().unwrap();
    let telemetry = segments.iter().filter(|it| it["lane"] == "telemetry");
    let records: u64 = telemetry.map(|it| it["records"].as_u64().unwrap()).sum();
    assert_eq!(records, 3000, "{listed:#}");
    let destinations = listed["destinations"].as_array().unwrap();
    let backend = destinations
        .iter()
        .find(|it| it["destination"] == "backend" && it["lane"] == "telemetry")
        .unwrap_or_else(|| panic!("{listed:#}"));
    assert_eq!((&backend["waiting_records"], &backend["lost_records"]), (&3000.into(), &0.into()));
    let table = text(&spool(&home, &["ls", "--lane", "telemetry"]));
    for word in ["LANE", "SEGMENT", "telemetry", "DESTINATION", "backend", "WAITING", "3000"] {
        assert!(table.contains(word), "no {word} in\n{table}");
    }
    assert!(!table.contains("\nalert"), "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_finds_no_fault_while_a_publisher_writes() {
    let home = home();
    let publisher = home.start();
    until("there is a spool", || home.spool().is_dir(), || home.log());
    let collector = Collector::start(home.socket());
    let mut number = 0;
    for _look in 0..15 {
        for _event in 0..2000 {
            collector.outbox.send(bulky_event(number));
            number += 1;
        }
        let verified = spool(&home, &["verify"]);
        assert!(verified.status.success(), "{}", text(&verified));
    }
    collector.finish().await;
    let verified = text(&spool(&home, &["verify", "--output", "json", "--lane", "telemetry"]));
    let verified: Value = serde_json::from_str(&verified).unwrap();
    assert_eq!(verified["records"], number, "{verified:#}");
    publisher.wait_until_not_ready(&["[-]backend"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dump_prints_what_it_is_asked_for_in_the_order_in_which_it_is_sent() {
    let home = home();
    let _publisher = home.start();
    fill(&home, 3000).await;
    let dumped = text(&spool(&home, &["dump", "--records", "--lane", "telemetry"]));
    let lines: Vec<Value> =
        dumped.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sequences: Vec<u64> = lines.iter().map(|it| it["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=3000).collect::<Vec<_>>());
    assert!(lines.iter().all(|it| it["record"]["record"] == "event"), "{}", lines[0]);
    let source = lines[0]["source"].as_str().unwrap();
    let of_source = text(&spool(&home, &["dump", "--source", source]));
    let of_lane = |lane: &str| of_source.lines().filter(|line| line.starts_with(lane)).count();
    assert!(of_lane("telemetry") > 0 && of_lane("alert") > 0, "{of_source}");
    assert!(of_source.lines().all(|line| line.contains(source)), "{of_source}");
    let stranger = "00000000-0000-4000-8000-000000000000";
    assert_eq!(text(&spool(&home, &["dump", "--source", stranger])), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_names_file_and_offset_of_each_damage_and_changes_nothing() {
    let home = home();
    let publisher = home.start();
    fill(&home, 40_000).await;
    publisher.kill();
    let segments = home.segments("telemetry");
    assert!(segments.len() > 2, "{segments:?}");
    for segment in &segments[..2] {
        let mut content = fs::read(segment).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 0xff;
        fs::write(segment, content).unwrap();
    }
    let before: Vec<_> = segments.iter().map(|path| fs::read(path).unwrap()).collect();
    let verified = spool(&home, &["verify"]);
    let said = text(&verified);
    assert_eq!(verified.status.code(), Some(1), "{said}");
    for segment in &segments[..2] {
        let name = segment.display().to_string();
        let line = said.lines().find(|line| line.starts_with(&name));
        let line = line.unwrap_or_else(|| panic!("nothing of {name} in\n{said}"));
        let offset = line.split(" at ").nth(1).and_then(|rest| rest.split(':').next());
        let offset: usize = offset.unwrap().parse().unwrap();
        assert!((8..fs::read(segment).unwrap().len() / 2).contains(&offset), "{line}");
    }
    assert!(said.contains("2 faults"), "{said}");
    let after: Vec<_> = segments.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(before == after, "verify changed a file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_a_crash_cut_short_is_no_fault() {
    let home = home();
    let publisher = home.start();
    fill(&home, 1000).await;
    publisher.kill();
    let last = home.segments("telemetry").pop().unwrap();
    let mut content = fs::read(&last).unwrap();
    content.extend([7; 100]);
    fs::write(&last, content).unwrap();
    let verified = spool(&home, &["verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
    assert!(text(&verified).contains("100 bytes of a write that was not finished"));
}

#[test]
fn a_damaged_cursor_is_a_fault() {
    let home = home();
    let publisher = home.start();
    let cursor = home.spool().join("cursor");
    until("there is a cursor", || cursor.exists(), || home.log());
    publisher.kill();
    let mut content = fs::read(&cursor).unwrap();
    content[20] ^= 1;
    fs::write(&cursor, content).unwrap();
    let verified = spool(&home, &["verify"]);
    assert_eq!(verified.status.code(), Some(1), "{}", text(&verified));
    assert!(text(&verified).contains("cursor at 0"), "{}", text(&verified));
}

#[test]
fn wrong_arguments_are_told_with_the_way_out() {
    let home = home();
    let missing = spool(&home, &["ls"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing).contains("--directory"), "{}", text(&missing));
    let lane = spool(&home, &["dump", "--lane", "alerts"]);
    assert_eq!(lane.status.code(), Some(2));
    assert!(text(&lane).contains("alert, entity, inventory, telemetry"), "{}", text(&lane));
    let help = text(&spool(&home, &["--help"]));
    for word in ["ls", "verify", "dump", "--directory", "Exit codes", "a publisher may be running"]
    {
        assert!(help.contains(word), "no {word} in\n{help}");
    }
}

#[test]
fn the_place_of_the_spool_can_be_given_without_a_configuration() {
    let home = home();
    let publisher = home.start();
    until("there is a spool", || home.spool().join("cursor").exists(), || home.log());
    let mut command = Command::new(env!("CARGO_BIN_EXE_publisher-ds"));
    let command = command.args(["spool", "verify", "--directory"]).arg(home.spool());
    let verified = command.output().unwrap();
    assert!(verified.status.success(), "{}", text(&verified));
    drop(publisher);
}
