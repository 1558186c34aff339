use super::*;
use proptest::prelude::*;

/// What the kernel programs do with a path (`enter_directory` and `is_watched` of `bpf/file_watch.h`).
fn flags_of(filter: &FileFilter, path: &str) -> u32 {
    let names: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
    let below = READ_BELOW | WRITE_BELOW;
    let mut key = Some(ROOT);
    let mut flags = filter.nodes.get(&ROOT).copied().unwrap_or(0);
    let mut inherited = flags & below;
    for name in &names {
        let Some(parent) = key else { break };
        let mut child = mix(parent, hash_by_bytes(name.as_bytes()));
        if !filter.nodes.contains_key(&child) && flags & ANY_NAME != 0 {
            child = mix(parent, ANY);
        }
        key = filter.nodes.contains_key(&child).then_some(child);
        flags = filter.nodes.get(&child).copied().unwrap_or(0);
        inherited |= flags & below;
    }
    let anywhere = names.last().map_or(0, |name| {
        let wanted_length = filter.name_lengths >> name.len().min(63) & 1 == 1;
        let everywhere = filter.nodes.get(&mix(NAMES, hash_by_bytes(name.as_bytes())));
        if wanted_length { everywhere.copied().unwrap_or(0) } else { 0 }
    });
    (if key.is_some() { flags & !ANY_NAME } else { 0 }) | inherited | anywhere
}

/// As `hash_next_part` of `bpf/file_watch.h` does it, which knows no words.
fn hash_by_bytes(name: &[u8]) -> u64 {
    let (mut hash, mut word, mut length) = (SEED, 0_u64, 0);
    for byte in name {
        word |= u64::from(*byte) << (length % 8 * 8);
        length += 1;
        if length % 8 == 0 {
            hash = mix(hash, mem::take(&mut word));
        }
    }
    if length % 8 == 0 { hash } else { mix(hash, word) }
}

/// What the patterns say, by comparing texts.
fn says(patterns: &[String], path: &str) -> bool {
    patterns.iter().any(|pattern| {
        if let Some(name) = pattern.strip_prefix("**/") {
            return path.rsplit('/').next() == Some(name);
        }
        let wanted: Vec<_> = pattern.split('/').filter(|name| !name.is_empty()).collect();
        let names: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
        let fits = names.len() >= wanted.len()
            && wanted.iter().zip(&names).all(|(one, name)| *one == "*" || one == name);
        fits && (pattern.ends_with('/') || names.len() == wanted.len())
    })
}

fn filter(read: &[&str], write: &[&str]) -> FileFilter {
    let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
    FileFilter::new(&WatchedPaths { read: owned(read), write: owned(write) }, vec![]).unwrap()
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just("a-name-of-16-byte".to_owned())]
}

fn patterns() -> impl Strategy<Value = String> {
    let steps = prop::collection::vec(prop_oneof![3 => names(), 1 => Just("*".to_owned())], 1..4);
    let paths = (steps, any::<bool>())
        .prop_map(|(steps, below)| format!("/{}{}", steps.join("/"), if below { "/" } else { "" }));
    prop_oneof![6 => paths, 1 => names().prop_map(|name| format!("**/{name}"))]
}

proptest! {
    #[test]
    fn the_tree_says_what_the_patterns_say(
        read in prop::collection::vec(patterns(), 0..5),
        write in prop::collection::vec(patterns(), 0..5),
        steps in prop::collection::vec(prop_oneof![names(), Just("c".to_owned())], 1..6),
    ) {
        let path = format!("/{}", steps.join("/"));
        let watched = WatchedPaths { read, write };
        let flags = flags_of(&FileFilter::new(&watched, vec![]).unwrap(), &path);
        prop_assert_eq!(flags & (READ | READ_BELOW) != 0, says(&watched.read, &path), "{:?} {}", watched, path);
        prop_assert_eq!(flags & (WRITE | WRITE_BELOW) != 0, says(&watched.write, &path), "{:?} {}", watched, path);
    }

    #[test]
    fn a_name_has_one_hash_however_it_is_read(name in prop::collection::vec(1_u8..=255, 1..256)) {
        prop_assert_eq!(hash(&name), hash_by_bytes(&name));
    }
}

#[test]
fn a_directory_is_watched_with_all_below_it_and_nothing_beside() {
    let filter = filter(&["/etc/shadow"], &["/etc/"]);
    assert_eq!(flags_of(&filter, "/etc/shadow"), READ | WRITE_BELOW);
    assert_eq!(flags_of(&filter, "/etc/a/b"), WRITE_BELOW);
    assert_eq!(flags_of(&filter, "/etcetera"), 0);
    assert_eq!(flags_of(&filter, "/var/etc/shadow"), 0);
}

#[test]
fn a_name_of_its_own_does_not_hide_what_holds_for_all() {
    let filter = filter(&["/home/*/.ssh/"], &["/home/alice/notes"]);
    assert_eq!(flags_of(&filter, "/home/alice/.ssh/id"), READ_BELOW);
    assert_eq!(flags_of(&filter, "/home/bob/.ssh/id"), READ_BELOW);
    assert_eq!(flags_of(&filter, "/home/alice/notes"), WRITE);
    assert_eq!(flags_of(&filter, "/home/bob/notes"), 0);
}

#[test]
fn what_is_no_pattern_is_told_so() {
    for (pattern, reason) in [
        ("etc/shadow", "neither an absolute path"),
        ("/etc//shadow", "a name must have"),
        ("/etc/../shadow", "a name must have"),
        ("/etc/sh*", "* stands for one whole name"),
        ("**/id_*", "* stands for one whole name"),
        ("**/", "a name must have"),
        (&"/a".repeat(32), "more than 31 names"),
    ] {
        let watched = WatchedPaths { read: vec![pattern.to_owned()], write: vec![] };
        let error = FileFilter::new(&watched, vec![]).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn too_many_paths_are_refused() {
    let read = (0..70_000).map(|number| format!("/srv/{number}")).collect();
    let watched = WatchedPaths { read, write: vec![] };
    assert_eq!(FileFilter::new(&watched, vec![]), Err(PatternError::Many));
}

#[test]
fn by_default_secrets_are_watched_and_what_programs_do_all_day_is_not() {
    let filter = FileFilter::new(&watched_by_default(), vec![]).unwrap();
    let reads = |path| flags_of(&filter, path) & (READ | READ_BELOW) != 0;
    let writes = |path| flags_of(&filter, path) & (WRITE | WRITE_BELOW) != 0;
    for path in [
        "/etc/shadow",
        "/home/alice/.ssh/known_hosts",
        "/srv/backup/id_rsa",
        "/run/secrets/kubernetes.io/serviceaccount/..2026_11_22/token",
        "/proc/kallsyms",
        "/sys/kernel/tracing/trace",
        "/proc/1/environ",
        "/sys/fs/cgroup/memory/release_agent",
    ] {
        assert!(reads(path), "{path}");
    }
    for path in ["/etc/passwd", "/usr/lib/libc.so.6", "/proc/1/stat", "/tmp/file", "/root/file"] {
        assert!(!reads(path), "{path}");
    }
    for path in [
        "/etc/ld.so.preload",
        "/usr/bin/ls",
        "/home/alice/.bashrc",
        "/proc/sys/kernel/core_pattern",
    ] {
        assert!(writes(path), "{path}");
    }
    for path in [
        "/tmp/file",
        "/var/lib/docker/overlay2/a/diff/etc/passwd",
        "/dev/null",
        "/proc/1/oom_score_adj",
    ] {
        assert!(!writes(path), "{path}");
    }
}

/// As `read_first_word` and `may_be_child` of `bpf/file_watch.h` do it.
fn may_be_child(filter: &FileFilter, node: u64, name: &str) -> bool {
    let first = name.bytes().take(8).enumerate();
    let word = first.fold(0, |word, (place, byte)| word | u64::from(byte) << (place * 8));
    let bit = mix(node ^ name.len() as u64, word) >> 52;
    filter.children.0[usize::try_from(bit / 64).unwrap()] >> (bit % 64) & 1 == 1
}

#[test]
fn the_quick_answer_passes_over_no_name_of_the_tree() {
    let filter = filter(&["/etc/shadow", "/home/*/.ssh/", "**/id_ed25519"], &["/usr/lib/"]);
    let etc = mix(ROOT, hash(b"etc"));
    let anyone = mix(mix(ROOT, hash(b"home")), ANY);
    for (node, name) in [
        (ROOT, "etc"),
        (ROOT, "usr"),
        (etc, "shadow"),
        (anyone, ".ssh"),
        (NAMES, "id_ed25519"),
        // No more than the beginning and the length are looked at.
        (NAMES, "id_ed25520"),
    ] {
        assert!(may_be_child(&filter, node, name), "{name}");
    }
    for (node, name) in [(etc, "hosts"), (ROOT, "shadow"), (NAMES, "id_ed2551")] {
        assert!(!may_be_child(&filter, node, name), "{name}");
    }
}

#[test]
fn the_quick_answer_serves_nine_of_ten_names_with_the_paths_that_are_watched_by_default() {
    let filter = FileFilter::new(&watched_by_default(), vec![]).unwrap();
    let set: u32 = filter.children.0.iter().map(|word| word.count_ones()).sum();
    assert!(set > 50 && set < 4096 / 10, "{set}");
}
