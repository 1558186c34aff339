//! The rules about requests, on the follower's thread.

use super::*;

#[test]
fn a_request_that_a_rule_matches_raises_its_alert() {
    let log = Log::new();
    let mut file = log.open();
    file.look(Instant::now()).expect("no file is no error");
    let exec = line("exec").replace(
        "\"verb\":\"get\"",
        "\"verb\":\"create\",\"user\":{\"username\":\"eve\"},\"requestURI\":\"/exec?command=sh&command=-i\",\
         \"objectRef\":{\"resource\":\"pods\",\"subresource\":\"exec\",\"namespace\":\"shop\",\"name\":\"web\"}",
    );
    log.write(&(line("before") + &exec + &line("after")));
    file.look(Instant::now()).expect("read");
    assert_eq!(log.sent.ids(), ["before", "exec", "after"]);
    let records = log.sent.records.lock().expect("the records");
    let alerts: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Alert(alert) => Some(alert),
            _ => None,
        })
        .collect();
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!(alert.message, "a command | user=eve command=(sh,-i)");
    assert_eq!(alert.audit().expect("of a request").audit_id, "exec");
    assert_eq!((alert.host.node.as_str(), log.alerts.total_sent()), ("control-1", 1));
}

#[test]
fn rules_that_are_exchanged_are_asked_of_the_next_request() {
    let log = Log::new();
    let rules = |verb: &str| {
        let file = log.folder.path().join("rules.yaml");
        let text = format!(
            "- rule: By verb\n  desc: D.\n  condition: ka.verb = {verb}\n  output: '%ka.auditid'\n  priority: NOTICE\n  source: k8s_audit\n"
        );
        fs::write(&file, text).expect("a rule file");
        Rules::load(&[file]).unwrap_or_else(|error| panic!("{error}"))
    };
    let shared = Arc::new(ArcSwap::from_pointee(rules("list")));
    let (host, memory) = (Host::default(), RuleMemory::default());
    let gate = AlertGate::new(&AlertsConfig::default(), log.alerts.clone());
    let mut detection = RequestDetection::new(Arc::clone(&shared), memory, host, gate);
    let now = Instant::now();
    let event = kubernetes_audit::parse(line("a").as_bytes()).expect("an event");
    detection.look(&event, now, &log.sent);
    assert_eq!(log.alerts.total_sent(), 0, "it is a get");
    shared.store(Arc::new(rules("get")));
    detection.look(&event, now, &log.sent);
    assert_eq!(log.alerts.total_sent(), 1);
}

#[test]
fn where_no_file_is_followed_the_status_can_say_why() {
    let off = State::new(&AuditConfig::default());
    assert!(off.blindness().expect("blind").contains("audit.path names none"));
    let on = State::new(&AuditConfig { path: "/log/audit.log".into(), ..AuditConfig::default() });
    assert_eq!(on.blindness(), None, "nobody has looked yet");
    on.set_followed(false);
    assert!(on.blindness().expect("blind").contains("/log/audit.log is not there"));
}

#[test]
fn repeats_of_a_request_are_counted_and_told_at_the_end() {
    let log = Log::new();
    let mut file = log.open();
    file.look(Instant::now()).expect("no file is no error");
    let exec = line("exec").replace(
        "\"verb\":\"get\"",
        "\"verb\":\"create\",\"user\":{\"username\":\"eve\"},\"requestURI\":\"/exec?command=sh\",\
         \"objectRef\":{\"resource\":\"pods\",\"subresource\":\"exec\",\"namespace\":\"shop\",\"name\":\"web\"}",
    );
    log.write(&exec.repeat(4));
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    file.run(&State::new(&AuditConfig::default()), &shutdown);
    let records = log.sent.records.lock().expect("the records");
    let counts: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::HeldAlerts(held) => Some((held.reason.name(), held.count)),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [("repeated", 3)]);
    assert_eq!((log.alerts.total_sent(), log.alerts.total_held()), (1, 3));
}
