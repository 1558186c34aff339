use super::super::testing;
use super::header::tests::{BASH, header};
use super::header::{NAME, RELEASE, VERSION};
use super::*;
use proptest::prelude::*;
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Three packages that rpm 4.18 built and noted, their headers put into hash tables by `db5.3_load` of Berkeley DB.
const BERKELEY: [(&str, &[u8]); 3] = [
    ("pages of 4096 bytes", include_bytes!("testdata/pages-of-4096.db")),
    ("pages of 512 bytes", include_bytes!("testdata/pages-of-512.db")),
    ("of a big-endian machine", include_bytes!("testdata/big-endian.db")),
];
/// What rpm lists of them.
const LISTED: [&str; 3] = ["alpha 1.2-3.el7", "beta 2:0.9-1", "gamma 10-4.amzn2"];

/// A root with a database in one of [`DATABASES`].
fn root_with(path: &str, database: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, database).expect("a file");
    folder
}

/// Names and versions in order, and problems.
fn found(root: &Path) -> (Vec<String>, Vec<String>) {
    let (packages, problems) = testing::packages(root, read);
    let mut told: Vec<_> =
        packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect();
    told.sort();
    (told, problems)
}

/// A database as rpm makes it, in write-ahead mode.
fn sqlite(folder: &Path, headers: &[Vec<u8>]) {
    let path = folder.join(DATABASES[0].0);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    let database = Connection::open(path).expect("a database");
    database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).expect("WAL");
    database
        .execute_batch(
            "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)",
        )
        .expect("a table");
    for header in headers {
        database.execute("INSERT INTO Packages (blob) VALUES (?1)", [header]).expect("a row");
    }
}

/// A database of rpm's own format with these headers, after one free slot.
fn ndb(headers: &[Vec<u8>]) -> Vec<u8> {
    let mut slots = b"RpmP\0\0\0\0\x01\0\0\0\x01\0\0\0\x09\0\0\0".to_vec();
    slots.resize(32, 0);
    slots.extend(b"Slot\0\0\0\0\0\0\0\0\0\0\0\0");
    let mut blobs = vec![];
    for (package, header) in (1_u32..).zip(headers) {
        let block = u32::try_from((4096 + blobs.len()) / 16).expect("small");
        let length = u32::try_from(header.len()).expect("small");
        let blob = [&b"BlbS"[..], &package.to_le_bytes(), &[0; 4], &length.to_le_bytes(), header];
        blobs.extend(blob.concat());
        blobs.resize(blobs.len().next_multiple_of(16), 0);
        slots.extend(b"Slot");
        for number in [package, block, length.div_ceil(16) + 2] {
            slots.extend(number.to_le_bytes());
        }
    }
    while slots.len() < 4096 {
        slots.extend(b"Slot\0\0\0\0\0\0\0\0\0\0\0\0");
    }
    [slots, blobs].concat()
}

#[test]
fn packages_are_read_from_sqlite() {
    let folder = tempfile::tempdir().expect("a directory");
    sqlite(folder.path(), &[header(&BASH, None), header(&BASH[..3], Some(2))]);
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
}

#[test]
fn packages_are_read_from_berkeley_db() {
    for (of, database) in BERKELEY {
        let folder = root_with("var/lib/rpm/Packages", database);
        let (told, problems) = found(folder.path());
        assert_eq!(told, LISTED, "{of}");
        assert!(problems.is_empty(), "{of}: {problems:?}");
    }
}

#[test]
fn packages_are_read_from_ndb() {
    let folder = root_with("usr/lib/sysimage/rpm/Packages.db", &ndb(&[header(&BASH, None)]));
    let (told, problems) = found(folder.path());
    assert_eq!(told, ["bash 5.2.26-3.fc40"]);
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn an_imported_key_is_no_package_and_no_problem() {
    let key = header(&[(NAME, "gpg-pubkey"), (VERSION, "1"), (RELEASE, "2")], None);
    let folder = tempfile::tempdir().expect("a directory");
    sqlite(folder.path(), &[header(&BASH, None), key]);
    let (told, problems) = found(folder.path());
    assert_eq!(told, ["bash 5.2.26-3.fc40"]);
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn what_an_upgrade_left_in_an_older_format_is_not_read() {
    let folder = root_with("var/lib/rpm/Packages", BERKELEY[0].1);
    sqlite(folder.path(), &[header(&BASH, None)]);
    assert_eq!(found(folder.path()).0, ["bash 5.2.26-3.fc40"]);
}

#[test]
fn what_is_no_database_is_told() {
    let expected = [
        ("var/lib/rpm/Packages", "not a hash table"),
        ("var/lib/rpm/Packages.db", "not a database of rpm's format ndb"),
        ("usr/lib/sysimage/rpm/rpmdb.sqlite", "rpmdb.sqlite: "),
    ];
    for (path, why) in expected {
        let folder = testing::root(&[(path, "no database at all")]);
        let (_, problems) = found(folder.path());
        assert!(problems.len() == 1 && problems[0].contains(why), "{path}: {problems:?}");
    }
}

#[test]
fn of_a_table_that_was_cut_what_is_there_is_told() {
    for (of, database) in BERKELEY {
        let folder = root_with("var/lib/rpm/Packages", &database[..database.len() - 600]);
        let (_, problems) = found(folder.path());
        assert!(problems[0].contains("ends before its last page"), "{of}: {problems:?}");
    }
}

#[test]
fn chains_of_pages_that_meet_cost_no_more_than_the_file() {
    let (_, database) = BERKELEY[1];
    let mut database = database.to_vec();
    let (mut loops, mut type_at) = (0, 512 + 25);
    while type_at < database.len() {
        // An overflow page that goes on with itself.
        if database[type_at] == 7 {
            let number = u32::try_from(type_at / 512).expect("small");
            database[type_at - 9..type_at - 5].copy_from_slice(&number.to_le_bytes());
            loops += 1;
        }
        type_at += 512;
    }
    assert!(loops > 3);
    let folder = root_with("var/lib/rpm/Packages", &database);
    let (told, problems) = found(folder.path());
    assert!(told.is_empty() && problems[0].contains("3 headers"), "{told:?} {problems:?}");
}

#[test]
fn a_database_that_was_made_to_hurt_ends_in_a_problem() {
    for view in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS blob FROM n",
        "SELECT zeroblob(900000000) AS blob",
    ] {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join(DATABASES[0].0);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        let database = Connection::open(&path).expect("a database");
        database.execute_batch(&format!("CREATE VIEW Packages AS {view}")).expect("a view");
        drop(database);
        let (told, problems) = found(folder.path());
        assert!(told.is_empty() && problems.len() == 1, "{view}: {problems:?}");
    }
}

proptest! {
    #[test]
    fn no_damage_to_a_table_makes_its_reader_panic(
        which in 0..BERKELEY.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut database = BERKELEY[which].1.to_vec();
        for (place, byte) in changes {
            let place = place.index(database.len());
            database[place] = byte;
        }
        let mut bytes = 0;
        let _ = berkeley::values(&database, |value| {
            bytes += value.len();
            ControlFlow::Continue(())
        });
        prop_assert!(bytes <= database.len());
    }
}
