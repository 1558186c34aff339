use super::super::input::{Input, Message, input};
use super::{AFTER_GIVING_UP, Assessor, BETWEEN_SNAPSHOTS};
use crate::publish::Publisher;
use assessment::{Assessment, AssessmentSettings};
use event_model::{Component, KubernetesObject, Lane, SourceDescription, SourceId};
use node_link::{LinkConfig, Outbox};
use std::time::{Duration, Instant};
use tokio::sync::watch;

const OFFENDER: &str = r#"{"metadata":{"name":"web","namespace":"shop","uid":"a"},"spec":{"template":{"spec":{"hostPID":true,"containers":[{"name":"a","image":"b"}]}}}}"#;

struct Replica {
    assessor: Assessor,
    input: Input,
    outbox: Outbox,
    publisher: Publisher,
    link: watch::Sender<bool>,
}

impl Replica {
    fn new() -> Self {
        let config = LinkConfig { socket: "/nowhere".into(), queue_bytes: 1 << 20 };
        let source = SourceDescription {
            id: SourceId::generate(),
            component: Component::CollectorMisc,
            version: String::new(),
            node: String::new(),
            boot_id: uuid::Uuid::nil(),
        };
        let (outbox, _) = node_link::connect(config, source);
        let (link, connected) = watch::channel(false);
        let publisher = Publisher::new(outbox.clone(), connected, 1 << 20);
        let (input, messages) = input();
        let assessment = Assessment::new(&AssessmentSettings::default(), None).unwrap();
        let assessor = Assessor::new(assessment, messages, publisher.clone());
        Self { assessor, input, outbox, publisher, link }
    }

    fn see(&mut self, object: &str) {
        let (api_version, kind) = ("apps/v1".to_owned(), "Deployment".to_owned());
        self.assessor.take(Message::Applied { api_version, kind, object: object.into() });
    }

    fn miss(&mut self, uid: &str) {
        let (api_version, kind) = ("apps/v1".to_owned(), "Deployment".to_owned());
        self.assessor.take(Message::Removed { api_version, kind, uid: uid.to_owned() });
    }

    /// How many records of findings one turn sends.
    fn turn(&mut self) -> u64 {
        let sent = |outbox: &Outbox| outbox.mark(Lane::Inventory).unwrap().given();
        let before = sent(&self.outbox);
        self.assessor.look_who_leads();
        self.assessor.conclude();
        sent(&self.outbox) - before
    }

    fn next_snapshot(&self) -> Duration {
        self.assessor.snapshot_at.saturating_duration_since(Instant::now())
    }
}

#[test]
fn a_standby_tells_nothing_and_all_once_it_leads() {
    let mut replica = Replica::new();
    replica.see(OFFENDER);
    replica.assessor.take(Message::Complete);
    assert_eq!(replica.turn(), 0);
    replica.publisher.lead_alone();
    assert_eq!(replica.turn(), 1, "it begins to lead");
    assert!(replica.next_snapshot() > BETWEEN_SNAPSHOTS / 2, "{:?}", replica.next_snapshot());
    assert_eq!(replica.turn(), 0, "nothing changed");
    replica.see(&OFFENDER.replace("\"web\"", "\"other\"").replace("\"a\"}", "\"b\"}"));
    assert_eq!(replica.turn(), 1, "one more offends");
    replica.publisher.stand_by();
    replica.miss("a");
    assert_eq!(replica.turn(), 0, "another leads");
    replica.publisher.lead_alone();
    assert_eq!(replica.turn(), 1, "it leads again");
    replica.publisher.stand_by();
    assert_eq!(replica.turn(), 0, "another leads, and nothing changes");
    replica.publisher.lead_alone();
    assert_eq!(replica.turn(), 1, "whatever the other told, all is told again");
}

#[test]
fn all_is_told_again_when_its_time_has_come() {
    let mut replica = Replica::new();
    replica.publisher.lead_alone();
    replica.see(OFFENDER);
    replica.assessor.take(Message::Complete);
    assert_eq!(replica.turn(), 1);
    replica.assessor.snapshot_at = Instant::now();
    assert_eq!(replica.turn(), 1);
    replica.assessor.take(Message::Snapshot);
    assert_eq!(replica.turn(), 1);
}

#[test]
fn a_publisher_that_takes_nothing_delays_a_snapshot_and_not_the_objects() {
    let mut replica = Replica::new();
    replica.publisher.lead_alone();
    replica.see(OFFENDER);
    replica.assessor.take(Message::Complete);
    replica.link.send_replace(true);
    while replica.publisher.has_room() {
        let name = "x".repeat(10_000);
        replica.publisher.send(KubernetesObject { name, ..KubernetesObject::default() });
    }
    let (api_version, kind) = ("apps/v1".to_owned(), "Deployment".to_owned());
    let object = " ".repeat(9 << 20).into();
    replica.input.send(Message::Applied { api_version, kind, object });
    assert_eq!(replica.turn(), 0, "objects pile up, so it gives up at once");
    let next = replica.next_snapshot();
    assert!(next > Duration::ZERO && next <= AFTER_GIVING_UP, "{next:?}");
    let message = replica.assessor.messages.next(Duration::ZERO).unwrap();
    replica.assessor.take(message);
    replica.link.send_replace(false);
    replica.assessor.snapshot_at = Instant::now();
    assert_eq!(replica.turn(), 1, "there is room");
}

#[tokio::test]
async fn the_end_of_the_thread_is_told() {
    let Replica { assessor, input, .. } = Replica::new();
    let ended = assessor.start().unwrap();
    drop(input);
    ended.await.expect("it ends in good order");
}
