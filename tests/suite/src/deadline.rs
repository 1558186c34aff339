//! Waiting for something to become true, with an end.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How often [`wait_for`] looks again.
const INTERVAL: Duration = Duration::from_millis(20);

/// Calls `attempt` until it gives a value. After `limit` it fails with `what` and the last reason
/// that `attempt` gave for not being there yet.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(reason) if Instant::now() >= end => {
                bail!("{what}: not within {} s: {reason:#}", limit.as_secs())
            }
            Err(_) => std::thread::sleep(INTERVAL),
        }
    }
}
