use nix::fcntl::OFlag;
use nix::unistd::getegid;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Owner and group may do all, others nothing.
const MODE: u32 = 0o770;

/// Why a folder can't be shared.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is missing, a link, or something else than a folder.
    #[error("{} cannot be opened as a folder: {error}", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// Another user owns it, or its file system is read-only.
    #[error(
        "{} belongs to uid {owner} and cannot be changed: {error}; on the node, as root: chgrp {group} {} && chmod 0770 {}",
        path.display(), path.display(), path.display()
    )]
    Change {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The group that should get it.
        group: u32,
        /// What the kernel said.
        error: io::Error,
    },
}

/// Gives `path` to this process's group, with all rights. Leaves a folder alone that is so already, since its
/// owner may then be anyone.
pub fn share(path: &Path) -> Result<(), FolderError> {
    let unopened = |error| FolderError::Open { path: path.to_owned(), error };
    let folder = open(path).map_err(unopened)?;
    let metadata = folder.metadata().map_err(unopened)?;
    let group = getegid().as_raw();
    if metadata.gid() == group && metadata.mode() & 0o070 == 0o070 {
        return Ok(());
    }
    change(&folder, group).map_err(|error| FolderError::Change {
        path: path.to_owned(),
        owner: metadata.uid(),
        group,
        error,
    })
}

/// Never through a link: whoever could place one here must not choose what changes hands.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
        .open(path)
}

fn change(folder: &File, group: u32) -> io::Result<()> {
    fchown(folder, None, Some(group))?;
    folder.set_permissions(Permissions::from_mode(MODE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn group_and_mode(path: &Path) -> (u32, u32) {
        let metadata = fs::metadata(path).unwrap();
        (metadata.gid(), metadata.mode() & 0o7777)
    }

    #[test]
    fn a_folder_goes_to_the_own_group_with_all_rights() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        share(folder.path()).unwrap();
        assert_eq!(group_and_mode(folder.path()), (getegid().as_raw(), 0o770));
    }

    #[test]
    fn a_folder_that_fits_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o2775)).unwrap();
        share(folder.path()).unwrap();
        assert_eq!(group_and_mode(folder.path()), (getegid().as_raw(), 0o2775));
    }

    #[test]
    fn a_link_is_refused_and_what_it_points_to_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::create_dir(&target).unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let refusal = share(&link).unwrap_err().to_string();
        assert!(refusal.contains("cannot be opened as a folder"), "{refusal}");
        assert_eq!(group_and_mode(&target).1, 0o700);
    }

    #[test]
    fn what_is_missing_or_no_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file, folder.path().join("missing")] {
            let refusal = share(&path).unwrap_err().to_string();
            assert!(refusal.starts_with(&path.display().to_string()), "{refusal}");
        }
    }
}
