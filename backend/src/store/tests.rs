use super::testing::{
    alert, close, container_id, event, events, open, process, publisher, put, reference, status,
};
use super::*;
use event_model::{
    Container, Event, EventKind, ExitStatus, KubernetesObject, Lane, Loss, LossReason, Pod,
    Priority, Record, SourceId,
};
use std::time::Duration;

const ROOMY: u64 = 1 << 30;

async fn sequences(reader: &Reader) -> Vec<u64> {
    let filter = EventFilter::default();
    let read = |page: Page<EventRecord, EventCursor>| {
        page.items.iter().map(|event| event.sequence).collect::<Vec<_>>()
    };
    let mut sequences = reader.events(filter, None, 10_000, read).await.unwrap();
    sequences.sort_unstable();
    sequences
}

#[tokio::test]
async fn what_comes_again_is_stored_once_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (source, records) = (SourceId::generate(), events(30));
    let store = open(folder.path(), ROOMY).unwrap();
    assert_eq!(
        put(&store.intake, source, 1, &records[..10]).await.unwrap(),
        Stored { through: 10, new: 10 }
    );
    assert_eq!(
        put(&store.intake, source, 1, &records[..10]).await.unwrap(),
        Stored { through: 10, new: 0 }
    );
    assert_eq!(
        put(&store.intake, source, 6, &records[5..15]).await.unwrap(),
        Stored { through: 15, new: 5 }
    );
    close(store).await;
    let store = open(folder.path(), ROOMY).unwrap();
    assert_eq!(
        put(&store.intake, source, 1, &records).await.unwrap(),
        Stored { through: 30, new: 15 }
    );
    assert_eq!(sequences(&store.reader).await, (1..=30).collect::<Vec<_>>());
}

#[tokio::test]
async fn events_whose_position_was_not_committed_are_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let (source, records) = (SourceId::generate(), events(20));
    let store = open(folder.path(), ROOMY).unwrap();
    put(&store.intake, source, 1, &records[..10]).await.unwrap();
    close(store).await;
    // What a crash between the two commits leaves: events beyond the position.
    let mut files = DayFiles::open(folder.path(), &folder.path().join("state.db")).unwrap();
    for (sequence, record) in (1..).zip(&records) {
        let Record::Event(event) = record else { unreachable!() };
        files.append(sources::SourceRow(1), sequence, event).unwrap();
    }
    files.commit().unwrap();
    drop(files);
    let store = open(folder.path(), ROOMY).unwrap();
    assert_eq!(
        put(&store.intake, source, 11, &records[10..]).await.unwrap(),
        Stored { through: 20, new: 10 }
    );
    assert_eq!(sequences(&store.reader).await, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_event_is_read_with_its_process_and_container() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), ROOMY).unwrap();
    let (source, id) = (SourceId::generate(), container_id('a'));
    let container = Container { id: id.clone(), name: Some("app".into()), ..Container::default() };
    let entities = [
        Record::Process(Box::new(process(7, "/usr/bin/curl"))),
        Record::Container(Box::new(container)),
    ];
    put(&store.intake, source, 1, &entities).await.unwrap();
    let now = Timestamp::now();
    let known = Record::Event(event(now, 7, Some(&id)));
    let unknown = Record::Event(event(now, 8, None));
    put(&store.intake, source, 1, &[known, unknown]).await.unwrap();
    let read = |filter: EventFilter| {
        store.reader.events(filter, None, 10, |page| {
            let name =
                |record: &EventRecord| record.process.as_ref().map(|process| process.name.clone());
            let place = |record: &EventRecord| {
                record.place.as_ref().and_then(|place| place.container.clone()?.name)
            };
            page.items.iter().map(|record| (name(record), place(record))).collect::<Vec<_>>()
        })
    };
    let both = read(EventFilter::default()).await.unwrap();
    let curl = (Some("curl".to_owned()), Some("app".to_owned()));
    assert_eq!(both, [(None, None), curl.clone()]);
    for executable in ["/usr/bin/curl", "curl"] {
        let filter = EventFilter { executable: Some(executable.into()), ..EventFilter::default() };
        assert_eq!(read(filter).await.unwrap(), std::slice::from_ref(&curl), "{executable}");
    }
    for other in ["url", "/usr/bin/cur", "bin/curl2"] {
        let filter = EventFilter { executable: Some(other.into()), ..EventFilter::default() };
        assert!(read(filter).await.unwrap().is_empty(), "{other}");
    }
    let filter = EventFilter { container: Some("app".into()), ..EventFilter::default() };
    assert_eq!(read(filter).await.unwrap(), [curl]);
}

#[tokio::test]
async fn an_alert_is_completed_by_what_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), ROOMY).unwrap();
    let (source, id) = (SourceId::generate(), container_id('b'));
    let made = alert("Shell in a container", Priority::Warning, Some(id.clone()));
    put(&store.intake, source, 1, &[Record::Alert(Box::new(made.clone()))]).await.unwrap();
    assert_eq!(*store.reader.newest_alert().borrow(), 1);
    let pod = Pod {
        uid: "uid-1".into(),
        name: Some("web".into()),
        namespace: Some("shop".into()),
        ..Pod::default()
    };
    let container =
        Container { id, name: Some("app".into()), pod: Some(pod), ..Container::default() };
    put(&store.intake, source, 1, &[Record::Container(Box::new(container))]).await.unwrap();
    let stored = store.reader.alert(made.id).await.unwrap().unwrap();
    assert_eq!(stored.publisher, publisher());
    let complete = crate::alerts::complete(stored);
    assert_eq!(
        complete.alert.container().unwrap().pod.as_ref().unwrap().name.as_deref(),
        Some("web")
    );
    let filter = AlertFilter { namespace: Some("shop".into()), ..AlertFilter::default() };
    assert_eq!(store.reader.alerts(filter, None, 10).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn the_same_alert_under_another_sequence_is_not_shown_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), ROOMY).unwrap();
    let record = Record::Alert(Box::new(alert("Twice", Priority::Notice, None)));
    put(&store.intake, SourceId::generate(), 1, &[record.clone(), record.clone()]).await.unwrap();
    put(&store.intake, SourceId::generate(), 1, &[record]).await.unwrap();
    let page = store.reader.alerts(AlertFilter::default(), None, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test]
async fn a_sensor_shows_its_newest_run_and_what_all_runs_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), ROOMY).unwrap();
    let loss = Loss {
        lane: Lane::Telemetry,
        kind: "exec".into(),
        reason: LossReason::RingFull,
        count: 3,
        since: Timestamp(1),
        until: Timestamp(2),
    };
    let first = SourceId::generate();
    let said = [Record::SensorStatus(Box::new(status(first, &[]))), Record::Loss(loss.clone())];
    put(&store.intake, first, 1, &said).await.unwrap();
    let second = SourceId::generate();
    let said = [Record::SensorStatus(Box::new(status(second, &["no BTF"]))), Record::Loss(loss)];
    put(&store.intake, second, 5, &said).await.unwrap();
    let page = store.reader.sensors(SensorFilter::default(), None, 10).await.unwrap();
    let [sensor] = page.items.as_slice() else { panic!("{page:?}") };
    assert_eq!((sensor.source, sensor.runs), (second.0, 2));
    assert_eq!(&*sensor.publisher.node, "node-1", "the node is the certificate's");
    assert_eq!(sensor.status.as_ref().unwrap().problems, ["no BTF"]);
    assert_eq!(sensor.losses[0].count, 6);
    assert_eq!((sensor.gaps[0].first_missing, sensor.gaps[0].last_missing), (1, 4));
    assert_eq!((sensor.streams[0].position, sensor.streams[0].missing), (6, 4));
}

#[tokio::test]
async fn over_its_bound_the_store_loses_its_oldest_events_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let bound = 3 << 20;
    let store = open(folder.path(), bound).unwrap();
    let source = SourceId::generate();
    for round in 0..20 {
        put(&store.intake, source, 1 + round * 5000, &events(5000)).await.unwrap();
    }
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let removed = store.reader.removed().await.unwrap();
        let kept = sequences(&store.reader).await;
        if let Some(events) = removed.iter().find(|record| record.kind == "event")
            && kept.len() < 50_000
        {
            assert!(events.count >= 5000, "{removed:?}");
            assert_eq!(kept.last(), Some(&100_000), "the newest stay");
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{removed:?}, {} kept", kept.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn many_steps_over_its_bound_the_store_takes_them_one_after_another() {
    const A_DAY: u64 = 86_400_000_000_000;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), ROOMY).unwrap();
    let (source, now) = (SourceId::generate(), Timestamp::now().0);
    for day in 0..40 {
        let begin = now - (40 - day) * A_DAY;
        let events: Vec<_> =
            (0..2000).map(|nth| Record::Event(event(Timestamp(begin + nth), 1, None))).collect();
        put(&store.intake, source, 1 + day * 2000, &events).await.unwrap();
    }
    close(store).await;
    // One file goes in two steps: with a pause of two seconds after each, this would take a minute.
    let store = open(folder.path(), 1 << 20).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let mut left = 40;
    while left > 12 {
        assert!(std::time::Instant::now() < deadline, "{left} days are left");
        tokio::time::sleep(Duration::from_millis(50)).await;
        left = days_on_disk(folder.path());
    }
    close(store).await;
}

#[tokio::test]
async fn a_node_with_too_many_sources_is_told_to_come_later_and_others_do_not_suffer() {
    let folder = tempfile::tempdir().unwrap();
    close(open(folder.path(), ROOMY).unwrap()).await;
    let state = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    testing::fill_sources(&state, Timestamp::now());
    drop(state);
    let store = open(folder.path(), ROOMY).unwrap();
    let error = put(&store.intake, SourceId::generate(), 1, &events(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::TooManySources(_)), "{error}");
    assert!(!error.is_final(), "it is not rejected for good");
    assert_eq!(*store.trouble.borrow(), None, "the store takes what others send");
}

#[tokio::test]
async fn events_of_a_source_that_made_place_for_another_are_still_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (SourceId::generate(), SourceId::generate());
    let store = open(folder.path(), ROOMY).unwrap();
    put(&store.intake, first, 1, &[Record::Process(Box::new(process(1, "/bin/sh")))])
        .await
        .unwrap();
    put(&store.intake, first, 1, &events(3)).await.unwrap();
    close(store).await;
    let state = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    state.execute("UPDATE sources SET last_seen = 1", []).unwrap();
    testing::fill_sources(&state, Timestamp::now());
    drop(state);
    let store = open(folder.path(), ROOMY).unwrap();
    put(&store.intake, second, 1, &events(1)).await.unwrap();
    let filter = EventFilter { node: Some("node-1".into()), ..EventFilter::default() };
    let show = |page: Page<EventRecord, EventCursor>| {
        let of = |event: EventRecord| (event.source.id, event.process.is_some());
        page.items.into_iter().map(of).collect::<Vec<_>>()
    };
    let shown = store.reader.events(filter, None, 10, show).await.unwrap();
    assert_eq!(shown, [(second.0, false), (first.0, true), (first.0, true), (first.0, true)]);
    let removed = store.reader.removed().await.unwrap();
    assert_eq!((removed[0].kind.as_str(), removed[0].count), ("source", 1), "{removed:?}");
}

#[tokio::test]
async fn events_of_nobody_do_not_end_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), ROOMY).unwrap();
    put(&store.intake, SourceId::generate(), 1, &events(2)).await.unwrap();
    close(store).await;
    let mut files = DayFiles::open(folder.path(), &folder.path().join("state.db")).unwrap();
    for (sequence, record) in (1..).zip(events(5)) {
        let Record::Event(event) = record else { unreachable!() };
        files.append(sources::SourceRow(77), sequence, &event).unwrap();
    }
    files.commit().unwrap();
    drop(files);
    let store = open(folder.path(), ROOMY).unwrap();
    let (mut shown, mut after) = (0, None);
    loop {
        let read = |page: Page<EventRecord, EventCursor>| (page.items.len(), page.next);
        let page = store.reader.events(EventFilter::default(), after, 2, read).await.unwrap();
        shown += page.0;
        after = page.1;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(shown, 2);
}

#[tokio::test]
async fn a_day_file_that_is_being_made_is_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), ROOMY).unwrap();
    File::create(day::Day::of(Timestamp::now(), Timestamp::now()).path(folder.path())).unwrap();
    assert!(sequences(&store.reader).await.is_empty());
}

#[tokio::test]
async fn inventory_that_fills_the_state_goes_before_alerts_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 2 << 20).unwrap();
    let alert = alert("Kept", Priority::Critical, None);
    put(&store.intake, SourceId::generate(), 1, &[Record::Alert(Box::new(alert))]).await.unwrap();
    let source = SourceId::generate();
    for sequence in 1..=40 {
        let object = KubernetesObject {
            uid: format!("uid-{sequence}"),
            name: "x".repeat(60_000),
            ..KubernetesObject::default()
        };
        let record = Record::KubernetesObject(Box::new(object));
        put(&store.intake, source, sequence, &[record]).await.unwrap();
    }
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let mut removed = Vec::new();
    while removed.is_empty() {
        assert!(std::time::Instant::now() < deadline, "nothing is removed");
        tokio::time::sleep(Duration::from_millis(50)).await;
        removed = store.reader.removed().await.unwrap();
    }
    assert!(removed.iter().all(|it| it.kind.starts_with("kubernetes")), "{removed:?}");
    let alerts = store.reader.alerts(AlertFilter::default(), None, 10).await.unwrap();
    assert_eq!(alerts.items.len(), 1);
}

/// Waits until so many of a kind were removed.
async fn removed(store: &Store, kind: &str, least: u64) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let removed = store.reader.removed().await.unwrap();
        if removed.iter().any(|record| record.kind == kind && record.count >= least) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{removed:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A store with an alert, and ten thousand sources that were heard of at this moment.
async fn flooded(folder: &Path, seen: Timestamp) -> Store {
    let store = open(folder, ROOMY).unwrap();
    let alert = alert("Kept", Priority::Critical, None);
    put(&store.intake, SourceId::generate(), 1, &[Record::Alert(Box::new(alert))]).await.unwrap();
    put(&store.intake, SourceId::generate(), 1, &events(5000)).await.unwrap();
    close(store).await;
    let state = rusqlite::Connection::open(folder.join("state.db")).unwrap();
    testing::fill_sources(&state, seen);
    drop(state);
    open(folder, 1 << 20).unwrap()
}

#[tokio::test]
async fn sources_that_fill_the_state_go_before_alerts_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = flooded(folder.path(), Timestamp(1)).await;
    removed(&store, "source", 1000).await;
    removed(&store, "former_source", 1000).await;
    let alerts = store.reader.alerts(AlertFilter::default(), None, 10).await.unwrap();
    assert_eq!(alerts.items.len(), 1);
}

#[tokio::test]
async fn a_state_that_cannot_shrink_does_not_keep_events_from_going() {
    let folder = tempfile::tempdir().unwrap();
    let store = flooded(folder.path(), Timestamp::now()).await;
    removed(&store, "event", 1000).await;
}

fn days_on_disk(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap();
    let is_day = |name: &str| day::Day::of_file(name).is_some();
    names.filter(|entry| is_day(&entry.as_ref().unwrap().file_name().to_string_lossy())).count()
}

#[tokio::test]
async fn processes_go_with_the_events_that_referred_to_them() {
    let (_folder, state) = testing::state();
    let source = sources::SourceRow(1);
    for pid in 1..=3 {
        entities::put_process(&state, source, &process(pid, "/bin/true"), Timestamp(100)).unwrap();
    }
    let exit =
        Event { kind: EventKind::Exit(ExitStatus::default()), ..event(Timestamp(150), 1, None) };
    entities::end_process(&state, source, exit.process.key, exit.time).unwrap();
    entities::end_process(&state, source, reference(2).key, Timestamp(900)).unwrap();
    state.execute("INSERT INTO sources (id, cluster, node, uuid, first_seen, last_seen) VALUES (1, 'c', 'n', x'01', 1, 950)", []).unwrap();
    retention::remove_processes(&state, Timestamp(500)).unwrap();
    let left: Vec<u32> = state
        .prepare("SELECT pid FROM processes ORDER BY pid")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(left, [2, 3], "one ended before, one after, one lives");
}

#[tokio::test]
async fn a_folder_is_used_by_one_backend_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), ROOMY).unwrap();
    let message = open(folder.path(), ROOMY).err().unwrap().to_string();
    assert!(message.contains("another backend"), "{message}");
    close(store).await;
    open(folder.path(), ROOMY).unwrap();
}

#[tokio::test]
async fn a_damaged_state_is_told_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("state.db"), vec![b'?'; 20_000]).unwrap();
    let message = open(folder.path(), ROOMY).err().unwrap().to_string();
    for words in ["state.db", "is damaged", "backup", "move both away"] {
        assert!(message.contains(words), "{message}");
    }
}
