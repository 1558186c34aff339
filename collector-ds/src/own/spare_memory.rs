//! Memory that the sensor used and needs no more, as after loading its programs and rules.

use std::time::{Duration, Instant};

const GIVE_BACK_EVERY: Duration = Duration::from_secs(10);

/// The allocator gives memory back while others ask it for more, which a sensor that rests does not do: it is told to, from
/// time to time.
#[derive(Debug, Default)]
pub struct SpareMemory {
    given_back_at: Option<Instant>,
}

impl SpareMemory {
    /// Gives back what is free, unless that was done a moment ago.
    pub fn give_back(&mut self, now: Instant) {
        let rested = self
            .given_back_at
            .is_none_or(|at| now.saturating_duration_since(at) >= GIVE_BACK_EVERY);
        if rested {
            self.given_back_at = Some(now);
            // SAFETY: it takes no pointer, may be called at any time from any thread, and frees nothing that is in use; in
            // a program with another allocator it finds nothing to free.
            unsafe { libmimalloc_sys::mi_collect(true) };
        }
    }
}
