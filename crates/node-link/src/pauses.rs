use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;

/// The pauses between one connection and the next: each about twice the one before, up to a longest.
#[derive(Debug)]
pub struct Pauses {
    shortest: Duration,
    longest: Duration,
    rest: ExponentialBackoff,
}

impl Pauses {
    /// Pauses that have not begun yet.
    pub fn new(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest, rest: growing(shortest, longest) }
    }

    /// The pause before the next connection.
    pub fn next_pause(&mut self) -> Duration {
        self.rest.next().unwrap_or(self.longest)
    }

    /// A connection ended. Only one over which something was acknowledged, or that held longer than the longest
    /// pause, begins the pauses anew: a peer whose disk is full welcomes everybody, and ends each connection.
    pub fn note_connection(&mut self, was_acknowledged: bool, lasted: Duration) {
        if was_acknowledged || lasted > self.longest {
            self.rest = growing(self.shortest, self.longest);
        }
    }
}

fn growing(shortest: Duration, longest: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(shortest)
        .with_max_delay(longest)
        .without_max_times()
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTEST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    /// Pauses that have grown to the longest.
    fn grown() -> Pauses {
        let mut pauses = Pauses::new(SHORTEST, LONGEST);
        (0..20).for_each(|_| _ = pauses.next_pause());
        assert!(pauses.next_pause() >= LONGEST);
        pauses
    }

    #[test]
    fn pauses_grow_to_the_longest_and_no_further() {
        let mut pauses = Pauses::new(SHORTEST, LONGEST);
        assert!(pauses.next_pause() <= 2 * SHORTEST);
        assert!(pauses.next_pause() >= 2 * SHORTEST);
        assert!(grown().next_pause() <= 2 * LONGEST);
    }

    #[test]
    fn a_short_connection_that_acknowledged_nothing_leaves_them_long() {
        let mut pauses = grown();
        pauses.note_connection(false, LONGEST);
        assert!(pauses.next_pause() >= LONGEST);
    }

    #[test]
    fn an_acknowledgement_or_a_long_connection_begins_them_anew() {
        for (was_acknowledged, lasted) in [(true, Duration::ZERO), (false, 2 * LONGEST)] {
            let mut pauses = grown();
            pauses.note_connection(was_acknowledged, lasted);
            assert!(pauses.next_pause() <= 2 * SHORTEST);
        }
    }
}
