use super::history::MOST_SAME;
use super::*;
use crate::store::testing;
use event_model::{KubernetesCensus, KubernetesContainer, OwnerReference, usual_uuid};
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::BTreeMap;
use uuid::Uuid;
use version::{DELETION, unpack};

/// The pod's uid, which lies in the midst of all there are.
const UID: &str = "80000000-0000-4000-8000-000000000000";
/// Between the last of its states and its deletion.
const END: i64 = 47;

/// A pod whose content has this number.
fn pod(content: u8, version: &str) -> KubernetesObject {
    let container = KubernetesContainer {
        name: "app".into(),
        image: format!("registry.example/web:{}", content % 2),
        image_id: Some(format!("registry.example/web@sha256:{content}")),
        container_id: Some(content.to_string().repeat(64)),
    };
    KubernetesObject {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: Some("shop".into()),
        name: "web-7d9".into(),
        uid: UID.into(),
        resource_version: version.into(),
        created_at: Some(Timestamp(5)),
        labels: [("app".to_owned(), format!("web{}", content / 2))].into(),
        owners: vec![OwnerReference { kind: "ReplicaSet".into(), ..OwnerReference::default() }],
        containers: vec![container],
        configuration: Some(format!("{{\"spec\":{content}}}")),
        ..KubernetesObject::default()
    }
}

fn gone(version: &str) -> KubernetesObject {
    let (uid, resource_version) = (UID.to_owned(), version.to_owned());
    KubernetesObject { uid, resource_version, deleted: true, ..KubernetesObject::default() }
}

fn tell(state: &Connection, objects: &[KubernetesObject]) {
    for (at, object) in (1..).zip(objects) {
        put(state, &testing::publisher(), object, Timestamp(at)).unwrap();
    }
}

/// What arrives of a pod's history.
#[derive(Clone, Debug)]
enum Told {
    Object(KubernetesObject),
    Census(KubernetesCensus),
}

fn tell_all(state: &Connection, told: &[Told]) {
    for (at, told) in (1..).zip(told) {
        let (publisher, now) = (testing::publisher(), Timestamp(at));
        match told {
            Told::Object(object) => put(state, &publisher, object, now).unwrap(),
            Told::Census(census) => put_census(state, &publisher, census, now).unwrap(),
        }
    }
}

/// A row of the log without when it was observed.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    version: i64,
    resource_version: String,
    same: Vec<i64>,
    change: String,
    name: String,
    parts: String,
    content: Option<KubernetesObject>,
}

fn present(state: &Connection) -> Present {
    Place { state, cluster: "test", uid: UID }.read().unwrap().unwrap()
}

fn log(state: &Connection) -> Vec<Row> {
    let now = present(state).object;
    let mut statement = state
        .prepare(
            "SELECT version, resource_version, same, change, name, parts, content FROM kubernetes_changes
             ORDER BY cluster, uid, version",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        let change: String = row.get(3)?;
        let content: Option<Vec<u8>> = row.get(6)?;
        let content = match content {
            Some(bytes) => Some(content::decompress(&bytes).unwrap()),
            None => (change != "deleted").then(|| now.clone()),
        };
        Ok(Row {
            version: row.get(0)?,
            resource_version: row.get(1)?,
            same: unpack(&row.get::<_, Vec<u8>>(2)?),
            change,
            name: row.get(4)?,
            parts: row.get(5)?,
            content: content.map(|mut content| {
                content.resource_version.clear();
                content
            }),
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// A deletion without a version, where a census tells of one.
fn found_gone(told: &[Told], objects: &[KubernetesObject]) -> Option<KubernetesObject> {
    let states = objects.iter().filter(|object| !object.deleted);
    let newest = states.map(|state| number(&state.resource_version)).max()?;
    let tells = |census: &KubernetesCensus| {
        newest <= number(&census.resource_version) && !census.spares(UID)
    };
    told.iter().find_map(|told| match told {
        Told::Census(census) if tells(census) => Some(gone("")),
        _ => None,
    })
}

/// What the log must say of these states and deletions, by the definition and not by its way.
fn expected(told: &[KubernetesObject]) -> Vec<Row> {
    let states: BTreeMap<i64, &KubernetesObject> = told
        .iter()
        .filter(|object| !object.deleted)
        .map(|object| (object.resource_version.parse().unwrap(), object))
        .collect();
    let mut rows: Vec<Row> = Vec::new();
    for (version, object) in &states {
        let content = KubernetesObject { resource_version: String::new(), ..(*object).clone() };
        match rows.last_mut() {
            Some(last) if last.content.as_ref() == Some(&content) => last.same.push(*version),
            last => {
                let before = last.and_then(|last| last.content.clone());
                let parts = before.as_ref().map(|before| Difference::between(before, &content));
                rows.push(Row {
                    version: *version,
                    resource_version: version.to_string(),
                    same: vec![],
                    change: if before.is_none() { "added" } else { "modified" }.into(),
                    name: content.name.clone(),
                    parts: parts
                        .map(|parts| serde_json::to_string(&parts).unwrap())
                        .unwrap_or_default(),
                    content: Some(content),
                });
            }
        }
    }
    let deletions = told.iter().filter(|object| object.deleted);
    let newest = deletions.max_by_key(|object| number(&object.resource_version));
    rows.extend(newest.map(|deletion| Row {
        version: DELETION,
        resource_version: deletion.resource_version.clone(),
        same: vec![],
        change: "deleted".into(),
        name: states.values().next().map_or("", |object| &object.name).to_owned(),
        parts: String::new(),
        content: None,
    }));
    rows
}

prop_compose! {
    /// A census of a cluster in which the pod is there from version 9 on, and until its end where `has_end`.
    fn census(has_end: bool)(
        version in 0..60_i64,
        (after, through) in (proptest::option::of(any::<u128>()), proptest::option::of(any::<u128>())),
        others in proptest::collection::btree_set(any::<u128>(), 0..3),
    ) -> KubernetesCensus {
        let [after, through] = [after, through].map(|uid| uid.map(Uuid::from_u128));
        let bare = KubernetesCensus { after, through, ..KubernetesCensus::default() };
        let is_there = version >= 9 && !(has_end && version >= END);
        let mut uids: Vec<Uuid> = others.into_iter().map(Uuid::from_u128).collect();
        uids.extend(is_there.then(|| usual_uuid(UID).unwrap()));
        uids.retain(|uid| bare.covers(*uid));
        uids.sort_unstable();
        let (kind, resource_version) = ("Pod".to_owned(), version.to_string());
        KubernetesCensus { kind, resource_version, taken_at: Timestamp(9), uids, ..bare }
    }
}

prop_compose! {
    /// What two leaders tell of one history, each as much of it as it saw, in any order and some of it again; and censuses
    /// taken at any time of it.
    fn told()(
        contents in proptest::collection::vec(0..4_u8, 1..14),
        deletion in 0..5_u8,
    )(
        seen in proptest::collection::vec((any::<bool>(), any::<bool>(), 0..2_usize), contents.len()..=contents.len()),
        censuses in proptest::collection::vec(census(deletion > 0), 0..5),
        contents in Just(contents),
        deletion in Just(deletion),
    ) -> Vec<Told> {
        let mut told = vec![];
        // Versions grow by other objects' changes too: 9 is below 10 as a number and above it as a text.
        for ((nth, content), (first, second, again)) in (3..).zip(contents).zip(seen) {
            let object = pod(content, &(nth * 3).to_string());
            let times = usize::from(first) + usize::from(second) + again;
            told.extend(std::iter::repeat_n(object, times));
        }
        let seen = if told.is_empty() { gone("50") } else { gone("100") };
        match deletion {
            1 => told.push(seen),
            2 => told.push(gone("")),
            3 => told.extend([seen, gone("")]),
            // It has an end where this is 4, of which nobody tells.
            _ => {}
        }
        told.into_iter().map(Told::Object).chain(censuses.into_iter().map(Told::Census)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_order_of_arrival_gives_the_same_log_and_state(
        told in told().prop_flat_map(|told| Just(told).prop_shuffle())
    ) {
        let objects = told.iter().filter_map(|told| match told {
            Told::Object(object) => Some(object.clone()),
            Told::Census(_) => None,
        });
        let mut objects: Vec<_> = objects.collect();
        prop_assume!(!objects.is_empty());
        objects.extend(found_gone(&told, &objects));
        thread_local!(static STATE: (tempfile::TempDir, Connection) = testing::state());
        STATE.with(|(_, state)| {
            let transaction = state.unchecked_transaction().unwrap();
            tell_all(state, &told);
            let (log, present) = (log(state), present(state));
            prop_assert_eq!(log, expected(&objects));
            let newest = objects.iter().filter(|it| !it.deleted).max_by_key(|it| number(&it.resource_version));
            prop_assert_eq!(present.is_deleted, objects.iter().any(|it| it.deleted));
            if let Some(newest) = newest {
                prop_assert_eq!(&present.object, newest);
                prop_assert_eq!(Some(present.version), number(&newest.resource_version));
            }
            drop(transaction);
            Ok(())
        })?;
    }
}

fn changes(state: &Connection) -> Vec<String> {
    log(state).into_iter().map(|row| format!("{} {}", row.resource_version, row.change)).collect()
}

#[test]
fn the_notice_of_a_deletion_keeps_what_was_known_and_is_final() {
    let (_folder, state) = testing::state();
    tell(&state, &[pod(1, "5"), gone(""), pod(1, "5"), pod(2, "4"), gone("6")]);
    assert_eq!(present(&state).object, pod(1, "5"));
    assert!(present(&state).is_deleted);
    assert_eq!(changes(&state), ["4 added", "5 modified", "6 deleted"]);
    let deleted_at: i64 =
        state.query_row("SELECT deleted_at FROM kubernetes_objects", [], |row| row.get(0)).unwrap();
    assert_eq!(deleted_at, 2, "when it was noticed first");
}

#[test]
fn a_change_tells_which_parts_differ_and_images_before_and_after() {
    let (_folder, state) = testing::state();
    tell(&state, &[pod(0, "1"), pod(3, "2")]);
    let rows = log(&state);
    let told: Difference = serde_json::from_str(&rows[1].parts).unwrap();
    assert_eq!(told.parts, ["labels", "containers", "configuration.spec"]);
    let image = ImageChange {
        container: "app".into(),
        before: Some("registry.example/web:0".into()),
        after: Some("registry.example/web:1".into()),
    };
    assert_eq!(told.images, [image]);
}

#[test]
fn of_a_version_that_is_no_number_the_latest_to_arrive_counts() {
    let (_folder, state) = testing::state();
    tell(&state, &[pod(1, "b"), pod(2, "a"), pod(2, "c"), pod(1, "b")]);
    assert_eq!(changes(&state), ["b added", "a modified", "b modified"]);
    assert_eq!(present(&state).object, pod(1, "b"));
}

#[test]
fn of_two_tellings_of_one_state_the_longer_one_counts_in_either_order() {
    let shorter = KubernetesObject { configuration: None, ..pod(1, "7") };
    for told in [[pod(1, "7"), shorter.clone()], [shorter, pod(1, "7")]] {
        let (_folder, state) = testing::state();
        tell(&state, &told);
        assert_eq!(present(&state).object, pod(1, "7"));
        assert_eq!(changes(&state), ["7 added"]);
    }
}

#[test]
fn many_versions_of_one_content_take_a_bounded_place() {
    let (_folder, state) = testing::state();
    let told: Vec<_> = (1..500).map(|version| pod(1, &version.to_string())).collect();
    tell(&state, &told);
    tell(&state, &[pod(2, "300")]);
    assert_eq!(changes(&state).len(), 3);
    let versions: Vec<_> = log(&state).iter().map(|row| (row.version, row.same.len())).collect();
    assert_eq!(versions[0].0, 1);
    assert_eq!(versions[1], (300, 0));
    assert!(versions.iter().all(|(_, same)| *same <= MOST_SAME), "{versions:?}");
}

#[test]
fn images_are_those_of_the_present_state() {
    let (_folder, state) = testing::state();
    tell(&state, &[pod(1, "1"), pod(2, "2")]);
    let images: Vec<(String, String)> = state
        .prepare("SELECT key, reference FROM kubernetes_images")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(images, [("sha256:2".to_owned(), "registry.example/web:0".to_owned())]);
}
