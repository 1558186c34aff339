//! Files of containers, as the node has them.

use crate::acts::in_thread;
use crate::files::{enter_private_mounts, mount_overlay};
use crate::recorder::recorder;
use collector_ds::enrich::node_paths::NodePaths;
use collector_ds::kernel::ActRecord;
use event_model::{EventKind, FileAct};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::fs;
use std::path::Path;
use std::time::Instant;

/// What the node calls the file that this process opened under that path.
fn node_path_of_open(path: &str) -> Option<String> {
    let act = recorder().act_of(std::process::id(), &format!("the opening of {path}"), |act| {
        let EventKind::File(event) = &act.event else { return None };
        (event.act == FileAct::Open && event.path == path).then(|| act.clone())
    });
    let ActRecord { mut event, file_system_path, .. } = act;
    let mut mounts = NodePaths::new(Path::new("/proc"));
    mounts.complete(&mut event, file_system_path.as_deref(), Instant::now());
    match event {
        EventKind::File(event) => event.host_path,
        other => panic!("{other:?}"),
    }
}

/// Takes the mounts away at the end, in whatever way that comes.
struct Mounted<'path>(Vec<&'path Path>);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        for point in self.0.iter().rev() {
            let _ = umount2(*point, MntFlags::MNT_DETACH);
        }
    }
}

#[test]
fn a_file_on_the_overlay_of_a_container_is_told_as_the_node_mounts_it() {
    recorder();
    let folder = tempfile::tempdir().unwrap();
    let merged = folder.path().join("merged");
    mount_overlay(folder.path());
    let _mounted = Mounted(vec![folder.path(), &merged]);
    in_thread(|| {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).unwrap();
        nix::unistd::chroot(&merged).unwrap();
        fs::write("/written-in-the-container", "").unwrap();
    });
    let expected = merged.join("written-in-the-container");
    let told = node_path_of_open("/written-in-the-container");
    assert_eq!(told.as_deref(), expected.to_str());
}

#[test]
fn a_file_of_a_bind_mount_is_told_as_the_node_has_it() {
    recorder();
    let folder = tempfile::tempdir().unwrap();
    let (volume, at) = (folder.path().join("volume/part"), folder.path().join("at"));
    fs::create_dir_all(&volume).unwrap();
    fs::create_dir(&at).unwrap();
    in_thread(|| {
        enter_private_mounts();
        mount(Some(&volume), &at, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        fs::write(at.join("file"), "").unwrap();
    });
    let told = node_path_of_open(at.join("file").to_str().unwrap());
    assert_eq!(told.as_deref(), volume.join("file").to_str());
}

#[test]
fn a_file_that_the_node_calls_alike_has_no_second_path() {
    recorder();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(node_path_of_open(file.to_str().unwrap()), None);
}
