//! What tests of the store share.

use super::database;
use super::publisher::Publisher;
use rusqlite::Connection;
use tempfile::TempDir;

/// An empty state, and the folder it lives in.
pub(crate) fn state() -> (TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let state = database::open_for_writing(&path, &super::STATE_SCHEMA, 1 << 20).unwrap();
    (folder, state)
}

pub(crate) fn publisher() -> Publisher {
    Publisher { cluster: "test".into(), node: "node-1".into() }
}
