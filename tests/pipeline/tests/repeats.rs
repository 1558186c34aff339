//! What is done over and over is one alert, and how often it was done stands beside it.

use anyhow::{Context, Result, ensure};
use pipeline::{Fixture, pod};
use std::time::Duration;
use suite::attack::{self, ACTS};
use suite::deadline::wait_for;
use suite::program::Name;

#[test]
fn repeats_of_an_act_are_counted_beside_its_alert() -> Result<()> {
    let mut fixture = Fixture::start()?;
    let uid = "0d5b2ac1-1c0e-4d1f-a5a4-6f2d0c9e7a77";
    let container = fixture.docker.start_pod(&fixture.image()?, &pod("shop-7", uid))?;
    let [shell, ..] = ACTS;
    let api = fixture.machine.api();
    let alert = attack::perform(shell, &container, &api)?.alert;
    attack::act(shell, &container)?;
    attack::act(shell, &container)?;
    // A sensor that ends tells what it had counted, and need not wait for the minute to be over.
    fixture.machine.end(Name::CollectorDs)?;
    let id = alert["id"].as_str().context("an id")?;
    wait_for("the count beside the alert", Duration::from_mins(2), || {
        let alert = api.get(&format!("/api/v1/alerts/{id}"))?;
        ensure!(alert["repeated"] == 2, "{alert:#}");
        Ok(())
    })?;
    let finding = api.get(&format!("/api/v1/alerts/{id}/ocsf"))?;
    ensure!(finding["count"] == 3 && finding["class_uid"] == 2004, "{finding:#}");
    fixture.machine.stop()
}
