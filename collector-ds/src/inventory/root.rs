//! Files below a root directory that somebody else may write to.
//!
//! Paths are resolved as if the root were `/` (`openat2(2)`, RESOLVE_IN_ROOT): a link leads nowhere else, and magic links
//! of `/proc` lead nowhere at all. In a container's root no mount is entered: what lies there is not of its image, and may
//! be a file system that does not answer. A file is opened as a mere path first and read only where it is a regular file:
//! opening a pipe, a device or a socket could block, or do something.

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use std::cell::Cell;
use std::fmt;
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A root directory.
pub struct Root {
    directory: OwnedFd,
    resolve: ResolveFlag,
    bytes_left: Cell<u64>,
}

/// Why a file was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skipped {
    /// There is none.
    Absent,
    /// It is no regular file, or no directory.
    Kind,
    /// It is larger than such files are, or all that was read is.
    Large,
    /// Its way leads out of the root, round in circles, or into another mount.
    Outside,
    /// The system refused, by the number of its error.
    Refused(i32),
}

impl Skipped {
    /// The value of the `reason` label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Kind => "not_regular",
            Self::Large => "too_large",
            Self::Outside => "outside",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there is none"),
            Self::Kind => f.write_str("not a regular file"),
            Self::Large => f.write_str("too large"),
            Self::Outside => f.write_str("leads out of its root or mount"),
            Self::Refused(number) => f.write_str(Errno::from_raw(*number).desc()),
        }
    }
}

impl From<Errno> for Skipped {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ENOENT | Errno::ENOTDIR | Errno::ESRCH => Self::Absent,
            Errno::EXDEV | Errno::ELOOP | Errno::ENAMETOOLONG => Self::Outside,
            other => Self::Refused(other as i32),
        }
    }
}

impl From<io::Error> for Skipped {
    fn from(error: io::Error) -> Self {
        Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)).into()
    }
}

/// What changes when a file is written or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileVersion {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl From<&Metadata> for FileVersion {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// It is a directory; a link to one is none.
    pub is_directory: bool,
}

/// What a directory holds, as far as was looked.
#[derive(Debug, Default)]
pub struct Listing {
    /// The entries.
    pub entries: Vec<Entry>,
    /// There are more.
    pub cut: bool,
}

impl Root {
    /// The node's own root. Its administrator's mounts are followed.
    pub fn of_node(path: &Path) -> io::Result<Self> {
        Self::new(path, ResolveFlag::empty())
    }

    /// The root of a container, such as `/proc/PID/root`.
    pub fn of_container(path: &Path) -> io::Result<Self> {
        Self::new(path, ResolveFlag::RESOLVE_NO_XDEV)
    }

    fn new(path: &Path, also: ResolveFlag) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let directory = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS | also;
        let bytes_left = Cell::new(super::limits::SCAN_BYTES);
        Ok(Self { directory: directory.into(), resolve, bytes_left })
    }

    /// Reads a regular file of at most so many bytes.
    pub fn read(&self, path: &str, most: u64) -> Result<Vec<u8>, Skipped> {
        let file = self.open(path)?;
        let most = most.min(self.bytes_left.get());
        if file.metadata()?.len() > most {
            return Err(Skipped::Large);
        }
        let mut bytes = vec![];
        // It may grow while it is read.
        file.take(most + 1).read_to_end(&mut bytes)?;
        let taken = bytes.len() as u64;
        self.bytes_left.set(self.bytes_left.get().saturating_sub(taken));
        if taken > most { Err(Skipped::Large) } else { Ok(bytes) }
    }

    /// Reads a regular file as text. Bytes that are none are replaced.
    pub fn text(&self, path: &str, most: u64) -> Result<String, Skipped> {
        let bytes = self.read(path, most)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Opens a regular file for reading.
    pub fn open(&self, path: &str) -> Result<File, Skipped> {
        let found = self.find(path, FileType::is_file)?;
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let again = own_path(&found);
        Ok(OpenOptions::new().read(true).custom_flags(flags.bits()).open(again)?)
    }

    /// Lists a directory.
    pub fn list(&self, path: &str, most: usize) -> Result<Listing, Skipped> {
        let found = self.find(path, FileType::is_dir)?;
        let mut listing = Listing::default();
        for entry in std::fs::read_dir(own_path(&found))?.flatten() {
            if listing.entries.len() >= most {
                listing.cut = true;
                break;
            }
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // A name that is no text is of no package that we know.
            if let Ok(name) = entry.file_name().into_string() {
                listing.entries.push(Entry { name, is_directory });
            }
        }
        Ok(listing)
    }

    /// What changes when the file does.
    pub fn version(&self, path: &str) -> Option<FileVersion> {
        let found = self.find(path, FileType::is_file).ok()?;
        found.metadata().ok().as_ref().map(Into::into)
    }

    /// Whether there is anything at the path that is of a kind to be read.
    pub fn has(&self, path: &str) -> bool {
        self.version(path).is_some()
    }

    fn find(&self, path: &str, is_wanted: fn(&FileType) -> bool) -> Result<File, Skipped> {
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(self.resolve);
        let found = File::from(openat2(&self.directory, path, how)?);
        if is_wanted(&found.metadata()?.file_type()) { Ok(found) } else { Err(Skipped::Kind) }
    }
}

/// The way to what was found already, which nobody can change any more.
fn own_path(found: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", found.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_lead_nowhere_but_below_the_root() {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join("secret"), "outside").expect("a file");
        let path = folder.path().join("root");
        std::fs::create_dir_all(path.join("etc")).expect("etc");
        std::fs::write(path.join("etc/real"), "inside").expect("a file");
        symlink("/etc/real", path.join("absolute")).expect("a link");
        symlink("../../../../etc/real", path.join("etc/relative")).expect("a link");
        symlink(folder.path().join("secret"), path.join("escape")).expect("a link");
        symlink("../secret", path.join("beside")).expect("a link");
        symlink("circle", path.join("circle")).expect("a link");
        symlink("/proc/self/root", path.join("magic")).expect("a link");
        let root = Root::of_node(&path).expect("a root");
        assert_eq!(root.text("absolute", 100).as_deref(), Ok("inside"));
        assert_eq!(root.text("etc/relative", 100).as_deref(), Ok("inside"));
        assert_eq!(root.text("../etc/real", 100).as_deref(), Ok("inside"));
        assert_eq!(root.text("escape", 100), Err(Skipped::Absent));
        assert_eq!(root.text("beside", 100), Err(Skipped::Absent));
        assert_eq!(root.text("circle", 100), Err(Skipped::Outside));
        assert_eq!(root.text("magic/etc/passwd", 1 << 20), Err(Skipped::Absent));
    }

    #[test]
    fn magic_links_are_not_followed() {
        let root = Root::of_node(Path::new("/")).expect("a root");
        assert_eq!(root.text("proc/self/root/etc/passwd", 1 << 20), Err(Skipped::Outside));
    }

    #[test]
    fn pipes_devices_and_folders_are_not_opened() {
        let folder = tempfile::tempdir().expect("a directory");
        mkfifo(&folder.path().join("pipe"), Mode::S_IRWXU).expect("a pipe");
        std::fs::create_dir(folder.path().join("folder")).expect("a folder");
        let root = Root::of_node(folder.path()).expect("a root");
        assert_eq!(root.read("pipe", 10), Err(Skipped::Kind), "and it does not block");
        assert_eq!(root.read("folder", 10), Err(Skipped::Kind));
        let devices = Root::of_node(Path::new("/dev")).expect("a root");
        assert_eq!(devices.read("zero", 10), Err(Skipped::Kind));
    }

    #[test]
    fn other_mounts_are_not_of_a_container_s_image() {
        let root = Root::of_container(Path::new("/")).expect("a root");
        assert_eq!(root.text("proc/version", 1000), Err(Skipped::Outside));
    }

    #[test]
    fn a_huge_file_is_not_read() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = File::create(folder.path().join("huge")).expect("a file");
        file.set_len(1 << 40).expect("a hole");
        std::fs::write(folder.path().join("some"), "x".repeat(1000)).expect("a file");
        let root = Root::of_node(folder.path()).expect("a root");
        assert_eq!(root.read("huge", 1 << 20), Err(Skipped::Large));
        assert_eq!(root.read("some", 999), Err(Skipped::Large));
        assert_eq!(root.read("some", 1000).expect("it fits").len(), 1000);
    }

    #[test]
    fn a_scan_reads_no_more_than_it_may() {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join("some"), "x".repeat(1000)).expect("a file");
        let root = Root::of_node(folder.path()).expect("a root");
        root.bytes_left.set(1500);
        assert!(root.read("some", 1000).is_ok());
        assert_eq!(root.read("some", 1000), Err(Skipped::Large));
    }

    #[test]
    fn a_directory_is_listed_up_to_its_bound() {
        let folder = tempfile::tempdir().expect("a directory");
        for n in 0..10 {
            std::fs::create_dir(folder.path().join(n.to_string())).expect("a folder");
        }
        symlink("0", folder.path().join("link")).expect("a link");
        let root = Root::of_node(folder.path()).expect("a root");
        let all = root.list("/", 100).expect("a listing");
        assert_eq!((all.entries.len(), all.cut), (11, false));
        assert_eq!(all.entries.iter().filter(|entry| entry.is_directory).count(), 10);
        let some = root.list("/", 5).expect("a listing");
        assert_eq!((some.entries.len(), some.cut), (5, true));
    }
}
