//! Files that are opened.

use crate::recorder::{outcomes_are_told, recorder};
use event_model::{FileAct, PathSource};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::MetadataExt;

#[test]
fn a_file_that_is_made_is_told_with_its_path_and_its_flags() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made");
    let file = File::create(&path).unwrap();
    let event = recorder.file_act(std::process::id(), "making a file", |event| {
        event.act == FileAct::Open && event.path == path.to_str().unwrap()
    });
    assert!(event.created, "{event:?}");
    assert_eq!(event.flag_symbols(), "O_WRONLY|O_CREAT|O_TRUNC|O_LARGEFILE");
    assert_eq!(event.inode, file.metadata().unwrap().ino());
    assert_eq!(event.path_source, PathSource::Kernel);
    assert_eq!(event.mode, file.metadata().unwrap().mode());
    assert_eq!(event.error, outcomes_are_told("open").then_some(0));
}

#[test]
fn a_file_opened_through_a_link_is_told_by_its_own_path() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "content").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    OpenOptions::new().append(true).open(&link).unwrap();
    let event = recorder.file_act(std::process::id(), "appending to a file", |event| {
        event.act == FileAct::Open && event.flags & 0o2000 != 0
    });
    assert_eq!(event.path, target.to_str().unwrap());
    assert!(!event.created && event.opens_for_writing());
}
