//! A sensor that is killed, and a publisher that has not everything yet.

use super::*;

fn set(log: &Log, delivery: Delivery) {
    *log.sent.delivery.lock().expect("a word") = delivery;
}

/// What came to the sensor that is started next, as the last one was killed.
fn sent_after_a_kill(log: &Log, killed: AuditFile<Sent>) -> Vec<String> {
    drop(killed);
    let before = log.sent.ids().len();
    log.open().look(Instant::now()).expect("read");
    log.sent.ids().split_off(before)
}

/// A sensor at the end of a file with a line.
fn at_the_end(log: &Log) -> AuditFile<Sent> {
    log.write(&line("before"));
    let mut file = log.open();
    file.look(Instant::now()).expect("read");
    file
}

#[test]
fn lines_that_the_publisher_does_not_hold_yet_come_again_after_a_kill() {
    let log = Log::new();
    let mut file = at_the_end(&log);
    log.write(&lines(0..3));
    file.look(Instant::now()).expect("read");
    note(&mut file);
    set(&log, Delivery::Waiting);
    log.write(&lines(3..6));
    file.look(Instant::now()).expect("read");
    note(&mut file);
    assert_eq!(sent_after_a_kill(&log, file), numbers(3..6));
}

#[test]
fn a_sensor_that_is_killed_before_its_first_note_is_followed_by_one_that_begins_where_it_did() {
    let log = Log::new();
    let mut file = at_the_end(&log);
    log.write(&lines(0..3));
    file.look(Instant::now()).expect("read");
    assert_eq!(sent_after_a_kill(&log, file), numbers(0..3));
}

#[test]
fn while_records_are_lost_nothing_is_done_with_unless_too_much_would_come_again() {
    let log = Log::new();
    let mut file = log.open_with(Bytes::new(64 << 10));
    let start = Instant::now();
    file.look(start).expect("no file is no error");
    set(&log, Delivery::Uncertain);
    log.write(&lines(0..10));
    file.look(start).expect("read");
    note(&mut file);
    assert_eq!(file.follower.noted().expect("its beginning").offset, 0);
    // A second's worth at a time, until five seconds' worth were taken.
    let mut second = 0;
    while file.follower.reached().expect("a place").offset < 5 * (64 << 10) {
        second += 1;
        log.write(&lines(0..100));
        file.look(start + Duration::from_secs(second)).expect("read");
        assert!(second < 100, "{:?}", file.follower.reached());
    }
    note(&mut file);
    let noted = file.follower.noted().expect("a place").offset;
    assert!(noted > 0, "it is too far behind");
}

#[test]
fn a_sensor_that_ends_waits_for_the_publisher_and_not_for_ever() {
    let log = Log::new();
    let mut file = at_the_end(&log);
    set(&log, Delivery::Waiting);
    log.write(&lines(0..3));
    file.look(Instant::now()).expect("read");
    let (shutdown, state) = (CancellationToken::new(), State::new(&AuditConfig::default()));
    shutdown.cancel();
    let delivery = Arc::clone(&log.sent.delivery);
    let publisher = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        *delivery.lock().expect("a word") = Delivery::Acknowledged;
    });
    file.run(&state, &shutdown);
    publisher.join().expect("it ends");
    assert_eq!(sent_after_a_kill(&log, log.open()), Vec::<String>::new());

    set(&log, Delivery::Waiting);
    log.write(&lines(3..5));
    log.open().run(&state, &shutdown);
    assert_eq!(sent_after_a_kill(&log, log.open()), numbers(3..5), "nobody has taken them");
}

#[test]
fn without_a_publisher_and_without_room_lines_wait_in_the_file() {
    let log = Log::new();
    let mut file = at_the_end(&log);
    log.sent.has_room.store(false, Ordering::Relaxed);
    log.connected.send_replace(false);
    log.write(&lines(0..3));
    file.look(Instant::now()).expect("read");
    assert!(log.sent.ids().is_empty());
    // What is full of other things must not hide requests from the rules.
    log.connected.send_replace(true);
    file.look(Instant::now()).expect("read");
    assert_eq!(log.sent.ids(), numbers(0..3));
}

const FIRST_SEEN: &str = "\
- rule: New request
  desc: A request that nobody has seen.
  condition: ka.verb = get
  output: new
  priority: NOTICE
  source: k8s_audit
  defender: {first_seen: ka.auditid, by: ka.verb, learn_for: 1m}
";

#[test]
fn what_was_learnt_of_a_line_is_kept_once_its_alert_is_durable() {
    let log = Log::new();
    let rules = log.folder.path().join("learns.yaml");
    fs::write(&rules, FIRST_SEEN).expect("a rule file");
    let ended = CancellationToken::new();
    ended.cancel();
    let run = || {
        let rules = Rules::load(std::slice::from_ref(&rules)).unwrap_or_else(|it| panic!("{it}"));
        let memory = RuleMemory::kept_in(log.folder.path().join("learnt"), &rules);
        let gate = AlertGate::new(&AlertsConfig::default(), log.alerts.clone());
        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let mut file = log.open();
        file.detection = RequestDetection::new(rules, memory, Host::default(), gate);
        file.run(&State::new(&AuditConfig::default()), &ended);
        log.alerts.total_sent()
    };
    let later = line("new").replace("T18:", "T19:");
    log.write(&line("before"));
    assert_eq!(run(), 0);
    log.write(&line("old"));
    assert_eq!(run(), 0, "it learns");
    set(&log, Delivery::Waiting);
    log.write(&later);
    assert_eq!(run(), 1);
    set(&log, Delivery::Acknowledged);
    assert_eq!(run(), 2, "it came again: {:?}", log.sent.ids());
    log.write(&later);
    assert_eq!(run(), 2, "it is known: {:?}", log.sent.ids());
}
