use super::*;
use event_model::{Credentials, Executable};
use proptest::prelude::*;

const ROOT: ProcessKey = ProcessKey { pid: 1, start_time: 0 };

/// Nothing was left unread.
fn all(_: ProcessKey) -> bool {
    true
}

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_time: u64::from(pid) * 10_000_000 }
}

fn running(key: ProcessKey, program: &str) -> Process {
    Process {
        reference: ProcessRef { key, generation: 0 },
        name: program.to_owned(),
        executable: Executable {
            path: format!("/bin/{program}"),
            upper_layer: true,
            ..Executable::default()
        },
        arguments: vec![program.to_owned()],
        ..Process::default()
    }
}

fn forked(child: ProcessKey, creator: ProcessKey) -> Forked {
    Forked { child, creator, parent: creator, namespace_pid: child.pid, container: None }
}

/// A cache that knows process 1, `init`.
fn with_root(limits: ProcessLimits) -> (Processes, Instant) {
    let mut processes = Processes::new(limits);
    let now = Instant::now();
    processes.resync(vec![(running(ROOT, "init"), None)], all, now);
    (processes, now)
}

fn names<'a>(line: impl Iterator<Item = &'a Arc<Process>>) -> Vec<&'a str> {
    line.map(|process| process.name.as_str()).collect()
}

fn exec(processes: &mut Processes, key: ProcessKey, program: &str, now: Instant) -> Arc<Process> {
    processes.exec(running(key, program), None, now)
}

#[test]
fn a_fork_inherits_and_an_exec_replaces() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    processes.fork(&forked(key(2), ROOT), now);
    let child = processes.current(key(2)).expect("the fork was seen");
    assert_eq!((child.name.as_str(), child.reference.generation), ("init", 0));
    assert_eq!((child.parent, child.namespace_pid), (Some(processes.reference(ROOT)), 2));

    let shell = exec(&mut processes, key(2), "sh", now);
    assert_eq!((shell.name.as_str(), shell.reference.generation), ("sh", 1));
    assert_eq!(shell.parent, Some(processes.reference(ROOT)), "the parent is that of the fork");
    assert_eq!(exec(&mut processes, key(2), "ls", now).reference.generation, 2);
}

#[test]
fn a_process_that_took_other_ids_has_them_from_its_next_act_on_and_so_have_its_children() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    exec(&mut processes, key(2), "nginx", now);
    let bytes = processes.bytes();
    let identity = Identity { uid: 33, euid: 33, gid: 34, egid: 34 };
    processes.acts_as(key(2), identity, |uid| (uid == 33).then(|| "www-data".to_owned()));
    processes.fork(&forked(key(3), key(2)), now);
    for process in [key(2), key(3)] {
        let process = processes.current(process).expect("it is known");
        let Credentials { uid, euid, gid, egid, .. } = process.credentials;
        assert_eq!((uid, euid, gid, egid), (33, 33, 34, 34));
        assert_eq!(process.user_name.as_deref(), Some("www-data"));
        assert_eq!(process.name, "nginx");
    }
    assert!(processes.bytes() > bytes + "www-data".len());
    processes.acts_as(key(2), identity, |_| panic!("nothing changed"));
}

#[test]
fn a_child_made_with_clone_parent_is_its_creators_sibling() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    processes.fork(&forked(key(2), ROOT), now);
    exec(&mut processes, key(2), "runc", now);
    let sibling = Forked { parent: ROOT, ..forked(key(3), key(2)) };
    processes.fork(&sibling, now);
    let child = processes.current(key(3)).expect("the fork was seen").clone();
    assert_eq!(child.name, "runc");
    assert_eq!(names(processes.ancestors(&child)), ["init"]);
}

#[test]
fn a_parent_that_ended_stays_while_its_children_are_known() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    processes.fork(&forked(key(2), ROOT), now);
    exec(&mut processes, key(2), "sh", now);
    processes.fork(&forked(key(3), key(2)), now);
    let miner = exec(&mut processes, key(3), "miner", now);
    processes.exit(key(2), now);

    let much_later = now + Duration::from_hours(1);
    processes.expire(much_later);
    assert_eq!(names(processes.ancestors(&miner)), ["sh", "init"]);

    processes.exit(key(3), much_later);
    processes.expire(much_later + Duration::from_secs(29));
    assert!(processes.current(key(3)).is_some(), "it stays known for a short while");
    processes.expire(much_later + Duration::from_secs(31));
    assert_eq!(processes.len(), 1, "the child, and the parent kept for it, are forgotten");
}

#[test]
fn ancestors_are_as_they_were_when_they_made_the_child() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    processes.fork(&forked(key(2), ROOT), now);
    exec(&mut processes, key(2), "sh", now);
    processes.fork(&forked(key(3), key(2)), now);
    exec(&mut processes, key(2), "sleep", now);
    let child = exec(&mut processes, key(3), "curl", now);
    assert_eq!(names(processes.ancestors(&child)), ["sh", "init"]);
    assert_eq!(processes.current(key(2)).map(|process| process.name.as_str()), Some("sleep"));
}

#[test]
fn a_reused_process_id_is_another_process() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    let (first, second) = (key(2), ProcessKey { pid: 2, start_time: 99 });
    processes.fork(&forked(first, ROOT), now);
    exec(&mut processes, first, "first", now);
    processes.fork(&forked(second, ROOT), now);
    exec(&mut processes, second, "second", now);
    assert_eq!(processes.current(first).map(|process| process.name.as_str()), Some("first"));
    assert_eq!(processes.current(second).map(|process| process.name.as_str()), Some("second"));

    processes.expire(now + Duration::from_mins(1));
    assert!(processes.current(first).is_none(), "reuse of its id told that the first ended");
    assert!(processes.current(second).is_some());
}

#[test]
fn an_exec_of_an_unknown_process_is_whole_but_for_its_ancestry() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    let image = processes.exec(running(key(7), "late"), Some(ROOT), now);
    assert_eq!(image.reference.generation, 1);
    assert_eq!(names(processes.ancestors(&image)), ["init"]);
}

#[test]
fn a_snapshot_mends_what_was_missed() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    for pid in [2, 3] {
        processes.fork(&forked(key(pid), ROOT), now);
        exec(&mut processes, key(pid), "sh", now);
    }
    processes.resync(
        vec![
            (running(ROOT, "init"), None),
            (running(key(2), "changed"), Some(ROOT)),
            (running(key(4), "new"), Some(key(2))),
        ],
        all,
        now,
    );
    let changed = processes.current(key(2)).expect("it runs");
    assert_eq!((changed.name.as_str(), changed.reference.generation), ("changed", 2));
    let new = processes.current(key(4)).expect("it runs").clone();
    assert_eq!(names(processes.ancestors(&new)), ["changed", "init"]);
    assert_eq!(processes.reference(ROOT).generation, 0, "the same program is no exec");

    processes.expire(now + Duration::from_mins(1));
    assert!(processes.current(key(3)).is_none(), "what the snapshot lacks has ended");
}

#[test]
fn a_process_that_renamed_itself_keeps_what_the_kernel_told_of_its_file() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    let mut renamed = running(ROOT, "init");
    renamed.arguments = vec!["init: waiting".to_owned()];
    renamed.executable.upper_layer = false;
    processes.resync(vec![(renamed, None)], all, now);
    let init = processes.current(ROOT).expect("it runs");
    assert_eq!(init.arguments, ["init: waiting"]);
    assert!(init.executable.upper_layer);
}

#[test]
fn the_walk_to_the_root_is_bounded() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    let mut parent = ROOT;
    for pid in 2..200 {
        processes.fork(&forked(key(pid), parent), now);
        parent = key(pid);
    }
    let deepest = processes.current(parent).expect("it was forked").clone();
    assert_eq!(processes.ancestors(&deepest).count(), MAXIMUM_ANCESTORS);
}

#[test]
fn each_entity_is_announced_once_and_ancestors_first() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    processes.fork(&forked(key(2), ROOT), now);
    let shell = exec(&mut processes, key(2), "sh", now);
    let mut announced = vec![];
    processes.announce(&shell, |process| announced.push(process.name.clone()));
    processes.announce(&shell, |process| announced.push(process.name.clone()));
    let other = exec(&mut processes, key(2), "ls", now);
    processes.announce(&other, |process| announced.push(process.name.clone()));
    assert_eq!(announced, ["init", "sh", "ls"]);

    let mut again = vec![];
    processes.announce_again(|process| again.push(process.name.clone()));
    again.sort();
    assert_eq!(again, ["init", "ls"]);
}

#[test]
fn a_process_that_does_not_fit_is_announced_all_the_same() {
    let limits = ProcessLimits { processes: 1, ..ProcessLimits::default() };
    let (mut processes, now) = with_root(limits);
    let image = processes.exec(running(key(2), "sh"), Some(ROOT), now);
    assert_eq!((processes.len(), processes.refused()), (1, 1));
    let mut announced = vec![];
    processes.announce(&image, |process| announced.push(process.name.clone()));
    assert_eq!(announced, ["init", "sh"]);
}

#[test]
fn the_living_are_kept_before_those_that_ended() {
    let limits = ProcessLimits { processes: 3, ..ProcessLimits::default() };
    let (mut processes, now) = with_root(limits);
    processes.fork(&forked(key(2), ROOT), now);
    processes.fork(&forked(key(3), ROOT), now);
    processes.exit(key(2), now);
    processes.fork(&forked(key(4), ROOT), now);
    assert!(processes.current(key(2)).is_none());
    assert!(processes.current(key(3)).is_some() && processes.current(key(4)).is_some());
    processes.fork(&forked(key(5), ROOT), now);
    assert!(processes.current(key(5)).is_none(), "the living fill the cache");
    assert_eq!(processes.refused(), 1);
}

#[derive(Clone, Debug)]
enum Act {
    Fork(u32, u32),
    Exec(u32, String),
    Exit(u32),
    Wait(u64),
    Snapshot(Vec<u32>),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let pid = 1_u32..24;
    let act = prop_oneof![
        4 => (pid.clone(), pid.clone()).prop_map(|(child, creator)| Act::Fork(child, creator)),
        4 => (pid.clone(), "[a-c]{1,40}").prop_map(|(pid, program)| Act::Exec(pid, program)),
        3 => pid.clone().prop_map(Act::Exit),
        1 => (0_u64..40).prop_map(Act::Wait),
        1 => proptest::collection::vec(pid, 0..12).prop_map(Act::Snapshot),
    ];
    proptest::collection::vec(act, 0..80)
}

fn perform(processes: &mut Processes, act: &Act, now: &mut Instant) {
    match act {
        Act::Fork(child, creator) => processes.fork(&forked(key(*child), key(*creator)), *now),
        Act::Exec(pid, program) => {
            let before = processes.current(key(*pid)).map(|known| known.reference.generation);
            let image = exec(processes, key(*pid), program, *now);
            assert_eq!(image.reference.generation, before.unwrap_or(0) + 1);
        }
        Act::Exit(pid) => processes.exit(key(*pid), *now),
        Act::Wait(seconds) => {
            *now += Duration::from_secs(*seconds);
            processes.expire(*now);
        }
        Act::Snapshot(pids) => {
            let found = pids.iter().map(|pid| (running(key(*pid), "found"), Some(ROOT))).collect();
            processes.resync(found, all, *now);
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_bounds_hold_and_the_books_balance(acts in acts()) {
        let limits = ProcessLimits { processes: 8, bytes: 8 << 10, ..ProcessLimits::default() };
        let (mut processes, mut now) = with_root(limits);
        for act in &acts {
            perform(&mut processes, act, &mut now);
            prop_assert!(processes.len() <= limits.processes);
            prop_assert!(processes.bytes() <= limits.bytes);
            let bytes: usize = processes.entries.values().map(Entry::bytes).sum();
            prop_assert_eq!(processes.bytes(), bytes);
            for entry in processes.entries.values() {
                prop_assert!(processes.ancestors(entry.current()).count() <= MAXIMUM_ANCESTORS);
            }
            for key in processes.living.values() {
                prop_assert!(processes.entries.contains_key(key), "{} lives unknown", key);
            }
        }
        now += Duration::from_hours(1);
        processes.resync(vec![], all, now);
        now += Duration::from_hours(1);
        processes.expire(now);
        prop_assert!(processes.is_empty(), "{} processes that ended are kept", processes.len());
    }
}

#[test]
fn one_that_a_listing_passed_over_lives_once_it_runs_another_program() {
    let limits = ProcessLimits { retention: Duration::from_secs(30), ..ProcessLimits::default() };
    let (mut processes, now) = with_root(limits);
    processes.fork(&forked(key(2), ROOT), now);
    processes.resync(vec![(running(ROOT, "init"), None)], all, now);
    exec(&mut processes, key(2), "sh", now);
    let later = now + Duration::from_mins(1);
    processes.expire(later);
    assert_eq!(processes.current(key(2)).map(|process| process.name.as_str()), Some("sh"));
    processes.exit(key(2), later);
    processes.expire(later + Duration::from_mins(1));
    assert!(processes.current(key(2)).is_none());
}

#[test]
fn one_that_a_listing_could_not_read_goes_on() {
    let (mut processes, now) = with_root(ProcessLimits::default());
    processes.fork(&forked(key(2), ROOT), now);
    processes.fork(&forked(key(3), ROOT), now);
    processes.resync(vec![(running(ROOT, "init"), None)], |gone| gone != key(2), now);
    processes.expire(now + Duration::from_mins(1));
    assert!(processes.current(key(2)).is_some());
    assert!(processes.current(key(3)).is_none());
}
