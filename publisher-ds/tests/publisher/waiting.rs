use std::fmt::Debug;
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(30);

/// Attempts that fail have growing pauses between them, of up to a minute with their jitter.
const PATIENCE_WITH_PAUSES: Duration = Duration::from_mins(2);

/// Waits until `is_so`, and fails with what `shown` tells if it never is.
pub fn until<S: Debug>(what: &str, is_so: impl FnMut() -> bool, shown: impl Fn() -> S) {
    until_within(PATIENCE, what, is_so, shown);
}

/// The same of what comes after attempts that failed.
pub fn until_tried_again<S: Debug>(what: &str, is_so: impl FnMut() -> bool, shown: impl Fn() -> S) {
    until_within(PATIENCE_WITH_PAUSES, what, is_so, shown);
}

fn until_within<S: Debug>(
    patience: Duration,
    what: &str,
    mut is_so: impl FnMut() -> bool,
    shown: impl Fn() -> S,
) {
    let deadline = Instant::now() + patience;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}; instead: {:#?}", shown());
        std::thread::sleep(Duration::from_millis(10));
    }
}
