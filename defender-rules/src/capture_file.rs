//! Captures on a disk.

use anyhow::Context;
use capture::Reader;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// How much is read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// A capture that is open.
pub type CaptureFile = Reader<BufReader<File>>;

/// Opens a capture and reads its head.
pub fn open(path: &Path) -> anyhow::Result<CaptureFile> {
    let file = File::open(path)
        .map_err(|error| anyhow::anyhow!("cannot read the capture {}: {error}", path.display()))?;
    let reader = Reader::new(BufReader::with_capacity(BUFFER_BYTES, file));
    reader.map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}

/// Whether a file begins as captures do.
pub fn is_one(path: &Path) -> anyhow::Result<bool> {
    use std::io::Read;
    let cannot = || format!("cannot read {}", path.display());
    let mut begin = vec![];
    let file = File::open(path).with_context(cannot)?;
    file.take(capture::MAGIC.len() as u64).read_to_end(&mut begin).with_context(cannot)?;
    Ok(begin == capture::MAGIC)
}
