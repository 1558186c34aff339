//! What happens while something is down is told once it is up again.

use anyhow::Result;
use pipeline::{Fixture, pod};
use std::time::Duration;
use suite::attack::{self, ACTS};
use suite::program::Name;

const READY_WITHIN: Duration = Duration::from_mins(2);

/// Acts while `down` is killed; the alert must be there after it was started again.
fn an_act_during_an_outage_of(down: Name) -> Result<()> {
    let mut fixture = Fixture::start()?;
    let uid = "a1f3c6de-0d2e-4d6a-9c55-2f8f1f0b7d22";
    let container = fixture.docker.start_pod(&fixture.image()?, &pod("shop-3", uid))?;
    let launch = fixture.machine.launch(down)?;
    fixture.machine.program(down)?.kill()?;
    let [shell, ..] = ACTS;
    attack::act(shell, &container)?;
    *fixture.machine.program(down)? = launch.start()?;
    fixture.machine.program(down)?.wait_ready(READY_WITHIN)?;
    let alert = attack::wait_for_alert_of(shell, &container, &fixture.machine.api())?;
    println!("{}", suite::api::summary(&alert.alert));
    fixture.machine.stop()
}

#[test]
fn an_act_while_the_backend_is_down_is_told_later() -> Result<()> {
    an_act_during_an_outage_of(Name::Backend)
}

#[test]
fn an_act_while_the_publisher_is_down_is_told_later() -> Result<()> {
    an_act_during_an_outage_of(Name::PublisherDs)
}

#[test]
fn a_restarted_sensor_knows_the_containers_that_already_ran() -> Result<()> {
    let mut fixture = Fixture::start()?;
    let uid = "c0a7d1f4-73f9-4a0e-8b59-51f0e6d1aa33";
    let container = fixture.docker.start_pod(&fixture.image()?, &pod("shop-4", uid))?;
    let sensor = fixture.machine.program(Name::CollectorDs)?;
    sensor.crash_and_restart()?;
    sensor.wait_ready(READY_WITHIN)?;
    let [shell, ..] = ACTS;
    let alert = attack::perform(shell, &container, &fixture.machine.api())?.alert;
    anyhow::ensure!(alert["container"]["pod"]["name"] == "shop-4", "{alert:#}");
    fixture.machine.stop()
}
