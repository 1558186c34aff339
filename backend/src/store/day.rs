use event_model::Timestamp;
use jiff::civil::Date;
use std::path::{Path, PathBuf};

const NANOSECONDS: u64 = 86_400_000_000_000;
/// Older events than this had no place to wait: their time is wrong.
const OLDEST_DAYS: i32 = 30;

/// A day in UTC, which is a file of events. The last in order of age is [`Day::UNDATED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(Option<i32>);

impl Day {
    /// Where events go whose time cannot be right: a node without a clock, or one that lies, must
    /// not make a file for each day since 1970.
    pub(crate) const UNDATED: Self = Self(None);

    /// The file for an event that is received now. As long as its time is plausible, it alone
    /// decides, so an event that comes twice is written to the same file.
    pub(crate) fn of(time: Timestamp, now: Timestamp) -> Self {
        let (day, today) = (Self::number(time), Self::number(now));
        let plausible = day <= today + 1 && day >= today - OLDEST_DAYS;
        Self(plausible.then_some(day))
    }

    /// As a cursor holds it.
    pub(crate) fn from_number(number: Option<i32>) -> Self {
        Self(number)
    }

    /// Days since 1970.
    pub(crate) fn to_number(self) -> Option<i32> {
        self.0
    }

    fn number(time: Timestamp) -> i32 {
        i32::try_from(time.0 / NANOSECONDS).unwrap_or(i32::MAX)
    }

    /// The day's first moment.
    pub(crate) fn begin(self) -> Timestamp {
        Timestamp(self.0.map_or(0, |day| u64::try_from(day).unwrap_or(0) * NANOSECONDS))
    }

    /// The next day's first moment.
    pub(crate) fn end(self) -> Timestamp {
        Timestamp(self.0.map_or(0, |_| self.begin().0.saturating_add(NANOSECONDS)))
    }

    /// Whether events of this file may lie between two moments.
    pub(crate) fn overlaps(self, since: Option<Timestamp>, until: Option<Timestamp>) -> bool {
        self == Self::UNDATED
            || (since.is_none_or(|since| self.end() > since)
                && until.is_none_or(|until| self.begin() < until))
    }

    /// The day's file in a folder.
    pub(crate) fn path(self, directory: &Path) -> PathBuf {
        let date = self.0.and_then(|day| {
            let seconds = i64::from(day) * 86_400;
            jiff::Timestamp::from_second(seconds)
                .ok()
                .map(|moment| moment.strftime("%F").to_string())
        });
        directory.join(format!("events-{}.db", date.as_deref().unwrap_or("undated")))
    }

    /// The day of a file, where it is one.
    pub(crate) fn of_file(name: &str) -> Option<Self> {
        let date = name.strip_prefix("events-")?.strip_suffix(".db")?;
        if date == "undated" {
            return Some(Self::UNDATED);
        }
        let date: Date = date.parse().ok()?;
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        i32::try_from(midnight.as_second() / 86_400).ok().map(|day| Self(Some(day)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000_000_000);

    #[test]
    fn a_day_and_its_file_tell_each_other() {
        let day = Day::of(NOW, NOW);
        let path = day.path(Path::new("/store"));
        assert_eq!(path, Path::new("/store/events-2026-11-18.db"));
        assert_eq!(Day::of_file("events-2026-11-18.db"), Some(day));
        assert_eq!(Day::of_file("events-undated.db"), Some(Day::UNDATED));
        for other in ["state.db", "events-2026-11-18.db-wal", "events-.db", "events-2026-13-01.db"]
        {
            assert_eq!(Day::of_file(other), None, "{other}");
        }
        assert!(day.begin() <= NOW && NOW < day.end());
    }

    #[test]
    fn a_time_that_cannot_be_right_gets_no_day_of_its_own() {
        for wrong in [0, 1, u64::MAX, NOW.0 + 3 * NANOSECONDS, NOW.0 - 40 * NANOSECONDS] {
            assert_eq!(Day::of(Timestamp(wrong), NOW), Day::UNDATED);
        }
        assert!(Day::UNDATED < Day::of(NOW, NOW), "what has no date goes first");
    }
}
