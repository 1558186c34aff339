//! Files that are read whole, and have a size that none of their kind exceeds.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Reads a file to its end. One with more than `largest` bytes, or without an end, is of another kind, and refused as
/// [`ErrorKind::FileTooLarge`].
pub fn read_bounded(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(largest.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        let text = format!("it has more than {largest} bytes: is it the right file?");
        return Err(io::Error::new(ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// The same, of a file that must be text.
pub fn read_bounded_text(path: &Path, largest: u64) -> io::Result<String> {
    String::from_utf8(read_bounded(path, largest)?)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is no text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_up_to_its_bound_and_none_without_an_end_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_bounded_text(&path, 5).unwrap(), "12345");
        let kind = |read: io::Result<Vec<u8>>| read.map_err(|error| error.kind());
        assert_eq!(kind(read_bounded(&path, 4)), Err(ErrorKind::FileTooLarge));
        assert_eq!(
            kind(read_bounded(Path::new("/dev/zero"), 1 << 20)),
            Err(ErrorKind::FileTooLarge)
        );
        assert_eq!(kind(read_bounded(&folder.path().join("none"), 4)), Err(ErrorKind::NotFound));
    }
}
