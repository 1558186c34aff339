use std::fmt::Debug;
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `is_so`, and fails with what `shown` tells if it never is.
pub fn until<S: Debug>(what: &str, mut is_so: impl FnMut() -> bool, shown: impl Fn() -> S) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}; instead: {:#?}", shown());
        std::thread::sleep(Duration::from_millis(10));
    }
}
