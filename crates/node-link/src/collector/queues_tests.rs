use super::*;
use event_model::{
    Event, EventKind, Host, Inventory, InventoryKind, InventorySubject, Loss, ProcessRef, Timestamp,
};

const ROOMY: u64 = 1 << 30;

fn event(number: u64) -> Record {
    Record::Event(Event {
        time: Timestamp(number),
        process: ProcessRef::default(),
        container: None,
        kind: EventKind::Exec,
    })
}

fn entity() -> Record {
    Record::Host(Host::default())
}

/// The worthiest lane's stand-in: what counts here is the lane alone.
fn status() -> Record {
    Record::SensorStatus(Box::new(event_model::SensorStatus {
        description: event_model::SourceDescription {
            id: event_model::SourceId::generate(),
            component: event_model::Component::CollectorDs,
            version: String::new(),
            node: String::new(),
            boot_id: uuid::Uuid::nil(),
        },
        started_at: Timestamp(0),
        observed_at: Timestamp(0),
        problems: Vec::new(),
        probes: Vec::new(),
        rules_loaded: 0,
        blind_rules: Vec::new(),
        counters: std::collections::BTreeMap::new(),
    }))
}

fn take_all(queues: &mut Queues, now: Instant) -> Vec<Record> {
    std::iter::from_fn(|| queues.take(Lane::Telemetry, now)).flat_map(|it| it.records).collect()
}

fn losses(records: &[Record]) -> Vec<&Loss> {
    let mut losses = Vec::new();
    for record in records {
        if let Record::Loss(loss) = record {
            losses.push(loss);
        }
    }
    losses
}

#[test]
fn an_alert_is_due_at_once_and_an_event_after_a_tenth_of_a_second() {
    let now = Instant::now();
    let mut queues = Queues::new(ROOMY);
    queues.push(event(1), now);
    assert!(queues.take(Lane::Telemetry, now).is_none());
    assert_eq!(queues.next_due(), Some(now + MAXIMUM_WAIT));
    queues.push(status(), now);
    let batch = queues.take(Lane::Telemetry, now).expect("the alert lane is due");
    assert_eq!(batch.lane, Lane::Alert);
    assert!(queues.take(Lane::Telemetry, now).is_none(), "the event waits on");
    let batch = queues.take(Lane::Telemetry, now + MAXIMUM_WAIT).expect("the event is due");
    assert_eq!((batch.lane, batch.records.len()), (Lane::Telemetry, 1));
    assert!(queues.all_empty());
}

#[test]
fn entities_leave_before_events_that_were_due_earlier() {
    let now = Instant::now();
    let mut queues = Queues::new(ROOMY);
    queues.push(event(1), now);
    queues.push(entity(), now + MAXIMUM_WAIT / 2);
    let later = now + MAXIMUM_WAIT;
    let lanes: Vec<_> =
        std::iter::from_fn(|| queues.take(Lane::Telemetry, later)).map(|it| it.lane).collect();
    assert_eq!(lanes, [Lane::Entity, Lane::Telemetry]);
}

#[test]
fn a_large_queue_is_due_before_its_time_and_leaves_in_bounded_batches() {
    let now = Instant::now();
    let mut queues = Queues::new(ROOMY);
    let total = 3 * BATCH_RECORDS as u64;
    for number in 0..total {
        queues.push(event(number), now);
    }
    let mut times = Vec::new();
    while let Some(batch) = queues.take(Lane::Telemetry, now) {
        assert!(batch.records.len() <= BATCH_RECORDS);
        times.extend(batch.records.iter().map(|record| match record {
            Record::Event(event) => event.time.0,
            other => panic!("a {} among the events", other.kind()),
        }));
    }
    times.extend(take_all(&mut queues, now + MAXIMUM_WAIT).iter().map(|record| match record {
        Record::Event(event) => event.time.0,
        other => panic!("a {} among the events", other.kind()),
    }));
    assert!(times.is_sorted(), "the events changed their order");
    assert_eq!(times.len() as u64, total);
}

#[test]
fn over_the_bound_the_oldest_of_the_least_worthy_lane_goes_and_is_counted() {
    let now = Instant::now();
    let room = 10 * footprint(&event(0)) + footprint(&status()) + footprint(&entity());
    let mut queues = Queues::new(room);
    queues.push(status(), now);
    for number in 0..25 {
        queues.push(event(number), now);
    }
    queues.push(entity(), now);
    assert!(queues.held_bytes() <= room);
    let records = take_all(&mut queues, now + MAXIMUM_WAIT);
    let kept: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Event(event) => Some(event.time.0),
            _ => None,
        })
        .collect();
    let losses = losses(&records);
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert_eq!((losses[0].lane, losses[0].kind.as_str()), (Lane::Telemetry, "exec"));
    assert_eq!(losses[0].reason, LossReason::QueueFull);
    assert_eq!(losses[0].count + kept.len() as u64, 25);
    assert_eq!(kept.last(), Some(&24), "the newest should have stayed");
    assert_eq!(records.iter().filter(|record| record.kind() == "sensor_status").count(), 1);
    assert_eq!(records.iter().filter(|record| record.kind() == "host").count(), 1);
}

#[test]
fn what_the_link_holds_counts_against_the_bound() {
    let now = Instant::now();
    let mut queues = Queues::new(100 * footprint(&event(0)));
    queues.set_unacknowledged_bytes(99 * footprint(&event(0)));
    queues.push(event(1), now);
    queues.push(event(2), now);
    assert_eq!(queues.len(), 1);
}

#[test]
fn reports_of_loss_are_summed_and_never_dropped() {
    let now = Instant::now();
    let mut queues = Queues::new(1);
    for _ in 0..1000 {
        queues.push(
            Record::Loss(Loss {
                lane: Lane::Telemetry,
                kind: "exec".into(),
                reason: LossReason::RingFull,
                count: 2,
                since: Timestamp(1),
                until: Timestamp(2),
            }),
            now,
        );
    }
    let records = take_all(&mut queues, now);
    let losses = losses(&records);
    assert_eq!(losses.len(), 1);
    assert_eq!(losses[0].count, 2000);
}

#[test]
fn a_flood_of_losses_is_reported_once_a_second() {
    let now = Instant::now();
    let mut queues = Queues::new(1);
    queues.push(event(1), now);
    assert_eq!(take_all(&mut queues, now).len(), 1, "the first is told at once");
    queues.push(event(2), now);
    assert_eq!(take_all(&mut queues, now).len(), 0);
    assert_eq!(queues.next_due(), Some(now + LOSS_INTERVAL));
    assert_eq!(take_all(&mut queues, now + LOSS_INTERVAL).len(), 1);
}

#[test]
fn in_a_hurry_everything_is_due() {
    let now = Instant::now();
    let mut queues = Queues::new(ROOMY);
    queues.push(event(1), now);
    queues.hurry();
    assert_eq!(take_all(&mut queues, now).len(), 1);
}

#[test]
fn a_lane_that_waits_for_credit_does_not_hold_up_a_worthier_one() {
    let now = Instant::now();
    let mut queues = Queues::new(ROOMY);
    queues.push(event(1), now);
    queues.push(entity(), now);
    queues.push(status(), now);
    let later = now + MAXIMUM_WAIT;
    assert_eq!(queues.take(Lane::Alert, later).map(|it| it.lane), Some(Lane::Alert));
    assert!(queues.take(Lane::Alert, later).is_none());
    assert_eq!(queues.take(Lane::Inventory, later).map(|it| it.lane), Some(Lane::Entity));
    assert!(queues.take(Lane::Inventory, later).is_none());
}

#[test]
fn a_loss_of_entities_is_told_once_and_when_there_is_room_to_repeat_them() {
    let now = Instant::now();
    let mut queues = Queues::new(footprint(&entity()));
    queues.push(entity(), now);
    assert!(!queues.take_entity_loss(), "nothing was lost");
    queues.push(entity(), now);
    assert!(!queues.take_entity_loss(), "a repetition would be lost again");
    take_all(&mut queues, now + MAXIMUM_WAIT);
    assert!(queues.take_entity_loss());
    assert!(!queues.take_entity_loss(), "it was told");
}

#[test]
fn a_loss_of_inventory_is_told_apart_from_that_of_entities() {
    let now = Instant::now();
    let inventory = || {
        Record::Inventory(Box::new(Inventory {
            subject: InventorySubject::Node,
            kind: InventoryKind::Users,
            scanned_at: Timestamp(1),
            changed: vec![],
            removed: vec![],
            snapshot_items: None,
        }))
    };
    let mut queues = Queues::new(footprint(&inventory()));
    queues.push(inventory(), now);
    queues.push(inventory(), now);
    take_all(&mut queues, now + MAXIMUM_WAIT);
    assert!(!queues.take_entity_loss());
    assert!(queues.take_inventory_loss());
    assert!(!queues.take_inventory_loss(), "it was told");
}

#[test]
fn a_loss_of_events_is_none_of_entities() {
    let now = Instant::now();
    let mut queues = Queues::new(footprint(&entity()) + footprint(&event(1)));
    queues.push(entity(), now);
    queues.push(event(1), now);
    queues.push(event(2), now);
    let taken = take_all(&mut queues, now + MAXIMUM_WAIT);
    assert_eq!(losses(&taken).iter().map(|loss| loss.count).sum::<u64>(), 1);
    assert!(!queues.take_entity_loss());
}

#[test]
fn a_deletion_that_was_dropped_is_told_once_by_its_kind() {
    let (now, mut queues) = (Instant::now(), Queues::new(1));
    for deleted in [false, true] {
        let kind = format!("Kind{deleted}");
        let object = event_model::KubernetesObject { kind, deleted, ..Default::default() };
        queues.push(Record::KubernetesObject(Box::new(object)), now);
    }
    let lost: Vec<_> = queues.take_deletions_lost().into_iter().collect();
    assert_eq!(lost, [(String::new(), "Kindtrue".to_owned())]);
    assert!(queues.take_deletions_lost().is_empty());
}
