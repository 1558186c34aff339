use super::*;
use crate::store::event_store::{EventCursor, EventFilter, StoredEvent};
use crate::store::testing;
use event_model::{EventKind, ProcessKey, ProcessRef};
use std::time::{Duration, Instant};

const DAY: u64 = 86_400_000_000_000;

fn event(time: u64, pid: u32) -> Event {
    Event {
        time: Timestamp(time),
        process: ProcessRef { key: ProcessKey { pid, start_time: 5 }, generation: 0 },
        container: Some("c0ffee".repeat(11)[..64].into()),
        kind: EventKind::Exec,
    }
}

fn files() -> (tempfile::TempDir, DayFiles) {
    let (folder, state) = testing::state();
    drop(state);
    let files = DayFiles::open(folder.path(), &folder.path().join("state.db")).unwrap();
    (folder, files)
}

fn read(
    files: &DayFiles,
    filter: &EventFilter,
    after: Option<&EventCursor>,
    limit: usize,
) -> Vec<StoredEvent> {
    let deadline = Instant::now() + Duration::from_secs(10);
    files.reader().page(filter, after, limit, deadline).unwrap()
}

fn all(files: &DayFiles) -> Vec<StoredEvent> {
    read(files, &EventFilter::default(), None, usize::MAX)
}

#[test]
fn events_that_come_again_are_stored_once() {
    let (_folder, mut files) = files();
    let now = Timestamp::now().0;
    for _ in 0..3 {
        for sequence in 1..=50 {
            files.append(SourceRow(1), sequence, &event(now + sequence, 1)).unwrap();
        }
        files.commit().unwrap();
    }
    assert_eq!(all(&files).len(), 50);
}

#[test]
fn events_of_several_days_are_read_the_newest_first_in_pages() {
    let (folder, mut files) = files();
    let now = Timestamp::now().0;
    for sequence in 1..=30 {
        files.append(SourceRow(1), sequence, &event(now - sequence % 3 * DAY, 1)).unwrap();
    }
    files.append(SourceRow(1), 31, &event(3, 1)).unwrap();
    files.commit().unwrap();
    assert_eq!(days(folder.path()).unwrap().len(), 4, "three days and the undated");
    let whole = all(&files);
    assert_eq!(whole.len(), 31);
    assert!(whole.is_sorted_by(|a, b| a.event.time >= b.event.time));
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = read(&files, &EventFilter::default(), after.as_ref(), 7);
        let Some(last) = page.last() else { break };
        after = Some(last.cursor);
        paged.extend(page);
    }
    assert_eq!(paged, whole);
}

#[test]
fn a_filter_passes_only_what_matches() {
    let (_folder, mut files) = files();
    let now = Timestamp::now().0;
    for pid in 1..=10 {
        files.append(SourceRow(1), u64::from(pid), &event(now + u64::from(pid), pid)).unwrap();
    }
    files.commit().unwrap();
    let count = |filter: EventFilter| read(&files, &filter, None, 100).len();
    assert_eq!(count(EventFilter { pid: Some(3), ..EventFilter::default() }), 1);
    assert_eq!(count(EventFilter { since: Some(Timestamp(now + 8)), ..EventFilter::default() }), 3);
    assert_eq!(count(EventFilter { until: Some(Timestamp(now + 8)), ..EventFilter::default() }), 7);
    let container = |id: &str| EventFilter { container: Some(id.into()), ..EventFilter::default() };
    assert_eq!(count(container("c0ffeec0ffee")), 10);
    assert_eq!(count(container("c0ffeec0ffef")), 0);
    assert_eq!(count(EventFilter { kinds: vec!["fork".into()], ..EventFilter::default() }), 0);
}

#[test]
fn a_rolled_back_group_leaves_nothing() {
    let (_folder, mut files) = files();
    files.append(SourceRow(1), 1, &event(Timestamp::now().0, 1)).unwrap();
    files.rollback();
    files.append(SourceRow(1), 2, &event(Timestamp::now().0, 1)).unwrap();
    files.commit().unwrap();
    assert_eq!(all(&files).iter().map(|stored| stored.sequence).collect::<Vec<_>>(), [2]);
}

#[test]
fn the_oldest_day_goes_first_and_the_last_one_is_cut() {
    let (folder, mut files) = files();
    let now = Timestamp::now().0;
    for sequence in 0..1000 {
        files
            .append(SourceRow(1), sequence, &event(now - sequence % 2 * DAY + sequence, 1))
            .unwrap();
    }
    files.commit().unwrap();
    let removed = files.remove_oldest().unwrap().unwrap();
    assert_eq!(removed.events, 500);
    assert_eq!(days(folder.path()).unwrap().len(), 1);
    let removed = files.remove_oldest().unwrap().unwrap();
    assert!((1..500).contains(&removed.events), "{removed:?}");
    assert!(all(&files).iter().all(|stored| stored.event.time >= removed.before));
}

#[test]
fn a_damaged_day_is_set_aside_and_the_others_stay() {
    let (folder, mut files) = files();
    let now = Timestamp::now().0;
    files.append(SourceRow(1), 1, &event(now, 1)).unwrap();
    files.append(SourceRow(1), 2, &event(now - DAY, 1)).unwrap();
    files.commit().unwrap();
    drop(files);
    let yesterday = days(folder.path()).unwrap()[0].path(folder.path());
    std::fs::write(&yesterday, [7; 4096]).unwrap();
    let files = DayFiles::open(folder.path(), &folder.path().join("state.db")).unwrap();
    assert_eq!(all(&files).len(), 1);
    let kept = std::fs::read_dir(folder.path()).unwrap().filter_map(Result::ok);
    assert!(kept.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("damaged")));
}

#[test]
fn events_of_the_last_moment_that_there_is_can_be_cut_off() {
    let (_folder, mut files) = files();
    for sequence in 1..=3 {
        files.append(SourceRow(1), sequence, &event(u64::MAX, 1)).unwrap();
    }
    files.commit().unwrap();
    let removed = files.remove_oldest().unwrap().unwrap();
    assert_eq!(removed, Removed { events: 3, before: Timestamp(0) }, "their time tells no age");
    assert!(all(&files).is_empty());
}
