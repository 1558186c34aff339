use super::*;
use crate::store::testing;
use proptest::prelude::*;
use std::collections::BTreeMap;

const CREATED: Timestamp = Timestamp(1_000);
const TAKEN: Timestamp = Timestamp(2_000);

fn uid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn object(api_version: &str, uid: &str, version: &str) -> KubernetesObject {
    KubernetesObject {
        api_version: api_version.into(),
        kind: "Service".into(),
        name: uid.into(),
        uid: uid.into(),
        resource_version: version.into(),
        created_at: Some(CREATED),
        ..KubernetesObject::default()
    }
}

fn census(version: &str, uids: &[u128]) -> KubernetesCensus {
    KubernetesCensus {
        kind: "Service".into(),
        resource_version: version.into(),
        taken_at: TAKEN,
        uids: uids.iter().copied().map(uid).collect(),
        ..KubernetesCensus::default()
    }
}

enum Told {
    Object(KubernetesObject),
    Census(KubernetesCensus),
}

fn tell(state: &Connection, told: &[Told]) {
    for (at, told) in (1..).zip(told) {
        let (publisher, now) = (testing::publisher(), Timestamp(at));
        match told {
            Told::Object(object) => super::super::put(state, &publisher, object, now).unwrap(),
            Told::Census(census) => put(state, &publisher, census, now).unwrap(),
        }
    }
}

fn is_gone(state: &Connection, uid: &str) -> bool {
    let sql = "SELECT deleted_at IS NOT NULL FROM kubernetes_objects WHERE uid = ?1";
    state.query_row(sql, [uid], |row| row.get(0)).unwrap()
}

/// Whether the object is gone after both, whichever came first.
fn is_found_gone(object: &KubernetesObject, census: &KubernetesCensus) -> bool {
    let outcome = [false, true].map(|census_first| {
        let (_folder, state) = testing::state();
        let mut told = [Told::Object(object.clone()), Told::Census(census.clone())];
        if census_first {
            told.reverse();
        }
        tell(&state, &told);
        is_gone(&state, &object.uid)
    });
    assert_eq!(outcome[0], outcome[1], "{object:?} {census:?}");
    outcome[0]
}

#[test]
fn what_a_census_does_not_name_is_gone_in_either_order() {
    let seven = object("v1", &uid(7).to_string(), "10");
    assert!(is_found_gone(&seven, &census("10", &[1, 9])));
    assert!(!is_found_gone(&seven, &census("10", &[1, 7, 9])));
    let part = |after, through| KubernetesCensus {
        after: Some(uid(after)),
        through: Some(uid(through)),
        ..census("10", &[])
    };
    assert!(is_found_gone(&seven, &part(6, 7)));
    assert!(!is_found_gone(&seven, &part(7, 9)));
    assert!(!is_found_gone(&seven, &part(2, 6)));
}

#[test]
fn a_census_says_nothing_of_whom_it_cannot_know() {
    let text = uid(7).to_string();
    let none = census("10", &[]);
    assert!(is_found_gone(&object("v1", &text, "10"), &none));
    let later =
        KubernetesObject { created_at: Some(Timestamp(TAKEN.0 + 1)), ..object("v1", &text, "10") };
    let undated = KubernetesObject { created_at: None, ..later.clone() };
    for (object, why) in [
        (object("v1", &text, "11"), "its state is newer"),
        (object("v1", &text, "a7"), "its version tells no order"),
        (object("serving.example/v1", &text, "9"), "it is of another group"),
        (object("v1", "no-uuid", "9"), "its uid is none that a census names"),
        (KubernetesObject { kind: "Pod".into(), ..object("v1", &text, "9") }, "another kind"),
        (later, "it was made after the census"),
        (undated, "nobody knows when it was made"),
    ] {
        assert!(!is_found_gone(&object, &none), "{why}");
    }
    assert!(!is_found_gone(&object("v1", &text, "10"), &census("x10", &[])), "no number");
}

#[test]
fn who_was_found_gone_keeps_what_was_known_and_is_told_as_deleted_once() {
    let (_folder, state) = testing::state();
    let service = object("v1", &uid(7).to_string(), "10");
    let none = || Told::Census(census("12", &[]));
    tell(&state, &[Told::Object(service.clone()), none(), none(), Told::Object(service)]);
    let rows: Vec<(String, String, String)> = state
        .prepare("SELECT change, resource_version, kind FROM kubernetes_changes ORDER BY version")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let row = |change: &str, version: &str| (change.into(), version.into(), "Service".into());
    assert_eq!(rows, [row("added", "10"), row("deleted", "")]);
}

#[test]
fn a_whole_round_replaces_the_one_before_whatever_its_parts_were() {
    let (_folder, state) = testing::state();
    let mut rows = Vec::new();
    for (version, step) in [("10", 7), ("20", 13), ("30", 5)] {
        let (mut after, mut parts) = (None, vec![]);
        let ends = (1..100_u128).filter(|number| number % step == 0);
        for through in ends.map(uid).map(Some).chain([None]) {
            parts.push(Told::Census(KubernetesCensus { after, through, ..census(version, &[]) }));
            after = through;
        }
        tell(&state, &parts);
        rows.push((
            state
                .query_row("SELECT count(*) FROM kubernetes_censuses", [], |row| row.get(0))
                .unwrap(),
            parts.len(),
        ));
    }
    assert!(rows.iter().all(|(rows, parts): &(usize, usize)| rows == parts), "{rows:?}");
}

const UIDS: u128 = 24;

prop_compose! {
    fn part()(
        version in 0..6_u8,
        ends in proptest::option::of((0..UIDS, 0..UIDS)),
        named in proptest::collection::btree_set(0..UIDS, 0..8),
    ) -> KubernetesCensus {
        let (after, through) = ends.map(|(one, other)| (one.min(other), one.max(other) + 1)).unzip();
        let (after, through) = (after.map(uid), through.map(uid));
        let range = Range { behind: after, through: through.unwrap_or(Uuid::max()) };
        let uids = named.into_iter().map(uid).filter(|uid| range.has(*uid)).collect();
        KubernetesCensus { after, through, uids, ..census(&version.to_string(), &[]) }
    }
}

proptest! {
    #[test]
    fn of_each_place_the_newest_census_is_kept(parts in proptest::collection::vec(part(), 1..12)) {
        thread_local!(static STATE: (tempfile::TempDir, Connection) = testing::state());
        STATE.with(|(_, state)| {
            let transaction = state.unchecked_transaction().unwrap();
            let outcome = expect_newest(state, &parts);
            drop(transaction);
            outcome
        })?;
    }
}

/// Takes note of these, and looks what is kept of each uid.
fn expect_newest(state: &Connection, parts: &[KubernetesCensus]) -> Result<(), TestCaseError> {
    let mut newest = BTreeMap::<u128, &KubernetesCensus>::new();
    for part in parts {
        put(state, &testing::publisher(), part, Timestamp(1)).unwrap();
        for number in (0..UIDS + 2).filter(|number| part.covers(uid(*number))) {
            let known = newest.entry(number).or_insert(part);
            if known.resource_version <= part.resource_version {
                *known = part;
            }
        }
    }
    let kind = CountedKind { state, cluster: "test", kind: "Service", group: "" };
    for number in 0..UIDS + 2 {
        let uid = uid(number);
        let kept = kind.at(uid).unwrap().map(|it| (it.version.to_string(), it.names(uid)));
        let known = newest.get(&number);
        let known = known.map(|it| (it.resource_version.clone(), it.uids.contains(&uid)));
        prop_assert_eq!(kept, known, "{}", number);
    }
    Ok(())
}
