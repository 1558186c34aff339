use crate::hexadecimal;
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

/// A container's id as tables hold it: ids of 64 hexadecimal digits, which is what docker,
/// containerd and CRI-O make, in half the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ContainerKey {
    Packed([u8; 32]),
    Plain(String),
}

/// Shorter beginnings of an id would match too much by chance.
pub(crate) const SHORTEST_PREFIX: usize = 12;

impl From<&str> for ContainerKey {
    fn from(id: &str) -> Self {
        match bound(id, 0) {
            Some(packed) if id.len() == 64 => Self::Packed(packed),
            _ => Self::Plain(id.to_owned()),
        }
    }
}

impl ContainerKey {
    /// The first and the last id that begin so. None where `prefix` is no beginning of one, or
    /// too short.
    pub(crate) fn range(prefix: &str) -> Option<([u8; 32], [u8; 32])> {
        if !(SHORTEST_PREFIX..=64).contains(&prefix.len()) {
            return None;
        }
        Some((bound(prefix, 0)?, bound(prefix, 0xf)?))
    }

    /// The id as the runtime writes it.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Packed(bytes) => hexadecimal::encode(bytes),
            Self::Plain(id) => id.clone(),
        }
    }
}

/// Packs hexadecimal digits, lower case as runtimes write them; missing ones are `filling`.
fn bound(digits: &str, filling: u8) -> Option<[u8; 32]> {
    let digits = digits.as_bytes();
    let mut packed = [0; 32];
    for (place, byte) in packed.iter_mut().enumerate() {
        let high =
            digits.get(2 * place).map_or(Some(filling), |digit| hexadecimal::digit(*digit))?;
        let low =
            digits.get(2 * place + 1).map_or(Some(filling), |digit| hexadecimal::digit(*digit))?;
        *byte = high << 4 | low;
    }
    Some(packed)
}

impl ToSql for ContainerKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Packed(bytes) => bytes.to_sql(),
            Self::Plain(id) => id.to_sql(),
        }
    }
}

impl FromSql for ContainerKey {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Blob(bytes) => {
                let packed = bytes.try_into().map_err(|_| FromSqlError::InvalidType)?;
                Ok(Self::Packed(packed))
            }
            ValueRef::Text(_) => Ok(Self::Plain(value.as_str()?.to_owned())),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_id_survives_packing(id in "[0-9a-f]{64}|[ -~]{0,80}") {
            prop_assert_eq!(ContainerKey::from(id.as_str()).id(), id);
        }

        #[test]
        fn an_id_lies_in_the_range_of_each_of_its_beginnings(id in "[0-9a-f]{64}", length in 12_usize..=64) {
            let ContainerKey::Packed(packed) = ContainerKey::from(id.as_str()) else {
                return Err(TestCaseError::fail("not packed"));
            };
            let (first, last) = ContainerKey::range(&id[..length]).unwrap();
            prop_assert!(first <= packed && packed <= last);
        }
    }

    #[test]
    fn ids_of_another_shape_are_kept_as_they_are() {
        for id in ["", "not hexadecimal", &"A".repeat(64), &"a".repeat(63)] {
            assert_eq!(ContainerKey::from(id), ContainerKey::Plain(id.to_owned()));
        }
        assert_eq!(ContainerKey::range("abc"), None);
    }
}
