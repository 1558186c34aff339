use std::time::Duration;
use tokio::time::Instant;

/// What an envelope costs beside its payload: many tiny ones are work, too.
const ENVELOPE_BYTES: u64 = 512;

/// How fast one collector may send: a bucket that fills by the second. What is beyond is not lost, it is read later.
pub(crate) struct Pace {
    per_second: u64,
    bucket: u64,
    /// Until when what was read pays for; never further back than the bucket is deep.
    paid_until: Instant,
}

impl Pace {
    /// Lets `per_second` bytes pass, and after a rest `bucket` at once.
    pub(crate) fn new(per_second: u64, bucket: u64) -> Self {
        let mut pace = Self { per_second, bucket, paid_until: Instant::now() };
        pace.paid_until -= pace.time_of(bucket);
        pace
    }

    /// Counts an envelope that was read.
    pub(crate) fn spend(&mut self, payload_bytes: u64) {
        let deepest = Instant::now() - self.time_of(self.bucket);
        self.paid_until =
            self.paid_until.max(deepest) + self.time_of(payload_bytes + ENVELOPE_BYTES);
        if self.is_spent() {
            metrics::counter!("defender_link_throttled_total").increment(1);
        }
    }

    /// Whether nothing is to be read before [`Pace::wait`] ends.
    pub(crate) fn is_spent(&self) -> bool {
        self.paid_until > Instant::now()
    }

    /// Waits until something may be read again.
    pub(crate) async fn wait(&self) {
        tokio::time::sleep_until(self.paid_until).await;
    }

    fn time_of(&self, bytes: u64) -> Duration {
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.per_second.max(1));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the next must wait.
    fn debt(pace: &Pace) -> Duration {
        pace.paid_until.saturating_duration_since(Instant::now())
    }

    #[test]
    fn what_is_read_beyond_the_bucket_is_paid_for_in_time() {
        let mut pace = Pace::new(1_000_000, 100_000);
        pace.spend(90_000);
        assert!(!pace.is_spent(), "a burst within the bucket passes");
        pace.spend(10_100_000);
        let seconds = debt(&pace).as_secs_f64();
        assert!((9.0..=10.2).contains(&seconds), "it waits {seconds} s for ten million bytes");
    }

    #[test]
    fn a_rest_saves_no_more_than_the_bucket_holds() {
        let mut pace = Pace::new(1_000_000, 100_000);
        pace.paid_until = Instant::now() - Duration::from_mins(1);
        pace.spend(90_000);
        assert!(!pace.is_spent());
        pace.spend(5_000_000);
        assert!(pace.is_spent());
    }

    #[test]
    fn tiny_envelopes_are_not_free() {
        let mut pace = Pace::new(1_000_000, 100_000);
        (0..2_000).for_each(|_| pace.spend(1));
        assert!(pace.is_spent());
    }
}
