//! The names of users and groups.

use foldhash::{HashMap, HashMapExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a passwd file is taken to be unchanged.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// No real passwd file is larger (4 MiB is some 50,000 users).
const MAXIMUM_BYTES: u64 = 4 << 20;

/// The names of the host's users, from its passwd file (`passwd(5)`), or of its groups (`group(5)`), read again when that changes.
///
/// Users of a directory service (LDAP, SSSD) are not in it and stay numbers.
pub struct Users {
    path: PathBuf,
    names: HashMap<u32, String>,
    version: Option<FileVersion>,
    checked: Option<Instant>,
}

/// What changes when a file is written or replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileVersion {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Users {
    /// The users of the host whose root is mounted at `host_root`.
    pub fn of_host(host_root: &Path) -> Self {
        let path = host_root.join("etc/passwd");
        Self { path, names: HashMap::new(), version: None, checked: None }
    }

    /// The groups of that host, which are written alike.
    pub fn groups_of_host(host_root: &Path) -> Self {
        let path = host_root.join("etc/group");
        Self { path, names: HashMap::new(), version: None, checked: None }
    }

    /// The name of a user of the host.
    pub fn name(&mut self, uid: u32, now: Instant) -> Option<&str> {
        self.look(now);
        self.known(uid)
    }

    /// The name by what was read last.
    pub fn known(&self, uid: u32) -> Option<&str> {
        self.names.get(&uid).map(String::as_str)
    }

    /// Reads the file again where it has changed.
    pub fn look(&mut self, now: Instant) {
        let due = self.checked.is_none_or(|at| now.saturating_duration_since(at) >= CHECK_EVERY);
        if due {
            self.checked = Some(now);
            self.read_again_if_changed();
        }
    }

    fn read_again_if_changed(&mut self) {
        let version = file_version(&self.path);
        if version == self.version {
            return;
        }
        self.version = version;
        let fits = version.is_some_and(|version| version.size <= MAXIMUM_BYTES);
        self.names = match std::fs::read(&self.path) {
            Ok(bytes) if fits => parse(&String::from_utf8_lossy(&bytes)),
            _ => HashMap::new(),
        };
    }
}

fn file_version(path: &Path) -> Option<FileVersion> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(FileVersion {
        inode: metadata.ino(),
        size: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    })
}

/// Lines of `name:password:uid:…`. Of several names of one uid the first counts, as in getpwuid.
fn parse(passwd: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next(), fields.nth(1));
        if let (Some(name), Some(Ok(uid))) = (name, uid.map(str::parse))
            && !name.is_empty()
        {
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(passwd: &str) -> (tempfile::TempDir, Users) {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(root.path().join("etc")).expect("etc");
        std::fs::write(root.path().join("etc/passwd"), passwd).expect("passwd");
        let users = Users::of_host(root.path());
        (root, users)
    }

    #[test]
    fn the_first_name_of_a_uid_counts_and_nonsense_is_passed_over() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\n\n:x:5::::\nx:y\nweb:x:oops:1\n+::::::\nwww-data:x:33:33";
        let (_root, mut users) = host(passwd);
        let now = Instant::now();
        assert_eq!(users.name(0, now), Some("root"));
        assert_eq!(users.name(33, now), Some("www-data"));
        assert_eq!(users.name(5, now), None);
        assert_eq!(users.name(1, now), None);
    }

    #[test]
    fn groups_are_written_as_users_are() {
        let (root, _) = host("");
        let group = "root:x:0:\nsudo:x:27:ann,bob\n";
        std::fs::write(root.path().join("etc/group"), group).expect("group");
        let mut groups = Users::groups_of_host(root.path());
        assert_eq!(groups.name(27, Instant::now()), Some("sudo"));
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let (root, mut users) = host("root:x:0:0::/:/bin/sh\n");
        let now = Instant::now();
        assert_eq!(users.name(1000, now), None);
        let grown = "root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n";
        std::fs::write(root.path().join("etc/passwd"), grown).expect("passwd");
        assert_eq!(users.name(1000, now + CHECK_EVERY), Some("alice"));
        std::fs::remove_file(root.path().join("etc/passwd")).expect("removed");
        assert_eq!(users.name(1000, now + 2 * CHECK_EVERY), None);
    }
}
