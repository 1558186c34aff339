use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// A line of `/proc/PID/mountinfo`; proc_pid_mountinfo(5) describes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Mount<'line> {
    /// The device as the kernel holds it (`super_block.s_dev`).
    pub device: u32,
    /// The directory of the file system that is visible here.
    pub root: &'line str,
    /// Where, below the root directory of the process.
    pub point: PathBuf,
    /// The type of the file system, such as `cgroup2`.
    pub file_system: &'line str,
    /// Options of the file system.
    pub options: &'line str,
}

impl<'line> Mount<'line> {
    /// None where the line is not such a line.
    pub fn parse(line: &'line str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(2);
        let mut file_system = file_system.split(' ');
        Some(Self {
            device: device(mount.next()?)?,
            root: mount.next()?,
            point: unescape(mount.next()?),
            file_system: file_system.next()?,
            options: file_system.nth(1)?,
        })
    }

    /// [`Self::root`], as it is.
    pub fn root_directory(&self) -> PathBuf {
        unescape(self.root)
    }

    /// Whether the file system is mounted with that option.
    pub fn has_option(&self, option: &str) -> bool {
        self.options.split(',').any(|one| one == option)
    }
}

/// `MAJOR:MINOR` in the kernel's own form: `MKDEV` of `include/linux/kdev_t.h`.
fn device(text: &str) -> Option<u32> {
    let (major, minor) = text.split_once(':')?;
    Some(major.parse::<u32>().ok()?.checked_shl(20)? | minor.parse::<u32>().ok()?)
}

/// Blanks, line feeds and backslashes are written as a backslash and three octal digits.
fn unescape(path: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'\\').then(|| after.split_first_chunk::<3>()).flatten();
        let decoded = escaped.and_then(|(digits, after)| Some((octal(*digits)?, after)));
        let (byte, after) = decoded.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn octal(digits: [u8; 3]) -> Option<u8> {
    u8::from_str_radix(str::from_utf8(&digits).ok()?, 8).ok()
}
