//! rpm's package database in SQLite, as Fedora since 33, RHEL since 9 and SUSE images have it.
//!
//! The file is read into memory first and opened there, read-only: no journal beside it is opened, whatever its header
//! says, and SQLite's own limits hold for a database that somebody made to hurt. What stands only in a write-ahead
//! log is told as a problem. Older formats (Berkeley DB, ndb) are told as problems too.

use super::limits;
use super::packages::Found;
use super::root::{Root, Skipped};
use event_model::{Package, PackageManager};
use rusqlite::Connection;
use rusqlite::limits::Limit;

/// Where the database is.
pub const DATABASES: [&str; 2] = ["var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite"];

/// Databases that are not read, with their formats.
const UNREAD: [(&str, &str); 4] = [
    ("var/lib/rpm/Packages", "Berkeley DB"),
    ("var/lib/rpm/Packages.db", "ndb"),
    ("usr/lib/sysimage/rpm/Packages.db", "ndb"),
    ("usr/lib/sysimage/rpm/Packages", "Berkeley DB"),
];

/// The largest header: that of a kernel's package with its thousands of files has two.
const HEADER_BYTES: i32 = 16 << 20;
/// What SQLite may allocate, the database itself included.
const HEAP_BYTES: u64 = 2 * limits::DATABASE_BYTES;
/// Steps of SQLite's machine between two looks, and how many looks there are: a real database needs a thousandth.
const STEPS: (i32, u32) = (10_000, 2_000);

/// Reads all packages.
pub fn read(root: &Root, found: &mut Found<'_>) {
    let mut read_any = false;
    for path in DATABASES {
        match root.read(path, limits::DATABASE_BYTES) {
            Ok(bytes) => {
                read_any = true;
                if let Err(error) = read_database(bytes, found) {
                    found.note(format!("{path}: {error}"));
                }
                let log = format!("{path}-wal");
                if root
                    .open(&log)
                    .and_then(|file| Ok(file.metadata()?.len()))
                    .is_ok_and(|bytes| bytes > 0)
                {
                    found.note(format!("{log} is not read: the newest changes may be missing"));
                }
                // The other place is a link to this one.
                break;
            }
            Err(Skipped::Absent) => {}
            Err(skipped) => found.skipped(path, skipped),
        }
    }
    if read_any {
        return;
    }
    for (path, format) in UNREAD {
        if root.has(path) {
            found.note(format!("{path} is not read: rpm's {format} format is not supported"));
            break;
        }
    }
}

fn read_database(mut bytes: Vec<u8>, found: &mut Found<'_>) -> rusqlite::Result<()> {
    // Format version numbers of the file's header (sqlite.org/fileformat, 1.3.3): in memory there is no write-ahead log.
    if let Some(versions) = bytes.get_mut(18..20) {
        versions.copy_from_slice(&[1, 1]);
    }
    let mut database = Connection::open_in_memory()?;
    database.pragma_update(None, "hard_heap_limit", HEAP_BYTES)?;
    database.pragma_update(None, "trusted_schema", false)?;
    database.pragma_update(None, "cell_size_check", true)?;
    database.set_limit(Limit::SQLITE_LIMIT_LENGTH, HEADER_BYTES)?;
    let mut looks = 0;
    database.progress_handler(
        STEPS.0,
        Some(move || {
            looks += 1;
            looks > STEPS.1
        }),
    )?;
    let length = bytes.len();
    database.deserialize_read_exact("main", bytes.as_slice(), length, true)?;
    drop(bytes);
    let mut statement = database.prepare("SELECT blob FROM Packages")?;
    let mut rows = statement.query([])?;
    let mut unreadable = 0;
    while let Some(row) = rows.next()? {
        match row.get_ref(0)?.as_blob().ok().and_then(package) {
            Some(package) => found.add(package),
            None => unreadable += 1,
        }
        if found.is_full() {
            break;
        }
    }
    if unreadable > 0 {
        found.note(format!("{unreadable} headers of rpm's database can't be read"));
    }
    Ok(())
}

/// Tags of rpm's headers (`rpmtag.h`).
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const ARCHITECTURE: u32 = 1022;
const SOURCE: u32 = 1044;

/// Types of values.
const INT32: u32 = 4;
const STRING: u32 = 6;

fn package(header: &[u8]) -> Option<Package> {
    let header = Header::of(header)?;
    let name = header.text(NAME)?;
    // Keys that were imported to check signatures stand here too, and are no packages.
    if name == "gpg-pubkey" {
        return None;
    }
    let epoch = header.number(EPOCH).filter(|epoch| *epoch > 0);
    let epoch = epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let version = format!("{epoch}{}-{}", header.text(VERSION)?, header.text(RELEASE)?);
    Some(Package {
        manager: PackageManager::Rpm,
        name: limits::clipped(&name, limits::NAME),
        version: limits::clipped(&version, limits::NAME),
        architecture: header.text(ARCHITECTURE).map(|text| limits::clipped(&text, limits::NAME)),
        source: header.text(SOURCE).map(|text| limits::clipped(&text, limits::NAME)),
        path: None,
    })
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
mod tests {
    use super::super::testing;
    use super::*;
    use proptest::prelude::*;

    fn header(texts: &[(u32, &str)], epoch: Option<u32>) -> Vec<u8> {
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

    const BASH: [(u32, &str); 5] = [
        (NAME, "bash"),
        (VERSION, "5.2.26"),
        (RELEASE, "3.fc40"),
        (ARCHITECTURE, "x86_64"),
        (SOURCE, "bash-5.2.26-3.fc40.src.rpm"),
    ];

    /// A database as rpm makes it, in write-ahead mode.
    fn database(folder: &std::path::Path, headers: &[Vec<u8>]) {
        let path = folder.join(DATABASES[0]);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        let database = Connection::open(path).expect("a database");
        database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).expect("WAL");
        database
            .execute_batch("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
            .expect("a table");
        for header in headers {
            database.execute("INSERT INTO Packages (blob) VALUES (?1)", [header]).expect("a row");
        }
    }

    #[test]
    fn packages_are_read_from_the_database_that_rpm_makes() {
        let folder = tempfile::tempdir().expect("a directory");
        let key = [(NAME, "gpg-pubkey"), (VERSION, "1"), (RELEASE, "2")];
        let headers = [header(&BASH, None), header(&BASH[..3], Some(2))];
        database(folder.path(), &headers);
        let (packages, problems) = testing::packages(folder.path(), read);
        assert_eq!(packages.len(), 2, "{problems:?}");
        assert_eq!(
            (packages[0].name.as_str(), packages[0].version.as_str()),
            ("bash", "5.2.26-3.fc40")
        );
        assert_eq!(packages[0].architecture.as_deref(), Some("x86_64"));
        assert_eq!(packages[0].source.as_deref(), Some("bash-5.2.26-3.fc40.src.rpm"));
        assert_eq!(packages[1].version, "2:5.2.26-3.fc40");
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(package(&header(&key, None)), None);
    }

    #[test]
    fn what_is_not_read_is_told() {
        let folder = testing::root(&[("var/lib/rpm/Packages", "berkeley")]);
        let (_, problems) = testing::packages(folder.path(), read);
        assert!(problems[0].contains("Berkeley DB format is not supported"), "{problems:?}");
        let folder = testing::root(&[(DATABASES[1], "no database at all")]);
        let (_, problems) = testing::packages(folder.path(), read);
        assert!(problems[0].contains("rpmdb.sqlite"), "{problems:?}");
    }

    #[test]
    fn a_database_that_was_made_to_hurt_ends_in_a_problem() {
        for view in [
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS blob FROM n",
            "SELECT zeroblob(900000000) AS blob",
        ] {
            let folder = tempfile::tempdir().expect("a directory");
            let path = folder.path().join(DATABASES[0]);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            let database = Connection::open(&path).expect("a database");
            database.execute_batch(&format!("CREATE VIEW Packages AS {view}")).expect("a view");
            drop(database);
            let (packages, problems) = testing::packages(folder.path(), read);
            assert!(packages.is_empty() && problems.len() == 1, "{view}: {problems:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_header_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = package(&bytes);
        }

        #[test]
        fn no_damage_to_a_header_makes_its_reader_panic(place in 0_usize..80, byte in any::<u8>()) {
            let mut header = header(&BASH, Some(1));
            header[place] = byte;
            let _ = package(&header);
        }
    }
}
