//! Reads which container a cgroup belongs to from its path.
//!
//! Each runtime names its cgroups after the container's id, in its own way, and
//! the cgroup driver (systemd or cgroupfs) changes the shape again. None of it is
//! specified; the shapes here were taken from running systems and stand as a table
//! in the tests.

/// A container's own cgroup, as its path tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerCgroup<'a> {
    /// The container's id: 64 lower-case hexadecimal digits.
    pub id: &'a str,
    /// The runtime, where the path tells it.
    pub runtime: Option<&'static str>,
    /// The uid of the pod that the cgroup lies in.
    pub pod_uid: Option<String>,
    /// The path up to and with the container's own cgroup, without cgroups that the container made below it.
    pub own_path: &'a str,
}

/// How runtimes prefix the id in the name of a cgroup, and what the runtime is called.
const PREFIXES: [(&str, &str); 6] = [
    ("cri-containerd", "containerd"),
    ("crio", "cri-o"),
    ("docker", "docker"),
    ("libpod-payload", "podman"),
    ("libpod", "podman"),
    ("nerdctl", "containerd"),
];

/// Folders that hold cgroups named by a bare id, and the runtime that makes them.
const PARENTS: [(&str, &str); 4] = [
    ("docker", "docker"),
    ("k8s.io", "containerd"),
    ("default", "containerd"),
    ("libpod_parent", "podman"),
];

const ID_DIGITS: usize = 64;

/// Finds the innermost container in a cgroup's path below its hierarchy's root.
///
/// A cgroup that a container made below its own belongs to that container. The
/// monitors that CRI-O and podman run beside a container (conmon) belong to the host.
pub fn parse(path: &str) -> Option<ContainerCgroup<'_>> {
    let mut found: Option<ContainerCgroup<'_>> = None;
    let mut pod_uid = None;
    let mut above = "";
    for (end, component) in components(path) {
        if let Some(uid) = pod_uid_of(component) {
            pod_uid = Some(uid);
        }
        if let Some((id, runtime)) = container_of(component, above) {
            let pod_uid = pod_uid.clone();
            found = Some(ContainerCgroup { id, runtime, pod_uid, own_path: &path[..end] });
        }
        above = component;
    }
    found
}

/// The components of a path, each with the offset at which it ends.
fn components(path: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    path.split('/').filter_map(move |component| {
        let end = start + component.len();
        start = end + 1;
        (!component.is_empty()).then_some((end, component))
    })
}

/// The container that a cgroup is named after; `above` is the name of the cgroup that holds it.
fn container_of<'a>(component: &'a str, above: &str) -> Option<(&'a str, Option<&'static str>)> {
    // runc without systemd takes the systemd form `slice:prefix:id` as a file name.
    if let Some((before, id)) = component.rsplit_once(':') {
        let prefix = before.rsplit_once(':').map_or(before, |(_, prefix)| prefix);
        return is_id(id).then(|| (id, lookup(&PREFIXES, prefix)));
    }
    let name = component.strip_suffix(".scope").unwrap_or(component);
    if is_id(name) {
        return Some((name, lookup(&PARENTS, above)));
    }
    let (prefix, id) = name.rsplit_once('-')?;
    let runtime = lookup(&PREFIXES, prefix)?;
    is_id(id).then_some((id, Some(runtime)))
}

fn lookup(table: &[(&str, &'static str)], key: &str) -> Option<&'static str> {
    table.iter().find(|(name, _)| *name == key).map(|(_, runtime)| *runtime)
}

/// Whether a text has the form of a container's id.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && is_lower_hex(text)
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The pod that a cgroup is named after: `podUID` with the cgroupfs driver, and
/// `kubepods-CLASS-podUID.slice` with underscores for dashes with the systemd driver.
fn pod_uid_of(component: &str) -> Option<String> {
    let name = component.split(':').next().unwrap_or(component);
    let uid = match name.strip_suffix(".slice") {
        Some(slice) => slice.rsplit_once("-pod")?.1.replace('_', "-"),
        None => name.strip_prefix("pod")?.to_owned(),
    };
    is_pod_uid(&uid).then_some(uid)
}

/// A UUID; or, for static pods, the 32 digits of the hash of their manifest.
fn is_pod_uid(text: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    if text.len() == 32 {
        return is_lower_hex(text);
    }
    let groups = text.split('-');
    groups.clone().count() == GROUPS.len()
        && groups.zip(GROUPS).all(|(group, digits)| group.len() == digits && is_lower_hex(group))
}

#[cfg(test)]
#[path = "cgroup_path_tests.rs"]
mod tests;
