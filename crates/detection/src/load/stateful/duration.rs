use crate::diagnostic::Report;
use crate::load::entries::Entries;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The time that a key tells, within bounds that `words` tell.
pub(super) fn read(
    parts: &Entries<'_>,
    key: &str,
    bounds: RangeInclusive<Duration>,
    words: &str,
    report: &mut Report<'_>,
) -> Option<Duration> {
    let text = parts.text(key, report)?;
    let time = parsed(&text.value).filter(|time| bounds.contains(time));
    if time.is_none() {
        let message = format!("`{key}` is a time such as {words}, not `{}`", text.value);
        report.error(text.place, message);
    }
    time
}

fn parsed(text: &str) -> Option<Duration> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}
