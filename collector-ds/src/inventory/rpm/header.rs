//! What rpm notes of a package, in every format of its database.

use super::super::limits;
use event_model::{Package, PackageManager};

/// Tags of rpm's headers (`rpmtag.h`).
pub const NAME: u32 = 1000;
pub const VERSION: u32 = 1001;
pub const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const ARCHITECTURE: u32 = 1022;
const SOURCE: u32 = 1044;

/// Types of values.
const INT32: u32 = 4;
const STRING: u32 = 6;

/// What a key is called.
const KEY: &str = "gpg-pubkey";

/// What stands among the packages.
#[derive(Debug, PartialEq, Eq)]
pub enum Noted {
    Package(Package),
    /// A key that was imported to check signatures.
    Key,
}

/// None where the bytes are no header of a package.
pub fn read(header: &[u8]) -> Option<Noted> {
    let header = Header::of(header)?;
    let name = header.text(NAME)?;
    if name == KEY {
        return Some(Noted::Key);
    }
    let epoch = header.number(EPOCH).filter(|epoch| *epoch > 0);
    let epoch = epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let version = format!("{epoch}{}-{}", header.text(VERSION)?, header.text(RELEASE)?);
    Some(Noted::Package(Package {
        manager: PackageManager::Rpm,
        name: limits::clipped(&name, limits::NAME),
        version: limits::clipped(&version, limits::NAME),
        architecture: header.text(ARCHITECTURE).map(|text| limits::clipped(&text, limits::NAME)),
        source: header.text(SOURCE).map(|text| limits::clipped(&text, limits::NAME)),
        path: None,
    }))
}

/// A header as the database holds it: how many entries, how many bytes of values, the entries (tag, type, place,
/// count), the values. All numbers are big-endian.
struct Header<'a> {
    entries: &'a [u8],
    values: &'a [u8],
}

const ENTRY_BYTES: usize = 16;

impl<'a> Header<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (count, rest) = number(bytes)?;
        let (length, rest) = number(rest)?;
        let of_entries = usize::try_from(count).ok()?.checked_mul(ENTRY_BYTES)?;
        let (entries, rest) = rest.split_at_checked(of_entries)?;
        Some(Self { entries, values: rest.get(..usize::try_from(length).ok()?)? })
    }

    fn value(&self, tag: u32, kind: u32) -> Option<&'a [u8]> {
        self.entries.chunks_exact(ENTRY_BYTES).find_map(|entry| {
            let (its_tag, rest) = number(entry)?;
            let (its_kind, rest) = number(rest)?;
            let (place, _) = number(rest)?;
            let is_it = its_tag == tag && its_kind == kind;
            is_it.then(|| self.values.get(usize::try_from(place).ok()?..)).flatten()
        })
    }

    fn text(&self, tag: u32) -> Option<String> {
        let value = self.value(tag, STRING)?;
        let end = value.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&value[..end.min(limits::PATH)]).into_owned())
    }

    fn number(&self, tag: u32) -> Option<u32> {
        number(self.value(tag, INT32)?).map(|(number, _)| number)
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    pub fn header(texts: &[(u32, &str)], epoch: Option<u32>) -> Vec<u8> {
        let (mut entries, mut values, mut count) = (vec![], vec![], 0_u32);
        let mut entry = |tag: u32, kind: u32, place: usize| {
            for number in [tag, kind, u32::try_from(place).expect("small"), 1] {
                entries.extend(number.to_be_bytes());
            }
            count += 1;
        };
        if let Some(epoch) = epoch {
            entry(EPOCH, INT32, 0);
            values.extend(epoch.to_be_bytes());
        }
        for (tag, text) in texts {
            entry(*tag, STRING, values.len());
            values.extend(text.bytes().chain([0]));
        }
        let length = u32::try_from(values.len()).expect("small");
        [&count.to_be_bytes()[..], &length.to_be_bytes(), &entries, &values].concat()
    }

    pub const BASH: [(u32, &str); 5] = [
        (NAME, "bash"),
        (VERSION, "5.2.26"),
        (RELEASE, "3.fc40"),
        (ARCHITECTURE, "x86_64"),
        (SOURCE, "bash-5.2.26-3.fc40.src.rpm"),
    ];

    proptest! {
        #[test]
        fn no_bytes_make_the_header_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_damage_to_a_header_makes_its_reader_panic(place in 0_usize..80, byte in any::<u8>()) {
            let mut header = header(&BASH, Some(1));
            header[place] = byte;
            let _ = read(&header);
        }
    }
}
