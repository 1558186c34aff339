//! What the decoder does with records as they are, and as they should never be.

use crate::encode::encode;
use crate::layout::{EXEC_PATH_TRUNCATED, HEADER_SIZE, NAME_SIZE};
use crate::{
    BootTime, CgroupKey, CgroupRecord, DecodeError, ExecRecord, ExitRecord, ForkRecord, Hook,
    KernelRecord, OBJECT, OutcomeRecord, PROBES, Probe, RecordKind, decode, decode_next, maps,
    process_key,
};
use event_model::{Credentials, Executable, ExitStatus, ProcessKey, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn keys() -> impl Strategy<Value = ProcessKey> {
    (1..=u32::MAX, any::<u64>()).prop_map(|(pid, start)| process_key(pid, start))
}

fn cgroup_keys() -> impl Strategy<Value = CgroupKey> {
    any::<(u32, u64)>().prop_map(|(hierarchy, id)| CgroupKey { hierarchy, id })
}

fn moments() -> impl Strategy<Value = Timestamp> {
    (0..u64::try_from(i64::MAX).unwrap()).prop_map(Timestamp)
}

fn paths() -> impl Strategy<Value = String> {
    prop::collection::vec("[^/\0]{1,12}", 0..8).prop_map(|parts| format!("/{}", parts.join("/")))
}

fn credentials() -> impl Strategy<Value = Credentials> {
    let login_uids = prop::option::of(0..u32::MAX);
    (any::<[u32; 4]>(), login_uids, any::<[u64; 2]>()).prop_map(|(ids, login_uid, capabilities)| {
        Credentials {
            uid: ids[0],
            euid: ids[1],
            gid: ids[2],
            egid: ids[3],
            login_uid,
            capabilities_effective: capabilities[0],
            capabilities_permitted: capabilities[1],
        }
    })
}

fn executables() -> impl Strategy<Value = Executable> {
    let files = (paths(), "[^\0]{0,40}", any::<u64>(), any::<[u32; 3]>());
    let states = (moments(), moments(), any::<[bool; 3]>());
    (files, states).prop_map(
        |((path, invoked_as, inode, numbers), (changed_at, modified_at, is))| Executable {
            path: if is[1] { format!("memfd:{}", path.replace('/', "_")) } else { path },
            invoked_as,
            inode,
            device: numbers[0],
            mode: numbers[1],
            owner: numbers[2],
            changed_at,
            modified_at,
            upper_layer: is[0],
            memfd: is[1],
            unlinked: is[2],
        },
    )
}

fn execs() -> impl Strategy<Value = ExecRecord> {
    let processes = (keys(), prop::option::of(keys()), any::<u32>(), cgroup_keys(), any::<u64>());
    let texts = (
        "[a-z]{0,15}",
        prop::collection::vec("[^\0]{0,20}", 0..10),
        paths(),
        prop::option::of("[a-z]{1,8}"),
        "([A-Z]=[^\0]{0,9}(\0[A-Z]=[^\0]{0,9}){0,3})?",
    );
    (processes, texts, executables(), credentials(), any::<bool>()).prop_map(
        |(
            (process, parent, namespace_pid, cgroup, time),
            (name, arguments, working_directory, terminal, environment),
            executable,
            credentials,
            outside_root,
        )| ExecRecord {
            time: BootTime(time),
            process,
            parent,
            name,
            executable,
            outside_root,
            arguments_length: arguments
                .iter()
                .map(|one| u32::try_from(one.len()).unwrap() + 1)
                .sum(),
            arguments,
            arguments_truncated: false,
            environment: environment.into(),
            working_directory,
            credentials,
            terminal,
            namespace_pid,
            process_group: namespace_pid / 2,
            cgroup,
        },
    )
}

fn forks() -> impl Strategy<Value = ForkRecord> {
    let cgroups = (cgroup_keys(), cgroup_keys());
    (any::<u64>(), keys(), keys(), keys(), cgroups, any::<u32>()).prop_map(
        |(time, creator, parent, child, (creator_cgroup, cgroup), namespace_pid)| ForkRecord {
            time: BootTime(time),
            creator,
            parent,
            child,
            creator_cgroup,
            cgroup,
            namespace_pid,
        },
    )
}

fn exits() -> impl Strategy<Value = ExitRecord> {
    (any::<u64>(), keys(), cgroup_keys(), any::<(u8, bool)>(), 0_u8..0x80).prop_map(
        |(time, process, cgroup, (code, core_dumped), signal)| ExitRecord {
            time: BootTime(time),
            process,
            cgroup,
            status: ExitStatus { code, signal, core_dumped },
        },
    )
}

fn cgroups() -> impl Strategy<Value = CgroupRecord> {
    (any::<u64>(), cgroup_keys(), paths()).prop_map(|(time, cgroup, path)| CgroupRecord {
        time: BootTime(time),
        cgroup,
        path,
    })
}

fn records() -> impl Strategy<Value = KernelRecord> {
    prop_oneof![
        execs().prop_map(|exec| KernelRecord::Exec(Box::new(exec))),
        forks().prop_map(KernelRecord::Fork),
        exits().prop_map(KernelRecord::Exit),
        cgroups().prop_map(KernelRecord::CgroupMade),
        cgroups().prop_map(KernelRecord::CgroupRemoved),
        any::<(u64, i64, u32, u32)>().prop_map(|(time, result, thread, call)| {
            KernelRecord::Outcome(OutcomeRecord { time: BootTime(time), thread, call, result })
        }),
    ]
}

proptest! {
    #[test]
    fn every_record_survives_encoding_and_decoding(record in records()) {
        prop_assert_eq!(decode(&encode(&record)), Ok(record));
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn a_record_with_a_few_changed_bytes_is_a_record_or_an_error(
        record in records(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = encode(&record);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _ = decode(&bytes);
    }

    #[test]
    fn a_record_of_another_length_is_an_error(record in records(), cut in any::<prop::sample::Index>()) {
        let mut bytes = encode(&record);
        let shorter = cut.index(bytes.len());
        prop_assert!(decode(&bytes[..shorter]).is_err());
        bytes.push(0);
        prop_assert!(decode(&bytes).is_err());
    }
}

proptest! {
    #[test]
    fn records_that_follow_each_other_are_taken_one_by_one(
        records in prop::collection::vec(records(), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes: Vec<u8> = records.iter().flat_map(encode).collect();
        let mut rest = &bytes[..];
        for record in &records {
            prop_assert_eq!(decode_next(&mut rest), Ok(Some(record.clone())));
        }
        prop_assert_eq!(decode_next(&mut rest), Ok(None));
        if let Some(first) = records.first() {
            let first = encode(first);
            let part = &first[..cut.index(first.len())];
            let mut rest = part;
            prop_assert_eq!(decode_next(&mut rest), Ok(None));
            prop_assert_eq!(rest, part);
        }
    }

    #[test]
    fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut rest = &bytes[..];
        while let Ok(Some(_)) = decode_next(&mut rest) {}
    }
}

#[test]
fn a_record_that_says_it_is_shorter_than_its_header_is_an_error() {
    let mut bytes = encode(&KernelRecord::Exit(ExitRecord::default()));
    bytes[4..8].copy_from_slice(&0_u32.to_ne_bytes());
    assert!(decode_next(&mut &bytes[..]).is_err());
}

fn small_exec() -> ExecRecord {
    ExecRecord {
        process: process_key(7, 20_000_000),
        executable: Executable { path: "/bin/a".to_owned(), ..Executable::default() },
        working_directory: "/".to_owned(),
        arguments: vec!["a".to_owned(), String::new()],
        arguments_length: 3,
        ..ExecRecord::default()
    }
}

fn decode_exec(bytes: &[u8]) -> ExecRecord {
    match decode(bytes) {
        Ok(KernelRecord::Exec(exec)) => *exec,
        other => panic!("expected an exec record, got {other:?}"),
    }
}

#[test]
fn a_path_that_was_cut_does_not_look_absolute() {
    let mut bytes = encode(&KernelRecord::Exec(Box::new(small_exec())));
    bytes[2..4].copy_from_slice(&EXEC_PATH_TRUNCATED.to_ne_bytes());
    assert_eq!(decode_exec(&bytes).executable.path, ".../bin/a");
}

#[test]
fn arguments_that_were_cut_say_so() {
    let whole = ExecRecord { arguments_length: 40_000, ..small_exec() };
    let decoded = decode_exec(&encode(&KernelRecord::Exec(Box::new(whole))));
    assert!(decoded.arguments_truncated);
    assert_eq!(decoded.arguments, ["a", ""]);
}

#[test]
fn the_name_of_a_task_ends_at_its_first_nul() {
    let mut bytes = encode(&KernelRecord::Exec(Box::new(small_exec())));
    let name = 152..152 + NAME_SIZE;
    bytes[name].copy_from_slice(b"ab\0rest of what ");
    assert_eq!(decode_exec(&bytes).name, "ab");
}

#[test]
fn start_times_are_whole_clock_ticks() {
    assert_eq!(process_key(1, 1_239_999_999).start_time, 1_230_000_000);
}

#[test]
fn an_unknown_kind_is_named() {
    let mut bytes = encode(&KernelRecord::Exit(ExitRecord::default()));
    bytes[0..2].copy_from_slice(&250_u16.to_ne_bytes());
    assert_eq!(decode(&bytes), Err(DecodeError::Kind(250)));
    assert_eq!(
        decode(&bytes[..HEADER_SIZE - 1]),
        Err(DecodeError::TooShort { wanted: HEADER_SIZE, left: HEADER_SIZE - 1 })
    );
}

#[test]
fn the_object_holds_each_program_and_map_by_its_name() {
    let hooks = || PROBES.iter().copied().flatten().flat_map(|probe| probe.hooks);
    let returns = || PROBES.iter().copied().flatten().flat_map(Probe::returns);
    let names = hooks().flat_map(Hook::programs).chain(returns().map(|call| call.program));
    let maps = [
        maps::PROCESS_RING,
        maps::ACT_RING,
        maps::DROPS,
        maps::EXEC_DRAFTS,
        maps::ACT_DRAFTS,
        maps::CALL_ROUTES,
        maps::RETURNING_CALLS,
        maps::CALL_HANDLERS,
        maps::CALL_DISPATCHER.0,
        maps::PROCESS_LIST.0,
        maps::WAKEUP_BYTES,
        maps::ENVIRONMENT_WANTED,
        maps::NETWORK_SETTINGS,
        maps::IGNORED_NETWORKS,
        maps::NETWORK_PORTS,
        maps::UNIX_NAMES,
        maps::FOLDED,
        maps::OWN_PID,
        maps::OWN_PID_NAMESPACE,
        maps::OWN_MAPS,
        maps::WATCHED_PATHS,
        maps::IGNORED_CGROUPS,
        maps::WATCHED,
        maps::CGROUPS_ARE_IGNORED,
        maps::WANTED_KINDS,
    ];
    let names: BTreeSet<_> = names.chain(maps).collect();
    for name in names {
        let symbol = [name.as_bytes(), &[0]].concat();
        assert!(OBJECT.windows(symbol.len()).any(|bytes| bytes == symbol), "{name} is missing");
    }
    for kind in RecordKind::ALL.into_iter().filter(|kind| *kind != RecordKind::Outcome) {
        let mut probes = PROBES.iter().copied().flatten();
        assert!(probes.any(|probe| probe.kind == kind), "no program sends {kind}");
    }
}
