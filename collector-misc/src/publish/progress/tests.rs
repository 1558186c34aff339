use super::{Delivered, Kind, Mark, Progress};
use event_model::{Host, Lane, Record};
use node_link::{Delivery, LinkConfig, Outbox};

/// An outbox whose marks are what is asked of here, and nothing else.
fn outbox() -> Outbox {
    let config = LinkConfig { socket: "/nowhere".into(), queue_bytes: 1 << 20 };
    node_link::connect(config, stand_in()).0
}

fn stand_in() -> event_model::SourceDescription {
    event_model::SourceDescription {
        id: event_model::SourceId::generate(),
        component: event_model::Component::CollectorMisc,
        version: String::new(),
        node: String::new(),
        boot_id: uuid::Uuid::nil(),
    }
}

/// The mark behind one more record.
fn next_mark(outbox: &Outbox) -> Mark {
    outbox.send(Record::Host(Host::default()));
    outbox.mark(Lane::Entity).unwrap()
}

fn pod() -> Kind {
    Kind::new("v1", "Pod")
}

fn through(delivered: &Delivered) -> Option<u64> {
    delivered.through(&pod())
}

#[test]
fn a_version_is_delivered_when_all_that_was_given_until_then_is_acknowledged() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    let (first, second) = (next_mark(&outbox), next_mark(&outbox));
    progress.reached(&pod(), 10, Some(first), |_| Delivery::Waiting);
    assert_eq!(through(progress.look(|_| Delivery::Waiting)), None);
    progress.reached(&pod(), 20, Some(second), |_| Delivery::Waiting);
    let only_first = |mark| if mark == first { Delivery::Acknowledged } else { Delivery::Waiting };
    assert_eq!(through(progress.look(only_first)), Some(10));
    assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), Some(20));
}

#[test]
fn under_a_steady_stream_of_changes_the_version_moves_on() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    let mut marks = Vec::new();
    for version in 0..10 {
        marks.push(next_mark(&outbox));
        progress.reached(&pod(), version, marks.last().copied(), |_| Delivery::Waiting);
        let newest = marks[marks.len() - 1];
        let all_but_newest =
            |mark| if mark == newest { Delivery::Waiting } else { Delivery::Acknowledged };
        assert_eq!(through(progress.look(all_but_newest)), version.checked_sub(1));
    }
}

#[test]
fn after_a_loss_nothing_more_is_delivered_until_all_is_listed() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    progress.reached(&pod(), 10, Some(next_mark(&outbox)), |_| Delivery::Waiting);
    assert_eq!(through(progress.look(|_| Delivery::Uncertain)), None);
    progress.reached(&pod(), 20, Some(next_mark(&outbox)), |_| Delivery::Waiting);
    assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), None);
    progress.begin_snapshot(|_| None, |_| Delivery::Waiting);
    progress.listed(&pod(), |_| Delivery::Waiting);
    progress.reached(&pod(), 30, Some(next_mark(&outbox)), |_| Delivery::Waiting);
    assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), Some(30));
}

#[test]
fn what_was_left_out_while_nobody_was_connected_is_not_delivered() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    progress.doubt_all();
    progress.reached(&pod(), 10, Some(next_mark(&outbox)), |_| Delivery::Waiting);
    assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), None);
}

#[test]
fn who_takes_over_goes_on_from_where_the_other_was() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    progress.reached(&pod(), 30, None, |_| Delivery::Waiting);
    let delivered = [(pod(), 10)].into_iter().collect();
    progress.begin(delivered, |_| Some(next_mark(&outbox)), |_| Delivery::Waiting);
    assert_eq!(through(progress.look(|_| Delivery::Waiting)), Some(10));
    assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), Some(30));
}

#[test]
fn who_takes_over_with_a_gap_claims_nothing_of_its_own_before_a_list() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    progress.reached(&pod(), 30, None, |_| Delivery::Waiting);
    progress.doubt(&pod());
    let delivered = [(pod(), 10)].into_iter().collect();
    progress.begin(delivered, |_| Some(next_mark(&outbox)), |_| Delivery::Waiting);
    assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), Some(10));
}

#[test]
fn a_loss_before_a_version_is_reached_is_not_hidden_by_its_mark() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    let before = next_mark(&outbox);
    let is_lost = |mark| if mark == before { Delivery::Uncertain } else { Delivery::Acknowledged };
    progress.comes(&pod(), Some(before));
    progress.reached(&pod(), 10, Some(next_mark(&outbox)), is_lost);
    assert_eq!(through(progress.look(is_lost)), None);
    assert!(progress.is_in_doubt());
}

#[test]
fn a_loss_after_all_was_acknowledged_is_not_hidden_by_the_next_mark() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    let first = next_mark(&outbox);
    progress.reached(&pod(), 10, Some(first), |_| Delivery::Acknowledged);
    assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), Some(10));
    let is_lost = |mark| if mark == first { Delivery::Uncertain } else { Delivery::Acknowledged };
    progress.reached(&pod(), 20, Some(next_mark(&outbox)), is_lost);
    assert_eq!(through(progress.look(is_lost)), Some(10));
}

#[test]
fn a_loss_of_what_was_kept_is_noticed_by_who_takes_over() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    progress.reached(&pod(), 30, None, |_| Delivery::Waiting);
    let before = next_mark(&outbox);
    progress.before_sending(|_| Some(before));
    let is_lost = |mark| if mark == before { Delivery::Uncertain } else { Delivery::Acknowledged };
    progress.begin(Delivered::default(), |_| Some(next_mark(&outbox)), is_lost);
    assert_eq!(through(progress.look(is_lost)), None);
    assert!(progress.is_in_doubt());
}

#[test]
fn a_snapshot_ends_no_doubt_that_arose_during_it() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    progress.doubt_all();
    progress.comes(&pod(), None);
    progress.begin_snapshot(|_| None, |_| Delivery::Waiting);
    progress.doubt(&pod());
    progress.listed(&pod(), |_| Delivery::Waiting);
    assert!(progress.is_in_doubt());
    let began = next_mark(&outbox);
    progress.begin_snapshot(|_| Some(began), |_| Delivery::Waiting);
    progress.listed(&pod(), |_| Delivery::Uncertain);
    assert!(progress.is_in_doubt(), "a part of the snapshot was lost");
    progress.begin_snapshot(|_| Some(began), |_| Delivery::Waiting);
    progress.listed(&pod(), |_| Delivery::Waiting);
    assert!(!progress.is_in_doubt());
}

fn is_lacking(progress: &Progress) -> bool {
    progress.lacking_deletions().any(|kind| *kind == pod())
}

/// All pods are told again, and then by a census, given at these marks.
fn tell_again(progress: &mut Progress, began: Mark, ended: Mark) {
    progress.begin_snapshot(|_| None, |_| Delivery::Waiting);
    progress.listed(&pod(), |_| Delivery::Waiting);
    progress.begin_census(&pod(), Some(began));
    progress.end_census(&pod(), Some(ended));
}

#[test]
fn a_deletion_that_is_lost_is_in_doubt_until_a_census_is_delivered() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    let (began, ended) = (next_mark(&outbox), next_mark(&outbox));
    progress.lose_deletions(&pod());
    tell_again(&mut progress, began, ended);
    progress.look_at_censuses(|_| Delivery::Waiting);
    assert!(is_lacking(&progress) && progress.is_in_doubt(), "no list names who is gone");
    progress.look_at_censuses(|_| Delivery::Acknowledged);
    assert!(!is_lacking(&progress) && !progress.is_in_doubt());
}

#[test]
fn a_census_shows_no_deletion_that_was_lost_after_it_began() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    let (began, ended) = (next_mark(&outbox), next_mark(&outbox));
    progress.begin_census(&pod(), Some(began));
    progress.lose_deletions(&pod());
    progress.end_census(&pod(), Some(ended));
    progress.look_at_censuses(|_| Delivery::Acknowledged);
    assert!(is_lacking(&progress));
    progress.begin_census(&pod(), Some(began));
    progress.look_at_censuses(|_| Delivery::Acknowledged);
    assert!(is_lacking(&progress), "it was not told to its end");
}

#[test]
fn a_census_that_is_lost_is_a_new_doubt() {
    let (outbox, mut progress) = (outbox(), Progress::default());
    let (began, ended) = (next_mark(&outbox), next_mark(&outbox));
    progress.lose_deletions(&pod());
    tell_again(&mut progress, began, ended);
    let before = progress.doubts();
    let is_lost = |mark| if mark == began { Delivery::Uncertain } else { Delivery::Acknowledged };
    progress.look_at_censuses(is_lost);
    assert!(is_lacking(&progress) && progress.doubts() > before);
    tell_again(&mut progress, began, ended);
    progress.look_at_censuses(|_| Delivery::Acknowledged);
    assert!(!is_lacking(&progress) && !progress.is_in_doubt());
}
