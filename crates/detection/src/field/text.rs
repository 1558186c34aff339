//! Texts that the language derives from what the sensor tells.

use super::pooled::Pooled;
use event_model::{Executable, Process};

/// Capabilities by bit, as `linux/capability.h` numbers them.
#[rustfmt::skip]
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
];

/// The number of a terminal that has one but is of no kind known here: not 0, which means none.
const OTHER_TERMINAL: i64 = i64::MAX;

/// The names of the capabilities whose bits are set, separated by spaces.
pub(super) fn capabilities(bits: u64) -> Pooled {
    let set = CAPABILITIES.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    joined(set.map(|(_, name)| *name))
}

/// All arguments but the first, separated by spaces.
pub(super) fn arguments(process: &Process) -> Pooled {
    joined(process.arguments.iter().skip(1).map(String::as_str))
}

fn joined<'p>(parts: impl Iterator<Item = &'p str>) -> Pooled {
    Pooled::written(|text| {
        for part in parts.enumerate() {
            text.push_str(if part.0 > 0 { " " } else { "" });
            text.push_str(part.1);
        }
    })
}

/// Variables with a NUL between them, separated by spaces.
pub(super) fn environment(variables: &str) -> Pooled {
    joined(variables.split('\0'))
}

/// The process's name and its arguments. The language shows the name where the first argument would stand: rules
/// compare with `sh -c …` however the shell was called.
pub(super) fn command_line(process: &Process) -> Pooled {
    let arguments = process.arguments.iter().skip(1).map(String::as_str);
    joined(std::iter::once(process.name.as_str()).chain(arguments))
}

/// The working directory with the slash at its end that the language shows.
pub(super) fn directory(process: &Process) -> Pooled {
    Pooled::written(|text| {
        text.push_str(&process.working_directory);
        text.push_str(if text.ends_with('/') { "" } else { "/" });
    })
}

/// The user's name. In a container nobody tells it; user id 0 is called root there too.
pub(super) fn user_name(process: &Process) -> Option<&str> {
    let root = (process.credentials.uid == 0).then_some("root");
    process.user_name.as_deref().or(root)
}

/// What an exec's flags say of the program, by the language's names. None where they say nothing.
pub(super) fn executable_flags(executable: &Executable) -> Option<&'static str> {
    match (executable.upper_layer, executable.memfd) {
        (true, true) => Some("EXE_UPPER_LAYER|EXE_FROM_MEMFD"),
        (true, false) => Some("EXE_UPPER_LAYER"),
        (false, true) => Some("EXE_FROM_MEMFD"),
        (false, false) => None,
    }
}

/// A terminal's device number as `stat` shows it, 0 for no terminal.
pub(super) fn terminal_number(terminal: Option<&str>) -> i64 {
    let Some(name) = terminal.map(|name| name.trim_start_matches("/dev/")) else {
        return 0;
    };
    let major_and_minor =
        [("pts/", 136, 0), ("pts", 136, 0), ("ttyS", 4, 64), ("tty", 4, 0), ("hvc", 229, 0)]
            .into_iter()
            .find_map(|(prefix, major, first)| {
                let number: u32 = name.strip_prefix(prefix)?.parse().ok()?;
                Some((major, first + number))
            });
    match (name, major_and_minor) {
        ("console", _) => device_number(5, 1),
        // A major number of pseudo-terminals holds 256 of them.
        (_, Some((136, minor))) => device_number(136 + (minor >> 8), minor & 0xff),
        (_, Some((major, minor))) => device_number(major, minor),
        _ => OTHER_TERMINAL,
    }
}

/// `new_encode_dev` of the kernel's `linux/kdev_t.h`.
fn device_number(major: u32, minor: u32) -> i64 {
    i64::from(minor & 0xff | major << 8 | (minor & !0xff) << 12)
}

/// The parts of an image's name: `repository[:tag][@digest]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Image<'a> {
    pub repository: &'a str,
    pub tag: Option<&'a str>,
    pub digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    pub fn parse(name: &'a str) -> Self {
        let (name, digest) =
            name.split_once('@').map_or((name, None), |(name, digest)| (name, Some(digest)));
        // A colon before the last slash belongs to the registry's port.
        match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => {
                Self { repository, tag: Some(tag), digest }
            }
            _ => Self { repository: name, tag: None, digest },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_taken_apart() {
        let parts = |name| {
            let Image { repository, tag, digest } = Image::parse(name);
            (repository, tag, digest)
        };
        assert_eq!(parts("nginx"), ("nginx", None, None));
        assert_eq!(
            parts("docker.io/library/nginx:1.27"),
            ("docker.io/library/nginx", Some("1.27"), None)
        );
        assert_eq!(parts("localhost:5000/a/b"), ("localhost:5000/a/b", None, None));
        assert_eq!(parts("r:5/a:t@sha256:0f"), ("r:5/a", Some("t"), Some("sha256:0f")));
    }

    #[test]
    fn terminals_have_the_numbers_that_stat_shows() {
        assert_eq!(terminal_number(None), 0);
        assert_eq!(terminal_number(Some("pts0")), 34816);
        assert_eq!(terminal_number(Some("pts/3")), 34819);
        assert_eq!(terminal_number(Some("tty1")), 1025);
        assert_eq!(terminal_number(Some("ttyS0")), 1088);
        assert_ne!(terminal_number(Some("ttyAMA0")), 0);
    }

    #[test]
    fn capabilities_are_named_by_their_bits() {
        assert_eq!(&*capabilities(1 << 21 | 1), "CAP_CHOWN CAP_SYS_ADMIN");
        assert_eq!(&*capabilities(1 << 40), "CAP_CHECKPOINT_RESTORE");
        assert_eq!(&*capabilities(0), "");
    }

    #[test]
    fn the_name_stands_where_the_first_argument_would() {
        let process = Process {
            name: "sh".to_owned(),
            arguments: ["/bin/sh", "-c", "ls"].map(str::to_owned).to_vec(),
            ..Process::default()
        };
        assert_eq!(&*command_line(&process), "sh -c ls");
        assert_eq!(&*arguments(&process), "-c ls");
    }
}
