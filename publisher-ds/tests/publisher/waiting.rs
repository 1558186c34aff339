use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Attempts that fail have growing pauses between them, of up to a minute with their jitter; and machines that do other work
/// are slow.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Waits until `is_so`, and fails with what `shown` tells if it never is.
pub fn until<S: Debug>(what: &str, mut is_so: impl FnMut() -> bool, shown: impl Fn() -> S) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}; instead: {:#?}", shown());
        std::thread::sleep(Duration::from_millis(10));
    }
}
