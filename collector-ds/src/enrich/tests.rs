use super::*;
use containers::ContainerLimits;
use event_model::{Credentials, ExitStatus, Timestamp};
use processes::ProcessLimits;

const CONTAINER: &str = "3f5e9c1d7a2b4c6d8e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f";
const IN_CONTAINER: CgroupKey = CgroupKey { hierarchy: 4, id: 70 };
const ON_HOST: CgroupKey = CgroupKey { hierarchy: 4, id: 1 };
const NEVER_SEEN: CgroupKey = CgroupKey { hierarchy: 4, id: 99 };

/// A node with a container's cgroup and one of its own, and a user `alice`.
fn enricher() -> (tempfile::TempDir, Enricher, Instant) {
    let root = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(root.path().join("etc")).expect("etc");
    std::fs::write(root.path().join("etc/passwd"), "alice:x:1000:1000::/:/bin/sh\n")
        .expect("passwd");
    let mut enricher = Enricher::new(
        Processes::new(ProcessLimits::default()),
        Containers::new(ContainerLimits::default()),
        Users::of_host(root.path()),
    );
    let now = Instant::now();
    let made = |cgroup, path: &str| {
        let record = CgroupRecord { time: BootTime(1), cgroup, path: path.to_owned() };
        KernelRecord::CgroupMade(record)
    };
    let begun = enricher.take(made(IN_CONTAINER, &format!("/docker/{CONTAINER}")), now);
    assert!(matches!(begun, Enriched::Container(id) if *id.0 == *CONTAINER));
    assert!(matches!(enricher.take(made(ON_HOST, "/init.scope"), now), Enriched::Nothing));
    (root, enricher, now)
}

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_time: 10_000_000 }
}

fn exec(pid: u32, name: &str, cgroup: CgroupKey) -> KernelRecord {
    KernelRecord::Exec(Box::new(ExecRecord {
        process: key(pid),
        name: name.to_owned(),
        credentials: Credentials { uid: 1000, ..Credentials::default() },
        cgroup,
        ..ExecRecord::default()
    }))
}

fn fork(creator: u32, child: u32, cgroup: CgroupKey) -> KernelRecord {
    KernelRecord::Fork(ForkRecord {
        creator: key(creator),
        parent: key(creator),
        child: key(child),
        creator_cgroup: cgroup,
        cgroup,
        ..ForkRecord::default()
    })
}

fn exit(pid: u32, cgroup: CgroupKey) -> KernelRecord {
    let status = ExitStatus { code: 3, ..ExitStatus::default() };
    KernelRecord::Exit(ExitRecord { time: BootTime(9), process: key(pid), cgroup, status })
}

fn act(enriched: Enriched) -> (Event, Arc<Process>) {
    match enriched {
        Enriched::Act(event, Some(process)) => (event, process),
        other => panic!("no act of a known process: {other:?}"),
    }
}

fn container_of(event: &Event) -> Option<&str> {
    event.container.as_ref().map(|id| &*id.0)
}

#[test]
fn an_exec_is_attributed_by_its_cgroup() {
    let (_root, mut enricher, now) = enricher();
    let (event, process) = act(enricher.take(exec(7, "sh", IN_CONTAINER), now));
    assert_eq!(container_of(&event), Some(CONTAINER));
    assert_eq!(process.container, event.container);
    assert_eq!(event.process, process.reference);
    assert_eq!(process.user_name, None, "a container has users of its own");
}

#[test]
fn a_process_of_the_host_has_a_user_and_no_container() {
    let (_root, mut enricher, now) = enricher();
    let (event, process) = act(enricher.take(exec(7, "sh", ON_HOST), now));
    assert_eq!(container_of(&event), None);
    assert_eq!(process.user_name.as_deref(), Some("alice"));
}

#[test]
fn a_process_that_a_runtime_moves_into_a_container_is_attributed_at_its_exec() {
    let (_root, mut enricher, now) = enricher();
    enricher.take(exec(7, "runc", ON_HOST), now);
    let (event, _) = act(enricher.take(fork(7, 8, ON_HOST), now));
    assert_eq!(container_of(&event), None);
    let (event, process) = act(enricher.take(exec(8, "sh", IN_CONTAINER), now));
    assert_eq!(container_of(&event), Some(CONTAINER));
    let parents: Vec<_> = enricher.processes.ancestors(&process).collect();
    assert_eq!((parents.len(), parents[0].name.as_str()), (1, "runc"));
}

#[test]
fn a_child_begins_where_its_cgroup_says_and_its_creator_stays_where_it_is() {
    let (_root, mut enricher, now) = enricher();
    enricher.take(exec(7, "crun", ON_HOST), now);
    let into_container = KernelRecord::Fork(ForkRecord {
        creator: key(7),
        parent: key(7),
        child: key(8),
        creator_cgroup: ON_HOST,
        cgroup: IN_CONTAINER,
        ..ForkRecord::default()
    });
    let (event, creator) = act(enricher.take(into_container, now));
    assert_eq!((container_of(&event), &creator.container), (None, &None), "the host's crun forked");
    let child = enricher.processes.current(key(8)).expect("it runs");
    assert_eq!(child.container.as_ref().map(|id| &*id.0), Some(CONTAINER));
}

#[test]
fn a_process_that_is_moved_into_a_container_acts_there_without_an_exec() {
    let (_root, mut enricher, now) = enricher();
    enricher.take(exec(7, "server", ON_HOST), now);
    enricher.take(fork(7, 8, ON_HOST), now);
    let (event, _) = act(enricher.take(fork(8, 9, IN_CONTAINER), now));
    assert_eq!(container_of(&event), Some(CONTAINER));
    for pid in [8, 9] {
        let (event, _) = act(enricher.take(exit(pid, IN_CONTAINER), now));
        assert_eq!(container_of(&event), Some(CONTAINER), "the end of {pid}");
    }
    let (event, _) = act(enricher.take(exit(7, ON_HOST), now));
    assert_eq!(container_of(&event), None);
}

#[test]
fn a_creator_that_is_not_known_is_where_its_cgroup_says() {
    let (_root, mut enricher, now) = enricher();
    let Enriched::Act(event, None) = enricher.take(fork(7, 8, IN_CONTAINER), now) else {
        panic!("a fork is an act, and its creator is not known");
    };
    assert_eq!(container_of(&event), Some(CONTAINER));
}

#[test]
fn a_cgroup_that_was_never_seen_leaves_a_process_where_it_was() {
    let (_root, mut enricher, now) = enricher();
    enricher.take(exec(7, "sh", IN_CONTAINER), now);
    enricher.take(fork(7, 8, NEVER_SEEN), now);
    let (event, _) = act(enricher.take(exec(8, "miner", NEVER_SEEN), now));
    assert_eq!(container_of(&event), Some(CONTAINER));
    let (event, _) = act(enricher.take(exit(8, NEVER_SEEN), now));
    assert_eq!(container_of(&event), Some(CONTAINER));
    let (event, _) = act(enricher.take(exec(9, "sh", NEVER_SEEN), now));
    assert_eq!(container_of(&event), None, "nothing is known of it");
}

#[test]
fn the_end_of_a_process_tells_how_and_of_which_program() {
    let (_root, mut enricher, now) = enricher();
    enricher.take(exec(7, "sh", ON_HOST), now);
    enricher.take(exec(7, "ls", ON_HOST), now);
    let (event, process) = act(enricher.take(exit(7, ON_HOST), now));
    assert_eq!((process.name.as_str(), event.process.generation), ("ls", 2));
    assert!(matches!(event.kind, EventKind::Exit(ExitStatus { code: 3, .. })));
}

#[test]
fn the_time_of_an_act_is_the_wall_clocks() {
    let (_root, mut enricher, now) = enricher();
    let before = Timestamp::now();
    let uptime = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).expect("a clock");
    let uptime = std::time::Duration::from(uptime).as_nanos();
    let record = ExitRecord {
        time: BootTime(u64::try_from(uptime).expect("since the boot")),
        process: key(7),
        ..ExitRecord::default()
    };
    let Enriched::Act(event, _) = enricher.take(KernelRecord::Exit(record), now) else {
        panic!("an exit is an act");
    };
    let distance = event.time.milliseconds_since(before).abs();
    assert!(distance < 1000.0, "{} and {before} are {distance} ms apart", event.time);
}

#[test]
fn a_snapshot_tells_where_processes_run_and_who_made_them() {
    let (_root, mut enricher, now) = enricher();
    let found = |pid, cgroup, parent| ExecRecord {
        process: key(pid),
        parent,
        credentials: Credentials { uid: 1000, ..Credentials::default() },
        cgroup,
        ..ExecRecord::default()
    };
    let made =
        |cgroup, path: &str| CgroupRecord { path: path.to_owned(), cgroup, time: BootTime(1) };
    let snapshot = Snapshot {
        cgroups: vec![
            made(ON_HOST, "/init.scope"),
            made(IN_CONTAINER, &format!("/docker/{CONTAINER}")),
        ],
        processes: vec![found(7, ON_HOST, None), found(8, IN_CONTAINER, Some(key(7)))],
        ..Snapshot::default()
    };
    assert_eq!(enricher.resync(snapshot, now), [], "the container was known");
    let outside = enricher.processes.current(key(7)).expect("it runs");
    assert_eq!((&outside.container, outside.user_name.as_deref()), (&None, Some("alice")));
    let inside = enricher.processes.current(key(8)).expect("it runs");
    assert_eq!(inside.container.as_ref().map(|id| &*id.0), Some(CONTAINER));
    assert_eq!(inside.parent, Some(outside.reference));
}

#[test]
fn a_snapshot_that_could_not_be_taken_takes_nothing_away() {
    let (_root, mut enricher, now) = enricher();
    enricher.take(exec(7, "sh", IN_CONTAINER), now);
    let nothing = Snapshot { lacks_cgroups: true, lacks_processes: true, ..Snapshot::default() };
    assert_eq!(enricher.resync(nothing, now), []);
    let later = now + std::time::Duration::from_mins(1);
    enricher.tick(later);
    assert!(enricher.processes.current(key(7)).is_some());
    let (event, _) = act(enricher.take(exec(8, "ls", IN_CONTAINER), later));
    assert_eq!(container_of(&event), Some(CONTAINER));
}
