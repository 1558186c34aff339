use super::identity::What;
use super::*;
use event_model::{
    AlertSubject, AuditEvent, AuditUser, Container, Event, EventKind, FileEvent, Host,
    MatchedField, NetworkAct, NetworkEvent, Priority, Process, ProcessRef,
};
use proptest::prelude::*;
use std::cell::RefCell;

/// Keeps what it is given.
#[derive(Default)]
struct Kept(RefCell<Vec<Record>>);

impl Outlet for Kept {
    fn send(&self, record: Record) {
        self.0.borrow_mut().push(record);
    }

    fn take_entity_loss(&self) -> bool {
        false
    }
}

/// A gate, what left through it, and the time there.
struct Scene {
    gate: AlertGate,
    kept: Kept,
    now: Instant,
}

fn scene(repeat_seconds: u64, per_minute: u32) -> Scene {
    let config = AlertsConfig { repeat_seconds, per_minute };
    let gate = AlertGate::new(&config, AlertCounts::default());
    Scene { gate, kept: Kept::default(), now: Instant::now() }
}

impl Scene {
    fn take(&mut self, alert: &Alert) {
        let what = match &alert.subject {
            AlertSubject::Act { event, process_chain, .. } => {
                What::Act { event, process: &process_chain[0] }
            }
            AlertSubject::Audit(event) => What::Request(event),
        };
        let (rule, time, matched_fields) = (&*alert.rule, alert.time, &*alert.matched_fields);
        let finding = Finding { rule, time, matched_fields, what };
        let identity = self.gate.identities.of(&finding);
        if !self.gate.holds(&finding, &identity, self.now) {
            let alert = Alert { id: Uuid::now_v7(), ..alert.clone() };
            self.gate.send(alert, &identity, self.now, &self.kept);
        }
    }

    fn suppress(&mut self, rule: &str, suppression: &str, time: u64) {
        self.gate.suppressed.count(rule, suppression, Timestamp(time), self.now);
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.gate.tell(self.now, &self.kept);
    }

    /// The alerts that left, and the counts, since the last call.
    fn left(&self) -> (Vec<Alert>, Vec<HeldAlerts>) {
        let (mut alerts, mut held) = (vec![], vec![]);
        for record in self.kept.0.take() {
            match record {
                Record::Alert(alert) => alerts.push(*alert),
                Record::HeldAlerts(counted) => held.push(*counted),
                other => panic!("{other:?} left"),
            }
        }
        (alerts, held)
    }
}

fn shell(container: Option<&str>, arguments: &[&str]) -> Alert {
    let mut process = Process::default();
    process.executable.path = "/bin/sh".to_owned();
    process.arguments = arguments.iter().map(|&text| text.to_owned()).collect();
    let event = Event {
        time: Timestamp(1_000),
        process: ProcessRef::default(),
        container: container.map(Into::into),
        kind: EventKind::Exec,
    };
    let container = container.map(|id| Container { id: id.into(), ..Container::default() });
    Alert {
        id: Uuid::nil(),
        time: event.time,
        detected_at: event.time,
        rule: "Shell".to_owned(),
        priority: Priority::Notice,
        message: "a shell".to_owned(),
        tags: vec![],
        subject: AlertSubject::Act { event, process_chain: vec![process], container },
        host: Host::default(),
        matched_fields: vec![],
    }
}

fn with_act(alert: &Alert, kind: EventKind) -> Alert {
    let mut alert = alert.clone();
    if let AlertSubject::Act { event, .. } = &mut alert.subject {
        event.kind = kind;
    }
    alert
}

#[test]
fn the_first_leaves_at_once_and_its_repeats_are_told_as_a_count_when_their_time_is_over() {
    let mut scene = scene(60, 0);
    let alert = shell(Some("c1"), &["sh"]);
    scene.take(&alert);
    let (first, held) = scene.left();
    assert_eq!((first.len(), held.len()), (1, 0));
    for second in 1..=5 {
        scene.wait(1);
        scene.take(&Alert { time: Timestamp(1_000 + second), ..alert.clone() });
    }
    scene.wait(54);
    assert_eq!(scene.left().1, [], "a second before the minute is over");
    scene.wait(1);
    let reason = HeldReason::Repeated { alert: first[0].id };
    let (since, until) = (Timestamp(1_001), Timestamp(1_005));
    let told = HeldAlerts { rule: "Shell".to_owned(), reason, count: 5, since, until };
    assert_eq!(scene.left(), (vec![], vec![told]));
    scene.take(&alert);
    assert_eq!(scene.left().0.len(), 1, "a minute later it is news again");
}

#[test]
fn what_is_another_act_in_any_way_leaves() {
    let mut scene = scene(60, 0);
    let file = |path: &str| {
        let path = path.to_owned();
        EventKind::File(Box::new(FileEvent { path, ..FileEvent::default() }))
    };
    let alert = shell(Some("c1"), &["sh"]);
    let matched = MatchedField { field: "proc.name".to_owned(), value: "sh".to_owned() };
    let mut root = alert.clone();
    if let AlertSubject::Act { process_chain, .. } = &mut root.subject {
        process_chain[0].credentials.euid = 7;
    }
    let others = [
        alert.clone(),
        shell(Some("c2"), &["sh"]),
        shell(None, &["sh"]),
        shell(Some("c1"), &["sh", "-c", "id"]),
        Alert { rule: "Other".to_owned(), ..alert.clone() },
        Alert { matched_fields: vec![matched], ..alert.clone() },
        root,
        with_act(&alert, file("/etc/shadow")),
        with_act(&alert, file("/etc/passwd")),
    ];
    for other in &others {
        scene.take(other);
        scene.take(&Alert {
            time: Timestamp(9),
            message: "said otherwise".to_owned(),
            ..other.clone()
        });
    }
    assert_eq!(scene.left().0.len(), others.len());
    scene.gate.tell_all(&scene.kept);
    assert_eq!(scene.left().1.len(), others.len(), "of each, one repeat");
}

#[test]
fn numbers_of_processes_and_a_name_that_came_late_tell_no_alerts_apart() {
    let mut scene = scene(60, 0);
    let matched = |field: &str, value: &str| {
        let matched = MatchedField { field: field.to_owned(), value: value.to_owned() };
        Alert { matched_fields: vec![matched], ..shell(Some("c1"), &["sh"]) }
    };
    for number in ["7", "8", "9"] {
        scene.take(&matched("proc.vpid", number));
        scene.take(&matched("k8s.pod.name", number));
    }
    assert_eq!(scene.left().0.len(), 1);
    for name in ["nginx", "java", "java"] {
        scene.take(&matched("proc.pname", name));
    }
    assert_eq!(scene.left().0.len(), 2);
}

#[test]
fn the_port_that_the_kernel_chose_for_who_asks_tells_no_connections_apart() {
    let mut scene = scene(60, 0);
    let connection = |act, local: &str, remote: &str| {
        let (local, remote) = (local.parse().ok(), remote.parse().ok());
        let event = NetworkEvent { act, local, remote, ..NetworkEvent::default() };
        with_act(&shell(None, &["nc"]), EventKind::Network(Box::new(event)))
    };
    scene.take(&connection(NetworkAct::Connect, "10.0.0.1:40001", "192.0.2.1:443"));
    scene.take(&connection(NetworkAct::Connect, "10.0.0.1:40002", "192.0.2.1:443"));
    assert_eq!(scene.left().0.len(), 1);
    scene.take(&connection(NetworkAct::Connect, "10.0.0.1:40003", "192.0.2.1:80"));
    scene.take(&connection(NetworkAct::Accept, "10.0.0.1:22", "192.0.2.1:50001"));
    assert_eq!(scene.left().0.len(), 2);
    scene.take(&connection(NetworkAct::Accept, "10.0.0.1:22", "192.0.2.1:50002"));
    assert_eq!(scene.left().0.len(), 0);
}

#[test]
fn a_storm_of_different_alerts_is_sent_up_to_the_limit_and_counted_beyond() {
    let mut scene = scene(60, 10);
    for number in 0..1_000 {
        scene.take(&shell(Some("c1"), &["sh", &number.to_string()]));
    }
    scene.take(&shell(Some("c2"), &["sh"]));
    let (sent, held) = scene.left();
    assert_eq!((sent.len(), held.len()), (11, 0), "ten of one container, one of another");
    scene.wait(60);
    let (_, held) = scene.left();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].count, 990);
    assert_eq!(held[0].reason, HeldReason::RateLimited { alert: sent[9].id });
}

#[test]
fn on_the_host_each_program_has_a_limit_of_its_own() {
    let mut scene = scene(60, 1);
    let named = |program: &str, argument: &str| {
        let mut alert = shell(None, &[argument]);
        if let AlertSubject::Act { process_chain, .. } = &mut alert.subject {
            process_chain[0].executable.path = program.to_owned();
        }
        alert
    };
    scene.take(&named("/bin/a", "1"));
    scene.take(&named("/bin/a", "2"));
    scene.take(&named("/bin/b", "1"));
    assert_eq!(scene.left().0.len(), 2);
}

#[test]
fn requests_are_told_apart_by_user_and_object() {
    let mut scene = scene(60, 2);
    let request = |user: &str, name: &str| {
        let user = AuditUser { name: user.to_owned(), ..AuditUser::default() };
        let event = AuditEvent { user, request_uri: name.to_owned(), ..AuditEvent::default() };
        let subject = AlertSubject::Audit(Box::new(event));
        Alert { subject, ..shell(None, &[]) }
    };
    for (user, name) in [("eve", "a"), ("eve", "a"), ("eve", "b"), ("eve", "c"), ("bob", "a")] {
        scene.take(&request(user, name));
    }
    scene.gate.tell_all(&scene.kept);
    let (sent, held) = scene.left();
    assert_eq!(sent.len(), 3);
    let mut reasons: Vec<_> = held.iter().map(|held| (held.reason.name(), held.count)).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, [("rate_limited", 1), ("repeated", 1)]);
}

#[test]
fn what_a_suppression_takes_is_counted_by_rule_and_suppression() {
    let mut scene = scene(60, 60);
    for (rule, suppression, time) in
        [("A", "backups", 3), ("A", "backups", 2), ("B", "backups", 5), ("A", "scans", 9)]
    {
        scene.suppress(rule, suppression, time);
    }
    assert_eq!(scene.left(), (vec![], vec![]));
    scene.wait(60);
    let (_, held) = scene.left();
    let told: Vec<_> = held
        .iter()
        .map(|held| match &held.reason {
            HeldReason::Suppressed { suppression } => {
                (held.rule.as_str(), suppression.as_str(), held.count, held.since.0, held.until.0)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [("A", "backups", 2, 2, 3), ("B", "backups", 1, 5, 5), ("A", "scans", 1, 9, 9)];
    assert_eq!(told, expected);
}

#[test]
fn where_nothing_is_to_be_held_back_each_leaves() {
    let mut scene = scene(0, 0);
    (0..500).for_each(|_| scene.take(&shell(None, &["sh"])));
    assert_eq!(scene.left().0.len(), 500);
}

#[test]
fn a_flood_of_different_alerts_fills_no_memory_and_loses_no_count() {
    let mut scene = scene(3600, 0);
    for number in 0..MOST_ALERTS + 100 {
        let alert = shell(None, &[&number.to_string()]);
        scene.take(&alert);
        scene.take(&alert);
    }
    let sent = scene.left().0.len();
    assert_eq!(sent, MOST_ALERTS + 100);
    scene.gate.tell(scene.now, &scene.kept);
    assert_eq!(scene.left().1.len(), 100, "those that had to make room are told early");
    scene.gate.tell_all(&scene.kept);
    assert_eq!(scene.left().1.len(), MOST_ALERTS);
}

proptest! {
    /// Whatever comes when: each alert is sent or counted once, and each count names an alert that was sent.
    #[test]
    fn every_alert_is_sent_or_counted_once(
        steps in prop::collection::vec((0..4_u8, 0..3_u8, 0..2_u8, 0..20_u64), 0..300),
        repeat_seconds in 0..90_u64,
        per_minute in 0..5_u32,
    ) {
        let mut scene = scene(repeat_seconds, per_minute);
        let mut taken = 0;
        for (argument, container, rule, seconds) in steps {
            scene.wait(seconds);
            let container = format!("c{container}");
            let alert = shell(Some(&container), &[&argument.to_string()]);
            scene.take(&Alert { rule: format!("R{rule}"), ..alert });
            taken += 1;
        }
        scene.gate.tell_all(&scene.kept);
        let (sent, held) = scene.left();
        let counted: u64 = held.iter().map(|held| held.count).sum();
        prop_assert_eq!(sent.len() as u64 + counted, taken);
        for held in held {
            let known = sent.iter().find(|alert| Some(alert.id) == held.reason.alert());
            prop_assert!(known.is_some_and(|alert| alert.rule == held.rule), "{:?}", held);
        }
    }
}
