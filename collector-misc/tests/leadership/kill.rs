//! Leaders that die or freeze.

use crate::lease::expect_holder;
use crate::replica::SHORT;
use crate::site::Site;
use nix::sys::signal::Signal;

/// How many leaders die, where `DEFENDER_LEADER_KILLS` says nothing else.
const KILLS: u32 = 5;

fn kills() -> u32 {
    std::env::var("DEFENDER_LEADER_KILLS").map_or(KILLS, |kills| kills.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_arrives_though_leader_after_leader_is_killed() {
    let mut site = Site::start(SHORT).await;
    for _ in 0..kills() {
        let (leader, standby) = site.both();
        leader.kill();
        let (next, server) = (standby.name, site.server.clone());
        expect_holder(&server, next).await;
        let (_, dead) = site.both();
        dead.start_again();
        site.expect_warm().await;
    }
    println!("{} kills: {}", kills(), site.expect_every_state().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_frozen_past_its_lease_sends_nothing_before_it_knows() {
    let mut site = Site::start(SHORT).await;
    let server = site.server.clone();
    let (frozen, standby) = site.both();
    frozen.signal(Signal::SIGSTOP);
    let frozen_at = server.look(api_server::Store::version);
    expect_holder(&server, standby.name).await;
    frozen.signal(Signal::SIGCONT);
    frozen.expect_log("leads no longer").await;
    frozen.expect_ready("stands by").await;
    let late = frozen.publisher.objects().into_iter().find(|object| {
        object.resource_version.parse::<u64>().is_ok_and(|version| version > frozen_at)
    });
    assert_eq!(late, None, "it sent what it saw after it was frozen");
    site.expect_warm().await;
    // What it saw meanwhile it kept: it can lead again.
    let (leader, once_frozen) = site.both();
    leader.kill();
    expect_holder(&server, once_frozen.name).await;
    site.expect_every_state().await;
}
