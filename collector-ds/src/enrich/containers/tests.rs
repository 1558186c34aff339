use super::*;
use event_model::Timestamp;
use std::collections::BTreeMap;

const OWN: &str = "/kubepods/burstable/pod6b8a1c3e-5d7f-4a2b-9c1d-3e5f7a9b1c2d/";
const POD: &str = "6b8a1c3e-5d7f-4a2b-9c1d-3e5f7a9b1c2d";

fn id(letter: char) -> ContainerId {
    ContainerId(letter.to_string().repeat(64).into())
}

fn cgroup(id: u64) -> CgroupKey {
    CgroupKey { hierarchy: 4, id }
}

fn containers() -> (Containers, Instant) {
    (Containers::new(ContainerLimits::default()), Instant::now())
}

fn told(id: ContainerId, name: &str) -> Container {
    Container {
        id,
        name: Some(name.to_owned()),
        image: Some("bb:1".to_owned()),
        pod: Some(Pod { name: Some("web-0".to_owned()), ..Pod::default() }),
        labels: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        created_at: Some(Timestamp(7)),
        ..Container::default()
    }
}

#[test]
fn a_container_is_known_from_the_moment_its_cgroup_is_made() {
    let (mut containers, now) = containers();
    let new = containers.cgroup_made(cgroup(7), &format!("{OWN}{}", id('a')), now);
    assert_eq!(new, Some(id('a')));
    assert_eq!(containers.place(cgroup(7)), Place::Container(&id('a')));
    let container = containers.get(&id('a')).expect("it is known");
    assert_eq!(container.pod.as_ref().map(|pod| pod.uid.as_str()), Some(POD));
}

#[test]
fn cgroups_of_other_hierarchies_and_below_belong_to_the_same_container() {
    let (mut containers, now) = containers();
    let own = format!("/docker/{}", id('a'));
    assert!(containers.cgroup_made(cgroup(7), &own, now).is_some());
    let elsewhere = CgroupKey { hierarchy: 9, id: 7 };
    assert!(containers.cgroup_made(elsewhere, &own, now).is_none(), "it is not new");
    assert!(containers.cgroup_made(cgroup(8), &format!("{own}/init"), now).is_none());
    for key in [cgroup(7), elsewhere, cgroup(8)] {
        assert_eq!(containers.place(key), Place::Container(&id('a')));
    }
    assert_eq!(containers.len(), 1);
}

#[test]
fn the_host_and_the_unknown_are_told_apart() {
    let (mut containers, now) = containers();
    containers.cgroup_made(cgroup(1), "/system.slice/ssh.service", now);
    assert_eq!(containers.place(cgroup(1)), Place::Host);
    assert_eq!(containers.place(cgroup(2)), Place::Unknown);
}

#[test]
fn a_removed_container_stays_for_late_records() {
    let (mut containers, now) = containers();
    let own = format!("/docker/{}", id('a'));
    containers.cgroup_made(cgroup(7), &own, now);
    containers.cgroup_made(cgroup(8), &format!("{own}/init"), now);
    containers.cgroup_removed(cgroup(8), now);
    containers.cgroup_removed(cgroup(7), now);
    containers.expire(now + Duration::from_secs(29));
    assert_eq!(containers.place(cgroup(7)), Place::Container(&id('a')));
    containers.expire(now + Duration::from_secs(31));
    assert_eq!(containers.place(cgroup(7)), Place::Unknown);
    assert!(containers.is_empty());
}

#[test]
fn what_a_runtime_tells_completes_the_entity_but_not_against_the_kernel() {
    let (mut containers, now) = containers();
    containers.cgroup_made(cgroup(7), &format!("{OWN}{}", id('a')), now);
    let completed = containers.complete(told(id('a'), "nginx"), true).expect("it changed");
    assert_eq!(completed.name.as_deref(), Some("nginx"));
    let pod = completed.pod.as_ref().expect("a pod");
    assert_eq!((pod.uid.as_str(), pod.name.as_deref()), (POD, Some("web-0")));
    assert!(completed.cgroup_path.starts_with(OWN));
    assert!(containers.complete(told(id('a'), "nginx"), true).is_none(), "nothing new");
}

#[test]
fn what_a_runtime_told_before_the_cgroup_was_made_is_remembered() {
    let (mut containers, now) = containers();
    assert!(containers.complete(told(id('a'), "quick"), false).is_none());
    containers.cgroup_made(cgroup(7), &format!("/docker/{}", id('a')), now);
    let container = containers.get(&id('a')).expect("it is known");
    assert_eq!(container.name.as_deref(), Some("quick"));
    let mut asked = 0;
    containers.ask_for_more(now, |_| {
        asked += 1;
        true
    });
    assert_eq!(asked, 1, "the rest is asked for");
}

#[test]
fn a_container_that_no_runtime_knows_is_asked_for_ever_more_rarely() {
    let (mut containers, mut now) = containers();
    containers.cgroup_made(cgroup(7), &format!("/docker/{}", id('a')), now);
    let mut times = vec![];
    let start = now;
    while now < start + Duration::from_secs(1000) {
        let mut asked = false;
        containers.ask_for_more(now, |_| {
            asked = true;
            true
        });
        if asked {
            times.push(now.duration_since(start).as_secs());
            containers.not_found(&id('a'), now);
        }
        now += Duration::from_secs(1);
    }
    assert_eq!(times, [0, 5, 15, 35, 75, 155, 315, 615, 915]);
}

#[test]
fn a_question_that_could_not_be_asked_stays_due() {
    let (mut containers, now) = containers();
    containers.cgroup_made(cgroup(7), &format!("/docker/{}", id('a')), now);
    containers.ask_for_more(now, |_| false);
    let mut asked = 0;
    for _ in 0..2 {
        containers.ask_for_more(now, |_| {
            asked += 1;
            true
        });
    }
    assert_eq!(asked, 1);
}

#[test]
fn a_snapshot_mends_what_was_missed() {
    let (mut containers, now) = containers();
    containers.cgroup_made(cgroup(7), &format!("/docker/{}", id('a')), now);
    let found = |key, path: String| CgroupRecord { cgroup: key, path, ..CgroupRecord::default() };
    let existing = [
        found(cgroup(8), format!("/docker/{}", id('b'))),
        found(cgroup(9), "/init.scope".to_owned()),
    ];
    assert_eq!(containers.resync(&existing, now), [id('b')]);
    assert_eq!(containers.place(cgroup(9)), Place::Host);
    containers.expire(now + Duration::from_secs(31));
    assert_eq!(containers.place(cgroup(7)), Place::Unknown, "what the snapshot lacks is gone");
    assert_eq!(containers.place(cgroup(8)), Place::Container(&id('b')));
}

#[test]
fn one_container_cannot_fill_the_memory_for_all() {
    let limits = ContainerLimits { cgroups_each: 3, containers: 2, ..ContainerLimits::default() };
    let mut containers = Containers::new(limits);
    let now = Instant::now();
    let own = format!("/docker/{}", id('a'));
    for number in 0..10 {
        containers.cgroup_made(cgroup(number), &format!("{own}/{number}"), now);
    }
    assert_eq!(containers.refused(), 7);
    assert_eq!(containers.place(cgroup(9)), Place::Unknown);
    assert!(containers.cgroup_made(cgroup(20), &format!("/docker/{}", id('b')), now).is_some());
    assert!(containers.cgroup_made(cgroup(21), &format!("/docker/{}", id('c')), now).is_none());
    assert_eq!(containers.len(), 2);
}

#[test]
fn a_listing_of_what_is_known_is_no_refusal() {
    let limits = ContainerLimits { cgroups_each: 1, cgroups: 2, ..ContainerLimits::default() };
    let mut containers = Containers::new(limits);
    let now = Instant::now();
    let found = |number, path: String| CgroupRecord {
        cgroup: cgroup(number),
        path,
        ..CgroupRecord::default()
    };
    let existing = [found(7, format!("/docker/{}", id('a'))), found(8, "/init.scope".to_owned())];
    assert_eq!(containers.resync(&existing, now), [id('a')]);
    assert_eq!(containers.resync(&existing, now), []);
    assert_eq!(containers.refused(), 0);
}

#[test]
fn a_cgroup_that_was_renamed_stays_what_it_was() {
    let (mut containers, now) = containers();
    containers.cgroup_made(cgroup(7), "/own", now);
    containers.cgroup_made(cgroup(8), &format!("/docker/{}", id('a')), now);
    assert_eq!(containers.cgroup_made(cgroup(7), &format!("/docker/{}", id('b')), now), None);
    assert_eq!(containers.cgroup_made(cgroup(8), &format!("/docker/{}", id('b')), now), None);
    for number in [7, 8] {
        containers.cgroup_removed(cgroup(number), now);
    }
    containers.expire(now + Duration::from_secs(31));
    assert!(containers.is_empty());
}

#[test]
fn an_entity_is_announced_once_and_again_after_a_reconnect() {
    let (mut containers, now) = containers();
    containers.cgroup_made(cgroup(7), &format!("/docker/{}", id('a')), now);
    let mut sent = 0;
    for _ in 0..2 {
        containers.announce(&id('a'), |_| sent += 1);
    }
    assert_eq!(sent, 1);
    containers.announce_again(|_| sent += 1);
    assert_eq!(sent, 2);
}
