use ebpf_probes::BootTime;
use event_model::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// How far the wall clock is ahead of the clock that the kernel stamps records with.
///
/// Somebody may set the wall clock at any time, so take a new one often: it costs less than a microsecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    /// Nanoseconds.
    ahead: i128,
}

impl WallClock {
    /// Compares the two clocks now.
    pub fn now() -> Self {
        let before = boot_time_now();
        let wall = Timestamp::now();
        let after = boot_time_now();
        let boot = i128::midpoint(i128::from(before.0), i128::from(after.0));
        Self { ahead: i128::from(wall.0) - boot }
    }

    /// The moment `time` on the wall clock.
    pub fn timestamp(self, time: BootTime) -> Timestamp {
        Timestamp(u64::try_from(i128::from(time.0) + self.ahead).unwrap_or(0))
    }
}

/// CLOCK_BOOTTIME, which goes on while the machine sleeps. Zero where the kernel lacks it; none that has BTF does.
pub fn boot_time_now() -> BootTime {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |time| {
        time.tv_sec().unsigned_abs() * 1_000_000_000 + time.tv_nsec().unsigned_abs()
    });
    BootTime(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_becomes_wall_time() {
        let before = Timestamp::now();
        let now = WallClock::now().timestamp(boot_time_now());
        assert!(now.milliseconds_since(before).abs() < 100.0, "{now} is not near {before}");
    }

    #[test]
    fn a_moment_before_1970_becomes_1970() {
        assert_eq!(WallClock { ahead: -5 }.timestamp(BootTime(3)), Timestamp(0));
    }
}
