//! What the fuzz targets have found keeps its promises, on a stable compiler too.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use untrusted_input::{READERS, check};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn files(reader: &str) -> Vec<PathBuf> {
    let folder = corpora().join(reader);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn every_reader_keeps_its_promises_for_what_was_found() {
    for (reader, _) in READERS {
        let files = files(reader);
        assert!(files.len() > 10, "{reader} has a corpus of {} files", files.len());
        for file in files {
            let bytes = fs::read(&file).expect("a file");
            assert!(catch_unwind(|| check(reader, &bytes)).is_ok(), "{}", file.display());
        }
    }
}

#[test]
fn every_corpus_has_a_reader_and_every_reader_a_target() {
    let known: Vec<_> = READERS.iter().map(|(reader, _)| *reader).collect();
    for entry in fs::read_dir(corpora()).expect("corpora") {
        let name = entry.expect("an entry").file_name();
        assert!(known.iter().any(|reader| name == *reader), "no reader for {name:?}");
    }
    for reader in known {
        let target = corpora().join(format!("../fuzz_targets/{reader}.rs"));
        let text = fs::read_to_string(&target)
            .unwrap_or_else(|error| panic!("{}: {error}", target.display()));
        assert!(text.contains(&format!("check(\"{reader}\"")), "{}", target.display());
    }
}

#[test]
fn corpora_stay_small() {
    for (reader, _) in READERS {
        let files = files(reader);
        let bytes: u64 = files.iter().map(|file| file.metadata().expect("a file").len()).sum();
        assert!(
            files.len() <= 500 && bytes <= 512 << 10,
            "{reader}: {} files, {bytes} bytes",
            files.len()
        );
    }
}
