//! Containers that live for 5 ms and commands that enter containers: a thousand of each, every one attributed.

use crate::sensor::{Sensor, unique};
use event_model::{ContainerId, Event, EventKind, Record};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const TIMES: usize = 1000;

/// Containers are made by so many threads at once.
const THREADS: usize = 4;

/// What runc needs to run containers: a root folder with busybox, and a place for its state.
struct Bundles {
    folder: TempDir,
    pod: String,
}

impl Bundles {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        for name in ["root/bin", "root/proc", "root/dev", "state"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("a directory");
        }
        let busybox = folder.path().join("root/bin/busybox");
        std::fs::copy("/bin/busybox", &busybox).expect("a static busybox");
        for applet in ["sleep", "true"] {
            std::os::unix::fs::symlink("busybox", busybox.with_file_name(applet)).expect("a link");
        }
        Self { folder, pod: crate::kubernetes::pod_uid() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command line of runc, up to its own subcommand.
    fn runc(&self) -> Command {
        let mut command = Command::new("runc");
        command.arg("--root").arg(self.path("state")).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// A bundle whose container runs `arguments` below the pod's cgroup.
    fn bundle(&self, id: &str, arguments: &[&str]) -> PathBuf {
        let bundle = self.path(&format!("bundles/{id}"));
        std::fs::create_dir_all(&bundle).expect("a directory");
        let text = configuration(&self.path("root"), &self.cgroup(id), arguments).to_string();
        std::fs::write(bundle.join("config.json"), text).expect("a configuration");
        bundle
    }

    fn cgroup(&self, id: &str) -> String {
        format!("/kubepods/burstable/pod{}/{id}", self.pod)
    }

    fn run(&self, id: &str, arguments: &[&str]) {
        let bundle = self.bundle(id, arguments);
        succeed(self.runc().arg("run").arg("--bundle").arg(bundle).arg(id));
    }
}

/// As `runc spec` writes it, without what a container of this test does without.
fn configuration(root: &Path, cgroup: &str, arguments: &[&str]) -> Value {
    let namespaces = ["pid", "ipc", "uts", "mount", "network"].map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false, "user": { "uid": 0, "gid": 0 }, "args": arguments, "cwd": "/",
            "env": ["PATH=/bin"], "noNewPrivileges": true,
        },
        "root": { "path": root, "readonly": true },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            // Of its own: runc makes device files in it, and the root folder is shared.
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
        ],
        "linux": { "cgroupsPath": cgroup, "namespaces": namespaces },
    })
}

fn succeed(command: &mut Command) {
    let output = command.stderr(Stdio::piped()).output().expect("runc can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Ids as containerd makes them.
fn ids() -> Vec<String> {
    let run = u64::from(std::process::id());
    (0..TIMES).map(|number| format!("{run:032x}{number:032x}")).collect()
}

/// The containers that these very arguments were executed in, and how often. None is the host.
fn containers_of(records: &[Record], arguments: &[&str]) -> BTreeMap<Option<ContainerId>, usize> {
    let programs: BTreeSet<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Process(process) if process.arguments == arguments => Some(process.reference),
            _ => None,
        })
        .collect();
    let mut containers = BTreeMap::new();
    for record in records {
        if let Record::Event(Event { kind: EventKind::Exec, process, container, .. }) = record
            && programs.contains(process)
        {
            *containers.entry(container.clone()).or_default() += 1;
        }
    }
    containers
}

#[test]
fn a_thousand_containers_that_live_for_five_milliseconds_are_attributed() {
    let (sensor, bundles, ids) = (Sensor::start(), Bundles::new(), ids());
    let lives = ["sleep", "0.005"];
    std::thread::scope(|scope| {
        for share in ids.chunks(TIMES.div_ceil(THREADS)) {
            let bundles = &bundles;
            scope.spawn(move || share.iter().for_each(|id| bundles.run(id, &lives)));
        }
    });
    let containers = sensor.expect("an exec in each container", |records| {
        let containers = containers_of(records, &lives);
        (containers.values().sum::<usize>() >= TIMES).then_some(containers)
    });
    let expected: BTreeMap<_, _> =
        ids.iter().map(|id| (Some(ContainerId::from(id.as_str())), 1)).collect();
    assert_eq!(containers.get(&None), None, "some were taken for the host's");
    assert_eq!(containers, expected);
    println!("shown: {TIMES} of {TIMES} containers that lived for 5 ms were attributed");
}

#[test]
fn a_thousand_commands_that_enter_a_container_are_attributed() {
    let (sensor, bundles) = (Sensor::start(), Bundles::new());
    let id = &ids()[TIMES - 1];
    let bundle = bundles.bundle(id, &["sleep", "3600"]);
    let log = std::fs::File::create(bundles.path("log")).expect("a file");
    let mut run = bundles.runc();
    run.args(["run", "--detach", "--bundle"]).arg(bundle).arg(id).stderr(log);
    assert!(run.status().expect("runc can be started").success());
    let word = unique("entered");
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let (bundles, word) = (&bundles, &word);
            scope.spawn(move || {
                for _ in 0..TIMES / THREADS {
                    succeed(bundles.runc().args(["exec", id, "true", word]));
                }
            });
        }
    });
    let containers = sensor.expect("an exec of each command", |records| {
        let containers = containers_of(records, &["true", &word]);
        (containers.values().sum::<usize>() >= TIMES).then_some(containers)
    });
    succeed(bundles.runc().args(["delete", "--force", id]));
    assert_eq!(containers, BTreeMap::from([(Some(ContainerId::from(id.as_str())), TIMES)]));
    println!("shown: {TIMES} of {TIMES} commands that entered a container were attributed");
}
