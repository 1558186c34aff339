use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// Owner and group may connect; which users are answered is decided by SO_PEERCRED.
const SOCKET_MODE: u32 = 0o660;

const DIRECTORY_MODE: u32 = 0o750;

const BACKLOG: u32 = 64;

/// Why the socket can't be made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum SocketError {
    #[error(
        "listen.socket {} is a {kind}, not a socket; nothing of it was touched: move it away, or choose another path",
        path.display()
    )]
    NotASocket { path: PathBuf, kind: &'static str },
    #[error(
        "listen.socket {} is a socket that belongs to uid {owner}, not to this process's uid {uid}: remove it by hand, or choose another path",
        path.display()
    )]
    ForeignSocket { path: PathBuf, owner: u32, uid: u32 },
    #[error("another publisher listens on listen.socket {}: only one may run on a node", path.display())]
    InUse { path: PathBuf },
    #[error("listen.socket {}: {action}: {error}", path.display())]
    Io { path: PathBuf, action: &'static str, error: io::Error },
}

/// A socket file that is removed at the end, if it is still the one that was made.
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|now| now.ino() == self.inode);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the socket, its directory too where that is missing. A stale socket of our own is replaced; whatever
/// else stands at the path is left alone.
pub(crate) async fn bind(path: &Path) -> Result<(UnixListener, SocketFile), SocketError> {
    let failed = |action| move |error| SocketError::Io { path: path.to_owned(), action, error };
    make_directory(path).map_err(failed("making its directory"))?;
    clear_the_way(path).await?;
    let socket = UnixSocket::new_stream().map_err(failed("making a socket"))?;
    socket.bind(path).map_err(failed("binding"))?;
    // Between bind and listen nobody can connect, so the mode is right from the first connection on.
    fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))
        .map_err(failed("setting its mode"))?;
    let inode = fs::symlink_metadata(path).map_err(failed("reading its inode"))?.ino();
    let listener = socket.listen(BACKLOG).map_err(failed("listening"))?;
    Ok((listener, SocketFile { path: path.to_owned(), inode }))
}

fn make_directory(path: &Path) -> io::Result<()> {
    let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)
}

async fn clear_the_way(path: &Path) -> Result<(), SocketError> {
    let failed = |action| move |error| SocketError::Io { path: path.to_owned(), action, error };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("looking at it")(error)),
    };
    if !metadata.file_type().is_socket() {
        let kind = kind_of(metadata.file_type());
        return Err(SocketError::NotASocket { path: path.to_owned(), kind });
    }
    let uid = nix::unistd::geteuid().as_raw();
    if metadata.uid() != uid {
        return Err(SocketError::ForeignSocket {
            path: path.to_owned(),
            owner: metadata.uid(),
            uid,
        });
    }
    if UnixStream::connect(path).await.is_ok() {
        return Err(SocketError::InUse { path: path.to_owned() });
    }
    fs::remove_file(path).map_err(failed("removing the stale socket"))
}

fn kind_of(file_type: fs::FileType) -> &'static str {
    if file_type.is_symlink() {
        "symbolic link"
    } else if file_type.is_dir() {
        "directory"
    } else if file_type.is_file() {
        "regular file"
    } else {
        "special file"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/publisher.sock");
        (directory, path)
    }

    async fn refusal(path: &Path) -> String {
        match bind(path).await {
            Ok(_) => panic!("the socket was made"),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn directory_and_socket_have_the_narrow_modes() {
        let (_keep, path) = scratch();
        let _bound = bind(&path).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&path), 0o660);
        assert_eq!(mode(path.parent().unwrap()) & !0o750, 0);
    }

    #[tokio::test]
    async fn a_stale_socket_of_our_own_is_replaced() {
        let (_keep, path) = scratch();
        let (listener, file) = bind(&path).await.unwrap();
        drop(listener);
        std::mem::forget(file); // As after a kill -9: nobody removed the file.
        assert!(bind(&path).await.is_ok());
    }

    #[tokio::test]
    async fn a_socket_in_use_is_left_alone() {
        let (_keep, path) = scratch();
        let _first = bind(&path).await.unwrap();
        assert!(refusal(&path).await.contains("another publisher listens"));
    }

    #[tokio::test]
    async fn a_symbolic_link_or_file_at_the_path_is_refused_and_kept() {
        let (keep, path) = scratch();
        fs::create_dir(path.parent().unwrap()).unwrap();
        let target = keep.path().join("precious");
        fs::write(&target, "data").unwrap();
        symlink(&target, &path).unwrap();
        assert!(refusal(&path).await.contains("is a symbolic link"));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "data").unwrap();
        assert!(refusal(&path).await.contains("is a regular file"));
        assert_eq!(fs::read_to_string(&target).unwrap(), "data");
        assert_eq!(fs::read_to_string(&path).unwrap(), "data");
    }

    #[tokio::test]
    async fn a_socket_of_another_user_is_refused() {
        let (_keep, path) = scratch();
        let (listener, file) = bind(&path).await.unwrap();
        std::os::unix::fs::chown(&path, Some(65_534), None)
            .expect("run as root: this test gives a socket to another user");
        drop(listener);
        assert!(refusal(&path).await.contains("belongs to uid 65534"));
        drop(file);
    }

    #[tokio::test]
    async fn the_socket_is_removed_at_the_end_unless_it_was_replaced() {
        let (_keep, path) = scratch();
        let (listener, file) = bind(&path).await.unwrap();
        drop((listener, file));
        assert!(!path.exists());
        let (_listener, file) = bind(&path).await.unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another").unwrap();
        drop(file);
        assert!(path.exists(), "a file that is not ours was removed");
    }
}
