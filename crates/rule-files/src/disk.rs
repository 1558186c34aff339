//! Files by name, and those of folders.

use crate::RulesError;
use std::path::{Path, PathBuf};

/// A file itself; of a folder the files with one of the extensions, by the order of their names. Folders below it, and what is hidden in it, are not looked at.
pub(crate) fn visible_files(
    path: &Path,
    extensions: &[&str],
    files: &mut Vec<PathBuf>,
) -> Result<(), RulesError> {
    let unreadable = |source| RulesError::Unreadable { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut inside = vec![];
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let extension = file.extension().unwrap_or_default().to_string_lossy();
        if extensions.contains(&&*extension) && !is_hidden(&file) {
            inside.push(file);
        }
    }
    inside.sort();
    files.append(&mut inside);
    Ok(())
}

fn is_hidden(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// A file's text.
pub(crate) fn read(path: &Path, maximum_bytes: u64) -> Result<String, RulesError> {
    let unreadable = |source| RulesError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > maximum_bytes {
        return Err(RulesError::TooLarge { path: path.to_owned(), maximum_bytes });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}
