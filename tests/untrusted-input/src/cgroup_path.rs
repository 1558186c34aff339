//! Paths of cgroups: whoever may make a cgroup chooses its name.

use collector_ds::enrich::containers::{ContainerCgroup, parse_cgroup_path};

/// A path, as text.
pub fn path(bytes: &[u8]) {
    let path = String::from_utf8_lossy(bytes);
    let Some(found) = parse_cgroup_path(&path) else { return };
    is_a_container(&path, &found);
    let own = found.own_path;
    assert_eq!(parse_cgroup_path(own).as_ref(), Some(&found), "its own cgroup is its own");
    let below = format!("{own}/init.scope");
    let of_below = parse_cgroup_path(&below);
    assert_eq!(of_below.as_ref(), Some(&found), "what it makes below belongs to it");
}

fn is_a_container(path: &str, found: &ContainerCgroup<'_>) {
    let is_hexadecimal =
        |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    assert!(found.id.len() == 64 && is_hexadecimal(found.id), "{found:?}");
    assert!(path.starts_with(found.own_path) && found.own_path.contains(found.id), "{found:?}");
    let rest = &path[found.own_path.len()..];
    assert!(rest.is_empty() || rest.starts_with('/'), "a name of a cgroup was cut: {found:?}");
    if let Some(uid) = &found.pod_uid {
        let digits = uid.replace('-', "");
        assert!(digits.len() == 32 && is_hexadecimal(&digits), "{found:?}");
    }
}
