//! How much the inventory takes. A container writes its own files, and none may cost the node more than these.

use std::time::Duration;

/// The first scan waits for the runtimes to tell of the containers that run.
pub const FIRST_AFTER: Duration = Duration::from_secs(10);
/// Between scans, also where a publisher comes and goes.
pub const LEAST_PAUSE: Duration = Duration::from_secs(30);

/// A package database. The largest dpkg and apk databases seen have a tenth of it; rpm's has 20 to 40 MiB.
pub const DATABASE_BYTES: u64 = 48 << 20;
/// Bytes read of one root and scan.
pub const SCAN_BYTES: u64 = 128 << 20;
/// A package.json, METADATA, or a file of dpkg's status.d.
pub const METADATA_BYTES: u64 = 256 << 10;
/// passwd, group, shadow: 4 MiB is some 50,000 users.
pub const USERS_BYTES: u64 = 4 << 20;
/// os-release.
pub const RELEASE_BYTES: u64 = 64 << 10;

/// Items of one kind of one node or image.
pub const ITEMS: usize = 10_000;
/// Items that are remembered as told, of all: some 20 MiB of hashes.
pub const REMEMBERED: usize = 300_000;
/// Images of one node: the kubelet admits 110 pods.
pub const IMAGES: usize = 512;
/// Containers that are named with an image.
pub const CONTAINERS_NAMED: usize = 256;
/// Directory entries that are looked at in one root for packages of languages.
pub const ENTRIES: usize = 100_000;
/// Entries of one directory.
pub const DIRECTORY_ENTRIES: usize = 20_000;
/// How deep folders are looked into.
pub const DEPTH: usize = 10;
/// Descriptors of one process, and of all processes, that are looked at for sockets.
pub const DESCRIPTORS: usize = 20_000;
/// Descriptors of all processes.
pub const DESCRIPTORS_OF_ALL: usize = 500_000;
/// Bytes read of one table of sockets: those that listen stand first.
pub const SOCKET_TABLE_BYTES: u64 = 4 << 20;

/// A name or a version.
pub const NAME: usize = 256;
/// A path.
pub const PATH: usize = 1024;

/// The text's beginning, at most so many bytes of it.
pub fn clipped(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}
