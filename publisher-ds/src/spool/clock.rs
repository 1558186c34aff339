//! The clock that segments age by.

use std::time::{Duration, Instant};

/// How long the spool has been open in its life, over all runs of the program.
///
/// It goes on while the program runs, by the kernel's monotonic clock, and continues where the cursor left it: a wall
/// clock that is set, or is wrong for a while after a start, makes nothing old. What lay on a machine that was off
/// has aged by as little as the machine could have sent it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpoolClock {
    before: Duration,
    opened: Instant,
}

impl SpoolClock {
    /// Continues from the reading of an earlier run.
    pub(crate) fn continued_from(before: Duration) -> Self {
        Self { before, opened: Instant::now() }
    }

    /// What it reads now.
    pub(crate) fn now(&self) -> Duration {
        self.before + self.opened.elapsed()
    }

    /// Lets time pass that nobody waits for.
    #[cfg(test)]
    pub(crate) fn advance(&mut self, by: Duration) {
        self.before += by;
    }
}
