//! Programs: where they lie, and whether they still do.

use crate::acts::{TRUE, copy_of_true, in_thread, run};
use crate::recorder::recorder;
use nix::fcntl::AtFlags;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{chroot, execveat};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// A command that executes an open file, as fexecve does.
fn execute_open_file(file: OwnedFd) -> Command {
    let arguments = [CString::new("true").expect("no NUL in it")];
    let environment: [CString; 0] = [];
    let mut command = Command::new(TRUE);
    let execute = move || {
        let refused = execveat(file.as_fd(), c"", &arguments, &environment, AtFlags::AT_EMPTY_PATH);
        Err(refused.map_or_else(io::Error::from, |never| match never {}))
    };
    // SAFETY: the child only calls execveat, whose arguments were made before the fork; glibc keeps the allocator usable.
    unsafe { command.pre_exec(execute) };
    command
}

#[test]
fn a_program_in_a_memfd_is_told_from_one_in_a_file() {
    let recorder = recorder();
    let memory = memfd_create(c"payload", MFdFlags::MFD_CLOEXEC).unwrap();
    let mut file = File::from(memory);
    file.write_all(&fs::read(TRUE).unwrap()).unwrap();
    let inode = file.metadata().unwrap().ino();
    let exec = recorder.exec_of(run(&mut execute_open_file(file.into())));
    assert!(exec.executable.memfd);
    assert!(exec.executable.unlinked);
    assert!(exec.outside_root);
    assert_eq!(exec.executable.path, "memfd:payload");
    assert_eq!(exec.executable.inode, inode);
    assert!(exec.executable.invoked_as.starts_with("/dev/fd/"), "{}", exec.executable.invoked_as);
}

#[test]
fn a_file_in_dev_shm_is_no_memfd_whatever_its_name() {
    let recorder = recorder();
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let program = copy_of_true(&folder.path().join("memfd:fake"), 0o755);
    let exec = recorder.exec_of(run(&mut Command::new(&program)));
    assert!(!exec.executable.memfd);
    assert!(!exec.outside_root);
    assert_eq!(exec.executable.path, program.to_str().unwrap());
}

#[test]
fn a_program_that_was_deleted_before_it_began_is_told_so() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let path = copy_of_true(&folder.path().join("gone"), 0o755);
    let file = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let exec = recorder.exec_of(run(&mut execute_open_file(file.into())));
    assert!(exec.executable.unlinked);
    assert!(!exec.executable.memfd);
    assert_eq!(exec.executable.path, path.to_str().unwrap());
}

#[test]
fn a_script_is_told_by_its_name_and_its_interpreter_by_its_path() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.sh");
    fs::write(&script, "#!/bin/sh\n:\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = recorder.exec_of(run(Command::new(&script).arg("argument")));
    let script = script.to_str().unwrap();
    let interpreter = fs::canonicalize("/bin/sh").unwrap();
    assert_eq!(exec.executable.path, interpreter.to_str().unwrap());
    assert_eq!(exec.executable.invoked_as, script);
    assert_eq!(exec.arguments, ["/bin/sh", script, "argument"]);
    assert_eq!(exec.name, "script.sh");
}

#[test]
fn a_relative_name_is_told_with_its_whole_path() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let path = copy_of_true(&folder.path().join("here"), 0o755);
    let exec = recorder.exec_of(run(Command::new("./here").current_dir(&folder)));
    assert_eq!(exec.executable.invoked_as, "./here");
    assert_eq!(exec.executable.path, path.to_str().unwrap());
    assert_eq!(exec.working_directory, folder.path().to_str().unwrap());
}

#[test]
fn a_deep_path_is_told_whole() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join(vec!["directory-of-some-length"; 60].join("/"));
    fs::create_dir_all(&deep).unwrap();
    let path = copy_of_true(&deep.join("program"), 0o755);
    let exec = recorder.exec_of(run(&mut Command::new(&path)));
    assert_eq!(exec.executable.path, path.to_str().unwrap());
}

/// Goes down into new directories of this name, and runs a program at the bottom.
fn run_far_down(top: &Path, name: &str) -> u32 {
    const LEVELS: usize = 170;
    unshare(CloneFlags::CLONE_FS).expect("a thread may have a working directory of its own");
    nix::unistd::chdir(top).expect("it was just made");
    for _ in 0..LEVELS {
        fs::create_dir(name).expect("the directory is ours");
        nix::unistd::chdir(name).expect("it was just made");
    }
    copy_of_true(Path::new("program"), 0o755);
    run(&mut Command::new("./program"))
}

#[test]
fn a_path_that_is_too_long_keeps_its_end_and_does_not_look_whole() {
    let recorder = recorder();
    let long = "x".repeat(40);
    for name in ["d", &long] {
        let folder = tempfile::tempdir().unwrap();
        let exec = recorder.exec_of(in_thread(|| run_far_down(folder.path(), name)));
        for (path, end) in [
            (&exec.executable.path, format!("/{name}/{name}/program")),
            (&exec.working_directory, format!("/{name}/{name}/{name}")),
        ] {
            assert!(path.starts_with(".../") && path.ends_with(&end), "{path}");
            assert!(path.len() > 300, "{path}");
        }
        assert!(!exec.outside_root);
    }
}

/// Mounts that only the calling thread and its children see.
pub fn enter_private_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).expect("root may make a mount namespace");
    let everything = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, everything, None::<&str>)
        .expect("mounts can be private");
}

/// An overlay at `folder/merged`, with a program on its lower layer.
pub fn mount_overlay(folder: &Path) {
    mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), None::<&str>)
        .expect("tmpfs can be mounted");
    for layer in ["lower", "upper", "work", "merged"] {
        fs::create_dir(folder.join(layer)).expect("the file system is ours");
    }
    copy_of_true(&folder.join("lower/of-the-image"), 0o755);
    copy_of_true(&folder.join("lower/changed"), 0o755);
    let at = folder.display();
    let layers = format!("lowerdir={at}/lower,upperdir={at}/upper,workdir={at}/work");
    mount(
        Some("overlay"),
        &folder.join("merged"),
        Some("overlay"),
        MsFlags::empty(),
        Some(&*layers),
    )
    .expect("overlayfs is part of this kernel, and its module is loaded");
}

#[test]
fn a_program_on_the_upper_layer_of_an_overlay_is_told_from_one_of_the_image() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let merged = folder.path().join("merged");
    let pids = in_thread(|| {
        enter_private_mounts();
        mount_overlay(folder.path());
        copy_of_true(&merged.join("written-later"), 0o755);
        fs::set_permissions(merged.join("changed"), fs::Permissions::from_mode(0o711)).unwrap();
        ["of-the-image", "written-later", "changed"]
            .map(|name| (name, run(&mut Command::new(merged.join(name)))))
    });
    for (name, pid) in pids {
        let exec = recorder.exec_of(pid);
        assert_eq!(exec.executable.path, merged.join(name).to_str().unwrap());
        assert_eq!(exec.executable.upper_layer, name != "of-the-image", "{name}");
        assert!(!exec.outside_root, "{name}");
    }
}

#[test]
fn a_path_begins_at_the_root_of_the_process() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let pid = in_thread(|| {
        enter_private_mounts();
        let from = Some("/");
        mount(from, &root, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>).unwrap();
        let mut command = Command::new(TRUE);
        let enter = move || {
            chroot(&root)?;
            nix::unistd::chdir("/etc")?;
            Ok(())
        };
        // SAFETY: the child makes two system calls with a path made before the fork.
        unsafe { command.pre_exec(enter) };
        run(&mut command)
    });
    let exec = recorder.exec_of(pid);
    assert_eq!(exec.executable.path, fs::canonicalize(TRUE).unwrap().to_str().unwrap());
    assert_eq!(exec.working_directory, "/etc");
    assert!(!exec.outside_root);
}

#[test]
fn a_program_on_a_mount_that_was_taken_away_is_told_as_outside() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let exec = recorder.exec_of(in_thread(|| {
        enter_private_mounts();
        mount(Some("tmpfs"), folder.path(), Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        let program = File::open(copy_of_true(&folder.path().join("lost"), 0o755)).unwrap();
        nix::mount::umount2(folder.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
        run(&mut execute_open_file(program.into()))
    }));
    assert!(exec.outside_root);
    assert!(!exec.executable.memfd);
    assert_eq!(exec.executable.path, "/lost");
}
