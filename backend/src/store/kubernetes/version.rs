/// Before the first version that is told.
pub(super) const UNKNOWN: i64 = -1;
/// Behind all versions: a deletion's place in the log.
pub(super) const DELETION: i64 = i64::MAX;

/// A resource version as the number that it is: decimal, without a sign and without zeros before it. None: it tells no order.
pub(super) fn number(resource_version: &str) -> Option<i64> {
    let is_number = resource_version.bytes().all(|byte| byte.is_ascii_digit())
        && !(resource_version.len() > 1 && resource_version.starts_with('0'));
    let number = is_number.then(|| resource_version.parse().ok()).flatten();
    number.filter(|number| *number < DELETION)
}

/// Further versions of a content, as the log keeps them.
pub(super) fn pack(versions: &[i64]) -> Vec<u8> {
    versions.iter().flat_map(|version| version.to_be_bytes()).collect()
}

/// What [`pack`] packed.
pub(super) fn unpack(bytes: &[u8]) -> Vec<i64> {
    bytes.as_chunks().0.iter().map(|bytes| i64::from_be_bytes(*bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_decimal_numbers_tell_an_order() {
        assert_eq!(number("10").cmp(&number("9")), std::cmp::Ordering::Greater);
        assert_eq!(number("0"), Some(0));
        for other in ["", "+5", "-5", "007", "12a", "9223372036854775807", "99999999999999999999"] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn versions_are_unpacked_as_they_were_packed() {
        let versions = [0, 7, i64::MAX];
        assert_eq!(unpack(&pack(&versions)), versions);
    }
}
