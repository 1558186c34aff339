//! What runtimes tell of a container's mounts.

use event_model::Mount;
use serde::Deserialize;

/// A container has at most so many in an entity, each with texts of bearable length: who writes a pod's specification writes them.
const MAXIMUM_MOUNTS: usize = 256;
const MAXIMUM_BYTES: usize = 4096;

/// As the Docker Engine API tells one.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct DockerMount {
    source: String,
    destination: String,
    mode: String,
    #[serde(rename = "RW")]
    writable: bool,
    propagation: String,
}

/// As the specification of OCI runtimes has one (config.md, "Mounts").
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RuntimeMount {
    source: String,
    destination: String,
    options: Vec<String>,
}

/// The mounts that docker and podman tell.
pub(super) fn of_docker(told: Vec<DockerMount>) -> Vec<Mount> {
    bounded(told.into_iter().map(|told| Mount {
        source: told.source,
        destination: told.destination,
        mode: told.mode,
        writable: told.writable,
        propagation: told.propagation,
    }))
}

/// Those that containerd and CRI-O handed to the runtime below them.
pub(super) fn of_runtime(told: Vec<RuntimeMount>) -> Vec<Mount> {
    bounded(told.into_iter().map(|told| {
        let spreads = |option: &&String| {
            matches!(option.trim_start_matches('r'), "private" | "shared" | "slave" | "unbindable")
        };
        Mount {
            source: told.source,
            destination: told.destination,
            writable: !told.options.iter().any(|option| option == "ro"),
            propagation: told.options.iter().find(spreads).cloned().unwrap_or_default(),
            mode: String::new(),
        }
    }))
}

fn bounded(mounts: impl Iterator<Item = Mount>) -> Vec<Mount> {
    let fits = |mount: &Mount| {
        let texts = [&mount.source, &mount.destination, &mount.mode, &mount.propagation];
        texts.iter().all(|text| text.len() <= MAXIMUM_BYTES)
    };
    mounts.filter(fits).take(MAXIMUM_MOUNTS).collect()
}
