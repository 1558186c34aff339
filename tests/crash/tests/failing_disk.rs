//! A disk that fails under the publisher, in the middle of a stream: read-only, with errors of input and output, full.
//! Nothing is acknowledged meanwhile, nothing is lost, and it goes on by itself.

use anyhow::{Context, Result, ensure};
use crash::Disk;
use crash::collector::{Collectors, Told};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use suite::Machine;
use suite::deadline::wait_for;
use suite::program::Name;

const TOLD_WITHIN: Duration = Duration::from_mins(2);

const STORED_WITHIN: Duration = Duration::from_mins(2);

/// errno(3), and the words that the publisher tells it by.
const FAILURES: [(i32, &str); 3] = [
    (30, "make the file system of spool.directory writable"),
    (5, "look at the health of the disk"),
    (28, "free space on the file system"),
];

#[test]
fn while_the_disk_fails_collectors_wait_and_afterwards_everything_arrives() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let mut options = pipeline::options(folder.path(), None)?;
    options.sensor = false;
    let places = options.places.clone();
    let disk = Disk::mount(&places.spool())?;
    let mut machine = Machine::start(options)?;
    machine.wait_ready()?;
    let binary = Path::new(env!("CARGO_BIN_EXE_numbered-collector"));
    let collectors = Collectors::start(0, binary, &places.socket())?;
    for (error, words) in FAILURES {
        wait_for_more(&mut machine)?;
        disk.refuse(Some(error));
        wait_for(&format!("the publisher says: {words}"), TOLD_WITHIN, || {
            let log = machine.program(Name::PublisherDs)?.last_lines(5);
            ensure!(log.contains(words), "{log}");
            Ok(())
        })?;
        disk.refuse(None);
        machine.program(Name::PublisherDs)?.wait_ready(TOLD_WITHIN)?;
    }
    wait_for_more(&mut machine)?;
    let told = collectors.finish()?;
    let account = wait_for("all in the store", STORED_WITHIN, || {
        let stored: Vec<u64> = machine
            .api()
            .all("/api/v1/events?type=fork")?
            .iter()
            .map(|event| event["kind"]["child"]["pid"].as_u64().context("it has a child"))
            .collect::<Result<_>>()?;
        let distinct: BTreeSet<u64> = stored.iter().copied().collect();
        let missing = told.iter().flat_map(Told::acknowledged).filter(|it| !distinct.contains(it));
        let missing = missing.count();
        ensure!(missing == 0, "{missing} are missing");
        Ok((stored.len(), distinct.len()))
    })?;
    println!("shown: failing disk: read-only, EIO, full: {} events, 0 lost", account.0);
    ensure!(account.0 == account.1, "some are stored twice: {account:?}");
    let dropped = machine.program(Name::PublisherDs)?.metric("defender_spool_dropped_total")?;
    ensure!(dropped == 0.0, "{dropped} records were dropped");
    verify(&machine)?;
    machine.stop()
}

/// The stream goes on: it did not end with what came before.
fn wait_for_more(machine: &mut Machine) -> Result<()> {
    let metric = "defender_records_delivered_total";
    let before = machine.program(Name::PublisherDs)?.metric(metric)?;
    wait_for("more delivered", TOLD_WITHIN, || {
        let now = machine.program(Name::PublisherDs)?.metric(metric)?;
        ensure!(now > before + 1000.0, "{now} after {before}");
        Ok(())
    })
}

fn verify(machine: &Machine) -> Result<()> {
    let launch = machine.launch(Name::PublisherDs)?;
    let mut command = Command::new(&launch.binary);
    let command = command.arg("--config").arg(&launch.configuration).args(["spool", "verify"]);
    let verified = command.output()?;
    let said = String::from_utf8_lossy(&verified.stdout);
    ensure!(verified.status.success(), "spool verify says:\n{said}");
    Ok(())
}
