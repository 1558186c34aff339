//! How fast the inventory works.

use nix::libc;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// CPU time in one go. Shorter than what the kernel's rings hold many times over.
const STRETCH: Duration = Duration::from_millis(5);

/// Of 20 parts of time the thread works at most one: 50m of the sensor's 360m.
const REST_FOR_EACH_WORKED: u32 = 19;

/// The lowest of the nice levels.
const NICEST: libc::c_int = 19;

/// Keeps a thread slow: to be asked at every few items of work.
#[derive(Debug)]
pub struct Pace {
    /// CPU time of the thread at the end of its last rest; None: it never rests.
    rested_at: Option<Duration>,
}

impl Pace {
    /// Makes the calling thread yield to the others of the program, and rest.
    pub fn slow() -> Self {
        // SAFETY: a system call on integers. With PRIO_PROCESS and 0 it concerns the calling thread alone.
        let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICEST) };
        if result != 0 {
            tracing::debug!("the inventory's thread keeps its priority");
        }
        Self { rested_at: Some(worked()) }
    }

    /// Without rest.
    pub const fn hurried() -> Self {
        Self { rested_at: None }
    }

    /// Rests, where the thread has worked for a while.
    pub fn rest(&mut self) {
        let Some(rested_at) = self.rested_at else { return };
        let stretch = worked().saturating_sub(rested_at);
        if stretch >= STRETCH {
            std::thread::sleep(stretch * REST_FOR_EACH_WORKED);
            self.rested_at = Some(worked());
        }
    }
}

/// CPU time of the calling thread.
fn worked() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_slow_thread_works_a_twentieth_of_the_time() {
        let thread = std::thread::spawn(|| {
            let mut pace = Pace::slow();
            let (began, worked_before) = (Instant::now(), worked());
            let mut sum = 0_u64;
            while worked().saturating_sub(worked_before) < Duration::from_millis(25) {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
                pace.rest();
            }
            (began.elapsed(), worked().saturating_sub(worked_before))
        });
        let (took, worked) = thread.join().expect("the thread ends");
        // The last stretch may be without its rest.
        assert!(took >= worked.saturating_sub(2 * STRETCH) * 15, "{took:?} for {worked:?}");
    }
}
