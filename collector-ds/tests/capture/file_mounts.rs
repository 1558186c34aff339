//! File systems that are mounted, moved and unmounted.

use crate::acts::in_thread;
use crate::files::enter_private_mounts;
use crate::recorder::{outcomes_are_told, recorder};
use event_model::{FileAct, FileEvent};
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::ffi::CString;
use std::fs;
use std::path::Path;

fn told(act: FileAct, path: &Path) -> FileEvent {
    let what = format!("{} of {}", act.name(), path.display());
    let event = recorder().file_act(std::process::id(), &what, |event| {
        event.act == act && event.path == path.to_str().unwrap()
    });
    assert_eq!(event.error, outcomes_are_told(act.name()).then_some(0), "{event:?}");
    event
}

#[test]
fn a_mount_is_told_with_its_source_type_and_flags_and_so_is_its_end() {
    recorder();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("at");
    fs::create_dir(&at).unwrap();
    in_thread(|| {
        enter_private_mounts();
        mount(Some("nothing"), &at, Some("tmpfs"), MsFlags::MS_NOEXEC, None::<&str>).unwrap();
        umount2(&at, MntFlags::MNT_DETACH).unwrap();
    });
    let event = told(FileAct::Mount, &at);
    assert_eq!(event.other_path.as_deref(), Some("nothing"));
    assert_eq!(event.name.as_deref(), Some("tmpfs"));
    assert_eq!(event.flag_symbols(), "MS_NOEXEC");
    let event = told(FileAct::Umount, &at);
    assert_eq!(event.flag_symbols(), "MNT_DETACH");
}

#[test]
fn a_bind_mount_is_told_with_what_it_shows() {
    recorder();
    let folder = tempfile::tempdir().unwrap();
    let (shown, at) = (folder.path().join("shown"), folder.path().join("at"));
    fs::create_dir(&shown).unwrap();
    fs::create_dir(&at).unwrap();
    in_thread(|| {
        enter_private_mounts();
        mount(Some(&shown), &at, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    });
    let event = told(FileAct::Mount, &at);
    assert_eq!(event.other_path.as_deref(), shown.to_str());
    assert_eq!(event.flag_symbols(), "MS_BIND");
}

#[test]
fn a_mount_that_is_moved_into_place_is_told() {
    recorder();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("at");
    fs::create_dir(&at).unwrap();
    in_thread(|| {
        enter_private_mounts();
        let path = CString::new(at.to_str().unwrap()).unwrap();
        // SAFETY: the texts live until the calls return, and the descriptors are the kernel's.
        unsafe {
            let context = libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), 0);
            assert!(context >= 0, "fsopen: {}", std::io::Error::last_os_error());
            let create = 6; // FSCONFIG_CMD_CREATE
            assert_eq!(libc::syscall(libc::SYS_fsconfig, context, create, 0, 0, 0), 0);
            let made = libc::syscall(libc::SYS_fsmount, context, 0, 0);
            assert!(made >= 0, "fsmount: {}", std::io::Error::last_os_error());
            let from_itself = 4; // MOVE_MOUNT_F_EMPTY_PATH
            let moved = libc::syscall(
                libc::SYS_move_mount,
                made,
                c"".as_ptr(),
                libc::AT_FDCWD,
                path.as_ptr(),
                from_itself,
            );
            assert_eq!(moved, 0, "move_mount: {}", std::io::Error::last_os_error());
        }
    });
    let event = told(FileAct::MoveMount, &at);
    assert_eq!(event.name.as_deref(), Some("tmpfs"));
}
