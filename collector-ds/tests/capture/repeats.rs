//! A file that one process opens over and over.

use crate::acts::{in_fork, in_thread};
use crate::recorder::recorder;
use collector_ds::kernel::{
    ActRecord, FileFilter, KernelConfig, KernelRecord, RecordKind, Sensor, WatchedPaths,
};
use event_model::{EventKind, FileAct};
use nix::libc;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const OPEN: RecordKind = RecordKind::File(FileAct::Open);
/// Longer than a test takes, so that no window ends meanwhile.
const WINDOW: Duration = Duration::from_hours(1);
const DEADLINE: Duration = Duration::from_mins(1);

/// A folder, and a sensor that looks at the files in it alone.
struct Watched {
    folder: tempfile::TempDir,
    sensor: Sensor,
}

impl Watched {
    fn new() -> Self {
        recorder(); // One after the other: loading takes much memory.
        let folder = tempfile::tempdir().unwrap();
        let below = format!("{}/", folder.path().display());
        let paths = WatchedPaths { read: vec![below.clone()], write: vec![below] };
        let config = KernelConfig {
            acts: BTreeSet::from([OPEN]),
            files: FileFilter::new(&paths, vec![]).unwrap().counting_repeats(WINDOW),
            ..KernelConfig::everything(4 << 20)
        };
        Self { sensor: Sensor::load(&config).unwrap().0, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What has been told, up to an open that is made now.
    fn opens(&mut self) -> Vec<ActRecord> {
        let mark = self.path("mark");
        fs::write(&mark, "").unwrap();
        let deadline = Instant::now() + DEADLINE;
        let (mut opens, mut marked) = (vec![], false);
        while !marked {
            assert!(Instant::now() < deadline, "the mark was not told; before it came {opens:?}");
            self.sensor.poll(usize::MAX, |record| {
                let KernelRecord::Act(act) = record else { return };
                if path(&act) == mark.to_str() {
                    marked = true;
                } else {
                    opens.push(*act);
                }
            });
        }
        opens
    }
}

fn path(act: &ActRecord) -> Option<&str> {
    match &act.event {
        EventKind::File(event) => Some(&event.path),
        _ => None,
    }
}

/// The slots are per CPU: what is to be the same must stay on one.
fn stay_on_one_processor() {
    let mut set = nix::sched::CpuSet::new();
    set.set(0).unwrap();
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set).unwrap();
}

#[test]
fn each_repeated_open_is_told_or_counted() {
    let mut watched = Watched::new();
    let file = watched.path("file");
    in_thread(|| {
        stay_on_one_processor();
        File::create(&file).unwrap();
        for _ in 0..1000 {
            File::open(&file).unwrap();
        }
    });
    let opens = watched.opens();
    let folded = watched.sensor.folded().unwrap().of(OPEN);
    println!(
        "shown: of 1,000 opens of a file by a process, {} told and {folded} counted",
        opens.len() - 1
    );
    assert_eq!(opens.len(), 2, "its making and one opening: {opens:?}");
    assert_eq!(folded, 999);
}

#[test]
fn an_open_that_differs_in_anything_is_told() {
    let mut watched = Watched::new();
    let (first, second) = (watched.path("first"), watched.path("second"));
    let read = |file: &Path| drop(File::open(file).unwrap());
    in_thread(|| {
        stay_on_one_processor();
        File::create(&first).unwrap();
        read(&first);
        // For something else.
        OpenOptions::new().append(true).open(&first).unwrap();
        // By another name.
        fs::rename(&first, &second).unwrap();
        read(&second);
        // By another process, and by another program in that process.
        in_fork(|| {
            let file = second.display();
            let script = format!(": < {file}; exec /bin/busybox sh -c ': < {file}'");
            let failed = Command::new("/bin/busybox").args(["sh", "-c", &script]).exec();
            panic!("busybox: {failed}");
        });
        // With other credentials.
        fs::set_permissions(watched.folder.path(), Permissions::from_mode(0o755)).unwrap();
        in_fork(|| {
            read(&second);
            // SAFETY: the raw call changes the ids of this process alone, which has one thread and ends right after.
            assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) }, 0);
            read(&second);
        });
    });
    let opens = watched.opens();
    let told: Vec<_> = opens.iter().filter_map(path).collect();
    assert_eq!(opens.len(), 8, "{told:?}");
    assert_eq!(watched.sensor.folded().unwrap().of(OPEN), 0);
}
