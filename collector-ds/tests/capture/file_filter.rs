//! What of the acts on files leaves the kernel.

use crate::acts::in_thread;
use crate::files::enter_private_mounts;
use crate::filtered::Filtered;
use crate::recorder::outcomes_are_told;
use collector_ds::kernel::cgroups_at;
use event_model::FileAct;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Folders `watched`, with all below it, and `other`.
struct Folders {
    _folder: tempfile::TempDir,
    watched: PathBuf,
    other: PathBuf,
}

impl Folders {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [watched, other] = ["watched", "other"].map(|name| folder.path().join(name));
        fs::create_dir(&watched).unwrap();
        fs::create_dir(&other).unwrap();
        Self { _folder: folder, watched, other }
    }

    /// The pattern for all that is in it.
    fn below(&self) -> PathBuf {
        self.watched.join("")
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn only_watched_files_are_told_and_only_for_what_they_are_watched_for() {
    let folders = Folders::new();
    let secret = folders.other.join("secret");
    fs::write(&secret, "").unwrap();
    let mut filtered = Filtered::new(&[&secret], &[&folders.below()]);
    let written = folders.watched.join("deep/written");
    fs::create_dir(folders.watched.join("deep")).unwrap();
    fs::write(&written, "").unwrap();
    File::open(&written).unwrap();
    fs::write(folders.other.join("unwatched"), "").unwrap();
    fs::write(&secret, "new").unwrap();
    File::open(&secret).unwrap();
    assert_eq!(filtered.opened(), [text(&written), text(&secret)]);
}

#[test]
fn a_file_that_is_watched_to_read_is_told_where_it_is_opened_for_both() {
    let folders = Folders::new();
    // Whoever is refused must be able to come as far as the file.
    let open_to_all = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folders.other.parent().unwrap(), open_to_all).unwrap();
    let secret = folders.other.join("secret");
    fs::write(&secret, "").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let mut filtered = Filtered::new(&[&secret], &[]);
    let open = || File::options().read(true).write(true).open(&secret);
    open().unwrap();
    let refused = in_thread(|| {
        // SAFETY: the raw call changes the ids of this thread alone, which ends right after.
        let dropped = unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) };
        assert_eq!(dropped, 0);
        open().map(drop)
    });
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EACCES));
    let told: Vec<_> = filtered.events().iter().map(|event| event.error.unwrap_or(0)).collect();
    // At the security hook, which some kernels have alone, nothing comes of an open that was refused before.
    let both = [0, u16::try_from(libc::EACCES).unwrap()];
    assert!(told == both || (told == both[..1] && !outcomes_are_told("open")), "{told:?}");
}

#[test]
fn other_acts_than_opens_are_told_of_watched_files_alone() {
    let folders = Folders::new();
    let mut filtered = Filtered::new(&[], &[&folders.below()]);
    for folder in [&folders.other, &folders.watched] {
        let (file, renamed) = (folder.join("file"), folder.join("renamed"));
        fs::write(&file, "").unwrap();
        fs::rename(&file, &renamed).unwrap();
        fs::remove_file(&renamed).unwrap();
        fs::create_dir(folder.join("made")).unwrap();
    }
    let events = filtered.events();
    let acts: Vec<_> = events.iter().map(|event| event.act).collect();
    let expected = [FileAct::Open, FileAct::Rename, FileAct::Unlink, FileAct::Mkdir];
    // A kernel that tells of truncations tells the one that opening implies.
    let acts: Vec<_> = acts.into_iter().filter(|act| *act != FileAct::Truncate).collect();
    assert_eq!(acts, expected, "{events:?}");
    assert!(events.iter().all(|event| Path::new(&event.path).starts_with(&folders.watched)));
}

#[test]
fn a_file_that_was_opened_before_is_not_hidden_when_it_moves_into_a_watched_folder() {
    let folders = Folders::new();
    let mut filtered = Filtered::new(&[], &[&folders.below()]);
    let (before, moved, linked) =
        (folders.other.join("file"), folders.watched.join("moved"), folders.watched.join("linked"));
    fs::write(&before, "").unwrap();
    fs::write(&before, "again").unwrap();
    fs::hard_link(&before, &linked).unwrap();
    fs::write(&linked, "by another name").unwrap();
    fs::rename(&before, &moved).unwrap();
    fs::write(&moved, "in another place").unwrap();
    assert_eq!(filtered.opened(), [text(&linked), text(&moved)]);
}

#[test]
fn what_lies_deep_in_a_directory_is_watched_as_soon_as_the_directory_is_where_it_is_watched() {
    let folders = Folders::new();
    let mut filtered = Filtered::new(&[], &[&folders.below()]);
    let deep = folders.other.join("a/b/c");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "").unwrap();
    fs::rename(folders.other.join("a"), folders.watched.join("a")).unwrap();
    let file = folders.watched.join("a/b/c/file");
    fs::write(&file, "").unwrap();
    fs::rename(folders.watched.join("a"), folders.other.join("a")).unwrap();
    fs::write(deep.join("file"), "").unwrap();
    assert_eq!(filtered.opened(), [text(&file)]);
}

#[test]
fn a_directory_that_comes_by_a_mount_is_watched() {
    let folders = Folders::new();
    let mut filtered = Filtered::new(&[], &[&folders.below()]);
    let (shown, at) = (folders.other.join("shown"), folders.watched.join("at"));
    fs::create_dir_all(shown.join("deep")).unwrap();
    fs::create_dir(&at).unwrap();
    in_thread(|| {
        enter_private_mounts();
        fs::write(shown.join("deep/file"), "").unwrap();
        mount(Some(&shown), &at, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        fs::write(at.join("deep/file"), "").unwrap();
        let alone = folders.watched.join("alone");
        File::create(&alone).unwrap();
        mount(Some(&shown.join("deep/file")), &alone, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .unwrap();
        fs::write(&alone, "a file that is a mount point").unwrap();
    });
    let alone = text(&folders.watched.join("alone"));
    assert_eq!(filtered.opened(), [text(&at.join("deep/file")), alone.clone(), alone]);
}

#[test]
fn a_process_with_another_root_hides_nothing() {
    let folders = Folders::new();
    let mut filtered = Filtered::new(&[], &[&folders.below(), Path::new("/inside/")]);
    fs::create_dir(folders.other.join("inside")).unwrap();
    in_thread(|| {
        unshare(CloneFlags::CLONE_FS).unwrap();
        nix::unistd::chroot(&folders.watched).unwrap();
        fs::write("/file", "").unwrap();
    });
    in_thread(|| {
        unshare(CloneFlags::CLONE_FS).unwrap();
        nix::unistd::chroot(&folders.other).unwrap();
        fs::write("/inside/file", "").unwrap();
        fs::write("/outside", "").unwrap();
    });
    assert_eq!(filtered.opened(), ["/file", "/inside/file"]);
}

#[test]
fn a_link_to_a_watched_file_is_told_wherever_it_is_made() {
    let folders = Folders::new();
    let secret = folders.watched.join("secret");
    fs::write(&secret, "").unwrap();
    let mut filtered = Filtered::new(&[&secret], &[]);
    symlink(&secret, folders.other.join("symbolic")).unwrap();
    symlink("../watched/secret", folders.other.join("relative")).unwrap();
    symlink("elsewhere", folders.other.join("unwatched")).unwrap();
    fs::hard_link(&secret, folders.other.join("hard")).unwrap();
    let told: Vec<_> = filtered.events().into_iter().map(|event| (event.act, event.path)).collect();
    let symbolic = |name| (FileAct::Symlink, text(&folders.other.join(name)));
    let expected = [symbolic("symbolic"), symbolic("relative"), (FileAct::Link, text(&secret))];
    assert_eq!(told, expected);
}

#[test]
fn a_name_is_watched_in_every_directory() {
    let folders = Folders::new();
    let mut filtered = Filtered::with_names(&[], &[], &["**/id_of_a_test"], vec![]);
    let named = folders.other.join("id_of_a_test");
    fs::write(&named, "").unwrap();
    fs::write(folders.other.join("id_of_a_fest"), "").unwrap();
    File::open(&named).unwrap();
    File::open(folders.other.join("id_of_a_fest")).unwrap();
    assert_eq!(filtered.opened(), [text(&named)]);
}

#[test]
fn any_name_stands_in_the_middle_of_a_path() {
    let folders = Folders::new();
    let mut filtered = Filtered::new(&[], &[&folders.watched.join("*/keys/")]);
    for user in ["alice", "bob"] {
        fs::create_dir_all(folders.watched.join(user).join("keys")).unwrap();
        fs::write(folders.watched.join(user).join("keys/key"), "").unwrap();
        fs::write(folders.watched.join(user).join("note"), "").unwrap();
    }
    let keys = ["alice", "bob"].map(|user| text(&folders.watched.join(user).join("keys/key")));
    assert_eq!(filtered.opened(), keys);
}

#[test]
fn a_cgroup_that_is_ignored_is_not_told() {
    let folders = Folders::new();
    let own: Vec<_> = fs::read_to_string("/proc/self/cgroup")
        .unwrap()
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2).map(PathBuf::from))
        .flat_map(|path| cgroups_at(Path::new("/proc"), &path))
        .collect();
    assert!(!own.is_empty());
    // The marker of a sensor that ignores us would not come: another one looks on.
    let mut ignoring = Filtered::with_names(&[], &[&folders.below()], &[], own);
    let mut all = Filtered::new(&[], &[&folders.below()]);
    fs::write(folders.watched.join("file"), "").unwrap();
    assert_eq!(all.opened(), [text(&folders.watched.join("file"))]);
    assert_eq!(ignoring.so_far().len(), 0);
}

#[test]
fn what_is_remembered_of_a_directory_does_not_last() {
    let folders = Folders::new();
    let mut filtered = Filtered::new(&[], &[&folders.below()]);
    let file = folders.watched.join("file");
    for _ in 0..3 {
        fs::write(&file, "").unwrap();
        thread::sleep(Duration::from_millis(1500)); // Longer than the kernel remembers at 250 ticks a second.
    }
    assert_eq!(filtered.opened(), [text(&file), text(&file), text(&file)]);
}
