//! Where things lie: the sources, what is built from them, and what outlives both.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The repository's root. Asked of the cargo that runs this, since clones may share their build products.
pub fn repository() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let manifest = manifest.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        manifest.parent().map_or_else(|| ".".into(), Path::to_owned)
    });
    &ROOT
}

/// What may be thrown away and is dear to make again: build products, tools, kernels.
/// It lies outside the repository, so that a second clone is fast.
pub fn cache() -> Result<PathBuf> {
    below_home("XDG_CACHE_HOME", ".cache")
}

/// What a suite on this machine keeps from one start to the next.
pub fn state() -> Result<PathBuf> {
    below_home("XDG_STATE_HOME", ".local/state")
}

/// Cargo's build products.
pub fn cargo_target() -> Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(named) => Ok(named.into()),
        None => Ok(cache()?.join("target")),
    }
}

fn below_home(variable: &str, fallback: &str) -> Result<PathBuf> {
    let base = match std::env::var_os(variable) {
        Some(named) => PathBuf::from(named),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(fallback),
    };
    Ok(base.join("defender"))
}
