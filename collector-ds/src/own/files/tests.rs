use super::*;
use crate::config::Config;
use alerting::RulesConfig;

const POD: &str = "/var/lib/kubelet/pods/6c1f/volumes/kubernetes.io~configmap/config";

fn container(id: &str) -> ContainerId {
    ContainerId::from(id)
}

const RUN: u32 = 9;

fn place(path: &str, whole: bool, device: u32) -> Place {
    Place::new(Path::new(path), whole, Some(device)).expect("text")
}

/// A sensor in a pod.
fn files() -> OwnFiles {
    OwnFiles {
        here: vec![
            place("/etc/defender/config", true, 5),
            place("/run/defender/publisher.sock", false, RUN),
        ],
        on_node: vec![place(POD, true, 5), place("/run/defender/publisher.sock", false, RUN)],
        names: vec![],
    }
}

fn act(act: FileAct, path: &str) -> FileEvent {
    let flags = u64::from(act == FileAct::Open); // O_WRONLY
    FileEvent { act, path: path.to_owned(), flags, ..FileEvent::default() }
}

#[test]
fn a_file_is_known_by_the_nodes_path_and_in_the_sensors_container_by_its_own() {
    let files = files();
    let on_node = |file: &FileEvent| files.are_changed_by(file, None, false);
    let at_home = |file: &FileEvent| files.are_changed_by(file, Some(&container("a")), true);
    let elsewhere = |file: &FileEvent| files.are_changed_by(file, Some(&container("b")), false);

    let written = act(FileAct::Open, "/etc/defender/config/collector-ds.yaml");
    assert!(at_home(&written) && !on_node(&written) && !elsewhere(&written));
    let written = act(FileAct::Open, &format!("{POD}/collector-ds.yaml"));
    assert!(on_node(&written) && !at_home(&written) && !elsewhere(&written));
    let mounted = FileEvent {
        host_path: Some("/run/defender/publisher.sock".to_owned()),
        ..act(FileAct::Unlink, "/mnt/publisher.sock")
    };
    assert!(elsewhere(&mounted));
    let like_it = act(FileAct::Unlink, "/run/defender/publisher.sock");
    assert!(!elsewhere(&like_it) && on_node(&like_it));
    assert!(elsewhere(&FileEvent { device: RUN, ..like_it }), "it is the node's folder");
    assert!(!on_node(&act(FileAct::Unlink, "/run/defender/publisher.sock.old")));
    assert!(!on_node(&FileEvent { flags: 0, ..act(FileAct::Open, POD) }), "it is only read");
}

#[test]
fn a_second_path_counts_where_the_act_changes_it() {
    let files = files();
    let other_path = Some(format!("{POD}/collector-ds.yaml"));
    let changed = |kind| {
        let file = FileEvent { other_path: other_path.clone(), ..act(kind, "/tmp/x") };
        files.are_changed_by(&file, None, false)
    };
    assert!(changed(FileAct::Rename) && changed(FileAct::Link));
    assert!(!changed(FileAct::Symlink) && !changed(FileAct::Mount));
}

#[test]
fn what_hides_a_folder_above_counts_and_what_else_is_done_to_it_does_not() {
    let files = files();
    let changed = |kind, path| files.are_changed_by(&act(kind, path), None, false);
    for kind in [FileAct::Mount, FileAct::Umount, FileAct::Rename] {
        assert!(changed(kind, "/run") && changed(kind, "/run/defender"), "{kind:?}");
        assert!(!changed(kind, "/ru") && !changed(kind, "/run/docker"), "{kind:?}");
    }
    assert!(!changed(FileAct::Chmod, "/run"));
}

#[test]
fn memory_is_shown_by_some_files_of_the_process_and_its_threads() {
    let shows = |path: &str| show_memory(7, &FileEvent { flags: 0, ..act(FileAct::Open, path) });
    assert!(shows("/proc/7/mem") && shows("/proc/7/maps") && shows("/proc/7/task/9/environ"));
    assert!(!shows("/proc/7/status") && !shows("/proc/70/mem") && !shows("/proc/7/task/9"));
    assert!(!shows("/srv/proc/7/mem"));
}

#[test]
fn the_configuration_tells_what_to_watch() {
    let folder = tempfile::tempdir().expect("a directory");
    let folder = folder.path().canonicalize().expect("its path");
    let rules = folder.join("rules");
    fs::create_dir(&rules).expect("a directory");
    let link = folder.join("link");
    std::os::unix::fs::symlink(&rules, &link).expect("a link");
    let mut config = Config {
        rules: RulesConfig { paths: vec![link.clone()], ..RulesConfig::default() },
        ..Config::default()
    };
    config.publisher.socket = folder.join("run/publisher.sock");
    config.audit.state_directory = folder.join("state");
    config.suppressions.paths = vec![folder.join("suppressions.yaml")];
    config.threat_intelligence.paths = vec![folder.join("feed.txt")];
    let files = OwnFiles::find(&config, Some(&folder.join("sensor.yaml")), Path::new("/proc"));
    let WatchedPaths { read, write } = files.watched(Some(7));
    let text = |path: &Path| path.to_str().expect("text").to_owned();
    let program = text(&std::env::current_exe().expect("a program"));
    for wanted in [
        program,
        text(&folder.join("sensor.yaml")),
        text(&link),
        text(&rules) + "/",
        text(&folder.join("suppressions.yaml")),
        text(&folder.join("feed.txt")),
        text(&config.publisher.socket),
        text(&folder.join("run")),
        text(&folder.join("state")) + "/",
        text(&folder),
        "**/publisher.sock".to_owned(),
        "/proc/7/mem".to_owned(),
    ] {
        assert!(write.contains(&wanted), "{wanted} is not among {write:?}");
    }
    assert!(!write.contains(&(text(&folder) + "/")) && !write.contains(&"/".to_owned()));
    assert!(read.contains(&"/proc/7/environ".to_owned()));
    assert!(read.contains(&"/proc/7/task/*/mem".to_owned()));
}

#[test]
fn a_path_of_a_container_has_its_place_on_the_node() {
    let proc_root = tempfile::tempdir().expect("a directory");
    fs::create_dir(proc_root.path().join("1")).expect("a process");
    let node = "22 1 254:0 / / rw - ext4 /dev/vda rw\n23 22 0:9 / /run rw - tmpfs tmpfs rw\n";
    fs::write(proc_root.path().join("1/mountinfo"), node).expect("its mounts");
    let own = format!(
        "30 1 0:45 / / ro - overlay overlay ro\n31 30 254:0 {POD} /etc/defender/config ro - ext4 /dev/vda rw\n\
         32 30 0:9 /defender /run/defender ro - tmpfs tmpfs rw\n"
    );
    let mut node_paths = NodePaths::new(proc_root.path());
    let mut of = |path: &str| on_node(Path::new(path), &own, &mut node_paths);
    let config = PathBuf::from(format!("{POD}/a.yaml"));
    assert_eq!(of("/etc/defender/config/a.yaml"), Some((config, 254 << 20)));
    let socket = PathBuf::from("/run/defender/publisher.sock");
    assert_eq!(of("/run/defender/publisher.sock"), Some((socket, RUN)));
    assert_eq!(of("/collector-ds"), None, "its file system is mounted nowhere on the node");
}
