//! A node gets its certificate from the real backend, keeps it valid, and gets it back whatever happens.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, event};
use crate::process::{Home, Publisher};
use crate::real_backend::RealBackend;
use crate::waiting::until;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const A_DAY: u64 = 86_400;

fn stage(certificate_seconds: u64) -> (Home, RealBackend) {
    let (home, backend) = (Home::new(), RealBackend::start(certificate_seconds));
    backend.lead(&home, &backend.token());
    (home, backend)
}

fn identity(home: &Home) -> PathBuf {
    home.path("state/publisher.pem")
}

/// What the publisher last said of itself that is wrong.
fn told_problems(backend: &RealBackend) -> String {
    let sensors = backend.all("/api/v1/sensors");
    let own = sensors.iter().find(|sensor| sensor["component"] == "publisher-ds");
    own.map(|own| own["problems"].to_string()).unwrap_or_default()
}

/// Sends numbered events and waits until each is in the backend, once.
async fn deliver(home: &Home, backend: &RealBackend, numbers: std::ops::Range<u64>) {
    let collector = Collector::start(home.socket());
    numbers.clone().for_each(|number| collector.outbox.send(event(number)));
    collector.finish().await;
    let expected = usize::try_from(numbers.end).unwrap();
    let stored = || backend.all("/api/v1/events").len();
    until("all arrived", || stored() >= expected, || (stored(), home.log()));
    assert_exactly(backend, expected);
}

fn assert_exactly(backend: &RealBackend, count: usize) {
    let events = backend.all("/api/v1/events");
    let numbers: HashSet<_> = events.iter().map(|event| event["time"].to_string()).collect();
    assert_eq!((events.len(), numbers.len()), (count, count), "some are missing or doubled");
    assert!(events.iter().all(|event| event["cluster"] == "test" && event["node"] == "node-1"));
}

fn wait_for(kind: &str, count: usize, home: &Home, backend: &RealBackend) {
    let what = format!("{count} certificates by {kind}");
    until(&what, || backend.count(kind) >= count, || (backend.certificates(), home.log()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_with_a_token_alone_enrols_and_delivers() {
    let (home, backend) = stage(A_DAY);
    let publisher = home.start();
    publisher.wait_until_ready();
    deliver(&home, &backend, 0..500).await;
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(home.path("state")), mode(identity(&home))), (0o700, 0o600));
    assert!(!home.log().contains("defender-bootstrap-"), "the token is told: {}", home.log());
    let expiry = publisher.metric("defender_enrolment_certificate_expiration_timestamp_seconds");
    assert!(expiry > 1_700_000_000, "{expiry}");

    // The token is not needed any more, and the next start needs no certificate either.
    fs::remove_file(home.path("bootstrap-token")).unwrap();
    publisher.stop();
    let publisher = home.start();
    publisher.wait_until_ready();
    assert_eq!(backend.certificates().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_renewed_under_load_without_a_lost_event() {
    let (home, backend) = stage(10);
    let publisher = home.start();
    publisher.wait_until_ready();
    let collector = Collector::start(home.socket());
    let (mut number, begun) = (0, Instant::now());
    while backend.count("renewal") < 3 {
        assert!(begun.elapsed() < Duration::from_mins(2), "{:?}", backend.certificates());
        for _ in 0..200 {
            collector.outbox.send(event(number));
            number += 1;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    collector.finish().await;
    let expected = usize::try_from(number).unwrap();
    let stored = || backend.all("/api/v1/events").len();
    until("all arrived", || stored() >= expected, || (stored(), home.log()));
    assert_exactly(&backend, expected);
    assert_eq!(backend.count("token"), 1, "the token was needed again: {}", home.log());
    assert_eq!(backend.count("replacement"), 0, "{}", home.log());
    let mut keys: Vec<_> =
        backend.certificates().iter().map(|one| one["serial"].to_string()).collect();
    keys.dedup();
    println!(
        "shown: {number} events over {} certificates, {:.0} s",
        keys.len(),
        begun.elapsed().as_secs_f64()
    );
    publisher.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_certificate_expired_while_it_was_off_enrols_again() {
    let (home, backend) = stage(10);
    let publisher = home.start();
    publisher.wait_until_ready();
    publisher.kill();
    let newest = backend.certificates()[0]["not_after"].as_str().unwrap().to_owned();
    until(
        "the certificate expired",
        || event_model::Timestamp::now().to_string() > newest,
        || newest.clone(),
    );
    let publisher = home.start();
    publisher.wait_until_ready();
    wait_for("token", 2, &home, &backend);
    deliver(&home, &backend, 0..100).await;
}

#[test]
fn without_a_token_that_is_good_a_node_says_what_is_wrong_and_takes_up_the_right_one() {
    let (home, backend) = stage(A_DAY);
    let good = fs::read_to_string(home.path("bootstrap-token")).unwrap();
    let put = |text: &str| fs::write(home.path("bootstrap-token"), text).unwrap();
    fs::remove_file(home.path("bootstrap-token")).unwrap();
    let publisher = home.start();
    let says = |words: &[&str]| {
        publisher.wait_until_not_ready(&[&["[-]enrolment"], words].concat());
    };
    says(&["enrolment.token_file", "mount the file"]);
    put("garbage");
    says(&["holds no bootstrap token", "backend enrolment tokens create"]);
    put(&format!("defender-bootstrap-000000000000.{}", "0".repeat(64)));
    says(&["gives this node no certificate", "the bootstrap token is not valid"]);
    put(&backend.command(&["tokens", "create", "--cluster", "other"]));
    says(&["is for the cluster \"other\"", "a node of \"test\""]);
    put(&good);
    publisher.wait_until_ready();
}

#[test]
fn a_renewal_that_fails_is_told_through_the_stream_while_the_certificate_still_holds() {
    let (home, backend) = stage(30);
    let publisher = home.start();
    publisher.wait_until_ready();
    // The disk takes no new certificate, and the old one still lets the node deliver.
    fs::remove_file(identity(&home)).unwrap();
    fs::create_dir_all(identity(&home).join("in the way")).unwrap();
    until(
        "the backend was told",
        || told_problems(&backend).contains("enrolment.directory"),
        || (told_problems(&backend), home.log()),
    );
    fs::remove_dir_all(identity(&home)).unwrap();
    until(
        "it is told no more",
        || told_problems(&backend) == "[]",
        || (told_problems(&backend), home.log()),
    );
    publisher.wait_until_ready();
}

#[test]
fn a_token_is_never_shown_to_a_backend_that_cannot_prove_what_it_is() {
    let (home, backend) = stage(A_DAY);
    fs::write(home.path("ca.crt"), Authority::new().certificate()).unwrap();
    let publisher = home.start();
    publisher.wait_until_not_ready(&["[-]enrolment", "not trusted", "backend.ca_file"]);
    assert!(!backend.log().contains("no certificate"), "it was asked: {}", backend.log());
    assert_eq!(backend.certificates().len(), 0);
    fs::write(home.path("ca.crt"), backend.authority.certificate()).unwrap();
    publisher.wait_until_ready();
}

#[test]
fn a_token_that_names_its_authority_is_shown_to_no_other_that_is_believed() {
    let (home, backend) = stage(A_DAY);
    let (own, other) = (home.path("own.crt"), home.path("other.crt"));
    let impostor = Authority::new();
    fs::write(&own, backend.authority.certificate()).unwrap();
    fs::write(&other, impostor.certificate()).unwrap();
    let token = |authority: &Path| {
        let create = ["tokens", "create", "--cluster", "test", "--authority"];
        backend.command(&[&create[..], &[authority.to_str().unwrap()]].concat())
    };
    let put = |token: &str| fs::write(home.path("bootstrap-token"), token).unwrap();
    put(&token(&other));
    let publisher = home.start();
    publisher.wait_until_not_ready(&["[-]enrolment", "holds no authority", "token names"]);
    // Both are believed, and the token is for the one that did not sign the backend's certificate.
    let both = backend.authority.certificate() + &impostor.certificate();
    fs::write(home.path("ca.crt"), both).unwrap();
    publisher.wait_until_not_ready(&["[-]enrolment", "not trusted"]);
    assert_eq!(backend.certificates().len(), 0);
    put(&token(&own));
    publisher.wait_until_ready();
}

#[test]
fn a_backend_where_nobody_enrols_is_named_as_such() {
    let (home, backend) = stage(A_DAY);
    let server = backend.authority.server("localhost");
    let other = Backend::start(&Vault::new(), &server, &backend.authority);
    let file = home.path("publisher-ds.yaml");
    let (before, after) = (backend.ingest_port.to_string(), other.address.port().to_string());
    let text = fs::read_to_string(&file).unwrap().replace(&before, &after);
    fs::write(&file, text).unwrap();
    let publisher = home.start();
    publisher.wait_until_not_ready(&["[-]enrolment", "enrols no nodes", "enrolment.enabled"]);
}

#[test]
fn a_node_waits_for_a_backend_that_is_away_and_renews_when_it_is_back() {
    let (home, mut backend) = (Home::new(), RealBackend::start(10));
    backend.lead(&home, &backend.token());
    backend.kill();
    let publisher = home.start();
    publisher.wait_until_not_ready(&["[-]enrolment", "not reachable"]);
    backend.run();
    publisher.wait_until_ready();
    backend.kill();
    // Longer than the certificate holds.
    publisher.wait_until_not_ready(&["[-]enrolment", "not reachable"]);
    backend.run();
    let is_ready = || publisher.readiness().starts_with("HTTP/1.1 200");
    until("it is ready", is_ready, || (publisher.readiness(), home.log()));
    let listed = backend.certificates();
    assert_eq!(listed.iter().filter(|one| one["kind"] == "token").count(), 2, "{listed:#?}");
}

#[test]
fn a_publisher_killed_at_any_moment_of_its_enrolment_has_a_whole_identity_or_none() {
    let (home, backend) = stage(A_DAY);
    let mut whole = 0;
    for kill in 0..25 {
        let publisher = home.start();
        let asked = backend.certificates().len();
        let begun = Instant::now();
        // Some before it asks, some between answer and file, some after.
        while backend.certificates().len() == asked && begun.elapsed().as_millis() < 20 * kill {}
        publisher.kill();
        if let Ok(text) = fs::read_to_string(identity(&home)) {
            whole += 1;
            let parts = ["BEGIN PRIVATE KEY", "END PRIVATE KEY", "BEGIN CERT", "END CERT"];
            assert!(parts.iter().all(|part| text.contains(part)), "half an identity: {text}");
            fs::remove_file(identity(&home)).unwrap();
        }
    }
    println!("shown: 25 kills while enrolling, {whole} left a whole identity, none half of one");
    let publisher = home.start();
    publisher.wait_until_ready();
}

#[test]
fn on_a_full_disk_a_node_says_so_and_its_certificate_is_written_once_there_is_room() {
    let (home, backend) = stage(A_DAY);
    let directory = home.path("state");
    fs::create_dir(&directory).unwrap();
    mount(Some("tmpfs"), &directory, Some("tmpfs"), MsFlags::empty(), Some("size=16k,mode=0700"))
        .expect("run as root: this test mounts a small tmpfs");
    let _disk = Mounted(directory.clone());
    let filling = directory.join("filling");
    let _ = fs::write(&filling, vec![0; 64 << 10]);
    let publisher = home.start();
    publisher.wait_until_not_ready(&[
        "[-]enrolment",
        "enrolment.directory",
        "No space left",
        "free some space",
    ]);
    fs::remove_file(&filling).unwrap();
    publisher.wait_until_ready();
    assert_eq!(backend.certificates().len(), 1, "what could not be written was kept");
    assert!(identity(&home).exists());
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_revoked_is_out_within_seconds_and_back_once_it_is_allowed() {
    let (home, backend) = stage(A_DAY);
    let publisher = home.start();
    publisher.wait_until_ready();
    deliver(&home, &backend, 0..100).await;
    let begun = Instant::now();
    backend.command(&["revoke", "--cluster", "test", "--node", "node-1"]);
    publisher.wait_until_not_ready(&["[-]backend", "was revoked at"]);
    println!("shown: out {:.1} s after it was revoked", begun.elapsed().as_secs_f64());
    publisher.wait_until_not_ready(&["[-]enrolment", "test/node-1 is barred", "enrolment allow"]);
    let collector = Collector::start(home.socket());
    (100..200).for_each(|number| collector.outbox.send(event(number)));
    collector.finish().await;
    assert_exactly(&backend, 100);
    backend.command(&["allow", "--cluster", "test", "--node", "node-1"]);
    publisher.wait_until_ready();
    until("what waited arrived", || backend.all("/api/v1/events").len() >= 200, || home.log());
    assert_exactly(&backend, 200);
}

#[test]
fn a_node_whose_name_another_took_gets_it_back() {
    let (home, backend) = stage(A_DAY);
    let publisher = home.start();
    publisher.wait_until_ready();
    let thief = Home::new();
    backend.lead(&thief, &fs::read_to_string(home.path("bootstrap-token")).unwrap());
    let second: Publisher<'_> = thief.start();
    wait_for("replacement", 1, &home, &backend);
    wait_for("replacement", 2, &home, &backend);
    // They do not take it from each other without end.
    assert!(backend.certificates().len() <= 4, "{:#?}", backend.certificates());
    drop(second);
    publisher.wait_until_ready();
    assert!(backend.log().contains("was it installed anew?"), "{}", backend.log());
}

#[test]
fn what_another_node_left_on_the_disk_is_not_used() {
    let (home, backend) = stage(A_DAY);
    let publisher = home.start();
    publisher.wait_until_ready();
    publisher.stop();
    let file = home.path("publisher-ds.yaml");
    let text = fs::read_to_string(&file).unwrap().replace("node-1", "node-2");
    fs::write(&file, text).unwrap();
    let publisher = home.start();
    until(
        "the other node enrolled",
        || backend.certificates().iter().any(|one| one["node"] == "node-2"),
        || home.log(),
    );
    publisher.wait_until_ready();
    assert!(home.log().contains("is not of the node"), "{}", home.log());
}
