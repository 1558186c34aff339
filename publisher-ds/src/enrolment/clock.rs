use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The backend's clock, as far as it is known: certificates hold by that, and this node's may be wrong. Before the
/// backend was heard of, this node's own.
#[derive(Debug, Default)]
pub(super) struct Clock {
    heard: Option<(u64, Instant)>,
}

impl Clock {
    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        match self.heard {
            Some((seconds, at)) => seconds + at.elapsed().as_secs(),
            None => own(),
        }
    }

    /// Takes note of what the backend's clock shows. Tells by how many seconds this node's is ahead.
    pub(super) fn set(&mut self, seconds: u64) -> i64 {
        self.heard = Some((seconds, Instant::now()));
        own().cast_signed().saturating_sub(seconds.cast_signed())
    }
}

fn own() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backends_clock_counts_once_it_was_heard_of() {
        let mut clock = Clock::default();
        assert!(own() - clock.now() <= 1);
        let off = clock.set(1000);
        assert!((1000..1002).contains(&clock.now()));
        assert!(off > 1_000_000_000);
    }
}
