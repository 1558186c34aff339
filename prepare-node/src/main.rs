//! Gives the publisher its folders on a node: `prepare-node FOLDER...`
//!
//! The kubelet makes `hostPath` folders as root:root 0755, and `fsGroup` is not applied to them, so a
//! publisher without root could not write there. The publisher's init container runs this as uid 0 in the
//! publisher's group without a single capability: a folder's owner may hand it to a group of their own.

mod folder;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folders: Vec<_> = std::env::args_os().skip(1).collect();
    if folders.is_empty() {
        eprintln!(
            "usage: prepare-node FOLDER...\ngives each folder to the group this runs in, mode 0770"
        );
        return ExitCode::from(2);
    }
    for folder in folders {
        if let Err(error) = folder::share(Path::new(&folder)) {
            eprintln!("prepare-node: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
