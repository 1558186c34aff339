use std::time::{Duration, Instant};

/// Bytes that wait where the road is narrow; what comes beyond is lost, as in a router.
const QUEUE_BYTES: f64 = 64.0 * 1024.0;

/// How packets fare in one direction.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// How long each is under way.
    pub delay: Duration,
    /// And how much longer at most, each by its own chance: they overtake each other.
    pub jitter: Duration,
    /// The share that is lost, of 1.
    pub loss: f64,
    /// None arrives, and nobody is told.
    pub is_cut: bool,
    /// How many bytes pass in a second.
    pub bytes_per_second: Option<f64>,
}

impl Conditions {
    /// When a packet arrives that set out now; None where it never does. `free` is when the road's narrow place is free.
    pub(crate) fn arrival(&self, bytes: usize, free: &mut Instant) -> Option<Instant> {
        let now = Instant::now();
        if self.is_cut || fastrand::f64() < self.loss {
            return None;
        }
        let through = self.pass(bytes, now, free)?;
        Some(through + self.delay + self.jitter.mul_f64(fastrand::f64()))
    }

    #[allow(clippy::cast_precision_loss)] // A packet is small.
    fn pass(&self, bytes: usize, now: Instant, free: &mut Instant) -> Option<Instant> {
        let Some(rate) = self.bytes_per_second else { return Some(now) };
        let begin = now.max(*free);
        if (begin - now).as_secs_f64() * rate > QUEUE_BYTES {
            return None;
        }
        *free = begin + Duration::from_secs_f64(bytes as f64 / rate);
        Some(*free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_road_lets_packets_pass_one_after_the_other_and_loses_what_it_has_no_room_for() {
        let conditions = Conditions { bytes_per_second: Some(1000.0), ..Conditions::default() };
        let begin = Instant::now();
        let mut free = begin;
        let arrivals: Vec<_> = (0..200).map(|_| conditions.arrival(1000, &mut free)).collect();
        let seconds = (arrivals[9].unwrap() - begin).as_secs_f64();
        assert!((9.9..10.5).contains(&seconds), "the tenth arrived after {seconds} s");
        assert!(arrivals[100..].iter().all(Option::is_none));
    }

    #[test]
    fn a_cut_road_and_a_lossy_one_deliver_what_they_say() {
        let mut free = Instant::now();
        let cut = Conditions { is_cut: true, ..Conditions::default() };
        assert_eq!(cut.arrival(1, &mut free), None);
        let lossy = Conditions { loss: 0.5, ..Conditions::default() };
        let arrived = (0..10_000).filter(|_| lossy.arrival(1, &mut free).is_some()).count();
        assert!((4_500..5_500).contains(&arrived), "{arrived} of 10,000");
    }
}
