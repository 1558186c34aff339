use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A number of bytes, written `16MiB`, `2 GiB`, `500kB`, or plainly `4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(u64);

/// Units, the largest first: powers of 1024 as Kubernetes and systemd use them, then those of 1000.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Bytes {
    /// So many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many times 1024² bytes.
    pub const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }

    /// So many times 1024³ bytes.
    pub const fn gibibytes(count: u64) -> Self {
        Self(count << 30)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A text that is no number of bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no number of bytes: write it like 16MiB, 2GiB or 4096")]
pub struct BytesError(String);

impl FromStr for Bytes {
    type Err = BytesError;

    fn from_str(text: &str) -> Result<Self, BytesError> {
        let trimmed = text.trim();
        let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = trimmed.split_at(digits);
        let bytes = number.parse::<u64>().ok().zip(unit_bytes(unit.trim_start()));
        bytes
            .and_then(|(number, unit)| number.checked_mul(unit))
            .map(Self)
            .ok_or_else(|| BytesError(text.to_owned()))
    }
}

/// The bytes of a unit, which may be shortened as Kubernetes writes quantities (`Mi`, `M`).
fn unit_bytes(unit: &str) -> Option<u64> {
    if unit.is_empty() {
        return Some(1);
    }
    let known = UNITS.iter().find(|(name, _)| {
        let short = name.strip_suffix('B').unwrap_or(name);
        unit.eq_ignore_ascii_case(name) || unit.eq_ignore_ascii_case(short)
    });
    known.map(|(_, bytes)| *bytes)
}

impl fmt::Display for Bytes {
    /// In the largest unit of 1024 that leaves no remainder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |bytes: u64| self.0 >= bytes && self.0.is_multiple_of(bytes);
        match UNITS[..4].iter().find(|(_, bytes)| fits(*bytes)) {
            Some((name, bytes)) => write!(f, "{}{name}", self.0 / bytes),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BytesVisitor)
    }
}

struct BytesVisitor;

impl de::Visitor<'_> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of bytes like 16MiB, 2GiB or 4096")
    }

    fn visit_u64<E>(self, bytes: u64) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Bytes, E> {
        u64::try_from(bytes)
            .map(Bytes)
            .map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn sizes_are_read_in_every_unit() {
        for (text, bytes) in [
            ("4096", 4096),
            ("16MiB", 16 << 20),
            ("2 GiB", 2 << 30),
            ("500kB", 500_000),
            ("64Mi", 64 << 20),
            ("1G", 1_000_000_000),
            ("0", 0),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_an_example() {
        for text in ["", "MiB", "-1", "1.5GiB", "16 apples", "99999999TiB"] {
            let error = text.parse::<Bytes>().expect_err(text).to_string();
            assert!(error.contains("16MiB"), "{error}");
        }
    }

    #[test]
    fn a_size_survives_serialisation() {
        for bytes in [0, 1, 1023, 1024, 1 << 20, (1 << 20) + 1, 20 << 30, u64::MAX] {
            let json = serde_json::to_value(Bytes(bytes)).unwrap();
            assert_eq!(serde_json::from_value::<Bytes>(json).unwrap(), Bytes(bytes));
        }
        assert_eq!(Bytes::mebibytes(16).to_string(), "16MiB");
    }
}
